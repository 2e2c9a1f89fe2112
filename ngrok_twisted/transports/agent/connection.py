"""
`AgentConnection`: one connection of an agent, inside TLS.

It is what stands between bytes and meaning: the multiplexer's frames below, the streams for the server itself on top, and an
*owner* who knows what requests are for. Before its login an agent may do little, and not for long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Iterable, Mapping, Sequence
from typing import Protocol as Shape

from zope.interface import implementer

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocolFactory, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from ngrok_twisted.errors import EdgeError, Refused, TunnelLost
from ngrok_twisted.interfaces import IBatchReceiver
from ngrok_twisted.net.timeouts import IdleWatch
from ngrok_twisted.net.tls_connection import TLSConnection
from ngrok_twisted.transports.agent.allowance import Allowance
from ngrok_twisted.transports.agent.commands import Command, Notice
from ngrok_twisted.transports.agent.frames import ErrorCode, MuxError
from ngrok_twisted.transports.agent.heartbeats import Echo, Probes
from ngrok_twisted.transports.agent.limits import AgentLimits
from ngrok_twisted.transports.agent.mux import Mux, StreamRefused
from ngrok_twisted.transports.agent.output import FrameOutput
from ngrok_twisted.transports.agent.proxied import LateFinStream, ProxyStream
from ngrok_twisted.transports.agent.reading import FairReading
from ngrok_twisted.transports.agent.requests import Reply, Request
from ngrok_twisted.transports.agent.streams import Stream
from ngrok_twisted.transports.agent.typed import REQUESTS, ControlStream, Conversation, StreamType, TypeWord

if TYPE_CHECKING:
    from ngrok_twisted.transports.agent.factory import AgentConnectionFactory

# Heartbeat streams that an agent may have open; every agent that is known opens one.
MOST_HEARTBEATS = 4

# What may be asked before Auth has succeeded (spec 6.1).
_FOR_STRANGERS = frozenset({StreamType.AUTH, StreamType.SRV_INFO})

NOT_LOGGED_IN = "Nothing can be asked for before a successful login."


class Owner(Shape):
    """Who knows what a connection is for."""

    def request(self, kind: StreamType, message: dict[str, Any]) -> Reply | Deferred[Reply]:
        """
        The agent asks for something.

        :param kind: before `AgentConnection.logged_in` only ``AUTH`` and ``SRV_INFO``.
        :return: the reply. A Deferred is cancelled when nobody waits for it any more: the connection or the request is gone,
            or it took too long; whatever was to be given is to be taken back then.
        :raises Refused: the agent is told why; so it is if the Deferred fails with it.
        """

    def room_made(self) -> None:
        """A stream has ended, or the agent has come to one, so that there may be room for another one."""

    def lost(self, reason: Failure) -> None:
        """The connection is gone. Called once, last of all."""


@implementer(IBatchReceiver, IHalfCloseableProtocol, IPushProducer)
class AgentConnection(Protocol):
    """
    One connection. It is a producer to its own transport: while the socket is full, streams hold their bytes back.

    :ivar peer_host: the agent's IP address.
    :ivar peer_port: its TCP port.
    :ivar mux: its streams.
    :ivar limits: its bounds.
    :ivar clock: an `IReactorTime`.
    :ivar later: see `Turn.later`.
    :ivar held: bytes of unfinished requests and unread replies.
    :ivar write_frames: see `ngrok_twisted.transports.agent.output.Output`.
    """

    _log = Logger()

    peer_host = ""
    peer_port = 0
    mux: Mux
    write_frames: Callable[[Sequence[Any]], None]
    _output: FrameOutput
    _party = ""  # all strangers are one

    def __init__(self, factory: AgentConnectionFactory) -> None:
        self.factory: Any = factory
        self.limits: AgentLimits = factory.limits
        self.clock = factory.clock
        self.later: Callable[[Callable[[], object]], None] = factory.turn.later
        self.held = 0
        self._owner: Owner | None = None
        self._closing = False
        self._allowance = Allowance(factory.clock, factory.limits)
        self._beating: list[ControlStream] = []
        self._kind: type[ProxyStream] = ProxyStream
        self._probes: tuple[ControlStream, Probes] | None = None
        self._lingering: Any = None

    # -- for the owner -------------------------------------------------------------------------------------------------

    @property
    def room(self) -> int:
        """How many more streams may be opened for visitors now."""
        return 0 if self._closing else self.mux.room

    @property
    def full(self) -> bool:
        """Whether there is no room until a stream ends, rather than until the agent has come to those it was sent."""
        return self.mux.full

    def ease(self) -> None:
        """See `ngrok_twisted.transports.agent.pace.Pace.ease`: visitors have waited for room for a while."""
        if self.mux.pace.ease():
            self.room_made()

    def logged_in(self, interval: float, tolerance: float, late_fin: bool = False, party: str = "") -> None:
        """
        The agent has proved who it is: it may do more, and has to send heartbeats.

        :param interval: seconds between two of them.
        :param tolerance: seconds that the agent itself allows one to be late.
        :param late_fin: it breaks off a stream that we end, see `LateFinStream`.
        :param party: whose agent it is: the work for all of one party's agents has one share of the server's time.
        """
        self._allowance.let_in()
        self._party = party
        if late_fin:
            self._kind = LateFinStream
        if isinstance(self.transport, TLSConnection):
            self.transport.carry_much()
        self.factory.logged_in(self)
        self._watch.change(interval + tolerance + self.limits.heartbeat_slack)

    def command(self, kind: StreamType, message: Mapping[str, Any], timeout: float) -> Deferred[dict[str, Any]]:
        """
        Have the agent do something.

        :param timeout: seconds for its reply.
        :return: a Deferred, see `Command.begin`; it fails with `Overloaded` as well. It can be cancelled.
        """
        command = Command(self.limits.patience)
        try:
            stream = self._open(command)
        except EdgeError as error:
            return fail(error)
        return command.begin(stream, kind, message, timeout)

    def tell(self, kind: StreamType, message: Mapping[str, Any]) -> None:
        """Tell the agent something that it does not answer; in vain if the connection is ending."""
        notice = Notice()
        try:
            stream = self._open(notice)
        except EdgeError as error:
            self._log.debug(
                "agent {peer} is not told {kind}: {error}", peer=self.peer_host, kind=kind.name, error=error
            )
        else:
            notice.begin(stream, kind, message, self.limits.patience)

    def probe(self) -> Deferred[None]:
        """
        Ask the agent for a sign of life.

        :return: a Deferred that fires when it answers. It fails with `TunnelLost` if the connection ends, or `Overloaded`. It
            may be cancelled.
        """
        if self._probes is None or self._probes[0].gone:
            probes = Probes(self._heard)
            try:
                stream = self._open(probes)
            except EdgeError as error:
                return fail(error)
            stream.send((StreamType.HEARTBEAT.word,))
            self._probes = stream, probes
        stream, probes = self._probes
        return probes.probe(stream)

    def open_proxied(self, header: bytes, factory: IProtocolFactory) -> Any:
        """
        Open a stream to the agent's local service.

        :param header: all that stands before a visitor's first byte, see `ProxyStream.open`.
        :return: the protocol that the factory has built.
        :raises Overloaded: there is no room.
        :raises TunnelLost: the connection is ending.
        """
        if self._closing:
            raise TunnelLost()
        return self._kind.open(self.mux, header, factory)

    def close(self, reason: str, code: ErrorCode = ErrorCode.NO_ERROR) -> None:
        """
        Say farewell, and end the connection as soon as that is out, or a second later (spec 3.7).

        :param reason: a few words that the agent may log.
        """
        if self._closing:
            return
        self._log.debug("agent {peer}: closing: {reason}", peer=self.peer_host, reason=reason)
        self.mux.go_away(code, reason)
        if self._closing:  # there was too much to say
            return
        self._output.flush()
        self._output.close()
        self._closing = True
        self._reading.drop()
        transport: Any = self.transport
        # A producer that is paused would keep the socket from closing.
        transport.unregisterProducer()
        self._lingering = self.clock.callLater(self.limits.close_linger, self._lingered)
        transport.loseConnection()

    def abort(self) -> None:
        """End the connection at once."""
        self._closing = True
        self._output.close()
        self._reading.drop()
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()

    def _lingered(self) -> None:
        self._lingering = None
        self.abort()

    # -- the connection's life -----------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """`IProtocol`."""
        transport: Any = self.transport
        peer = transport.getPeer()
        self.peer_host, self.peer_port = getattr(peer, "host", ""), getattr(peer, "port", 0)
        if isinstance(transport, TLSConnection):
            transport.acknowledge_at_once()  # spec 2.1
        self._output = FrameOutput(transport, self.later, self.limits.max_unread, self._unread)
        self.write_frames = self._output.write
        self._reading = FairReading(self.clock, self.do, transport, self._read)
        self.mux = Mux(self, self._accept, self.limits)
        self._watch = IdleWatch(self.clock, self.limits.login_grace, self._silent)
        transport.registerProducer(self, True)
        self._owner = self.factory.make_owner(self)

    def readConnectionLost(self) -> None:
        """`IHalfCloseableProtocol`: an agent that ends TLS has ended the session (spec 2)."""
        self.close("the agent has left")

    def writeConnectionLost(self) -> None:
        """`IHalfCloseableProtocol`: we do not end our side alone."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """`IProtocol`."""
        self._reading.finish()
        self._closing = True
        self._output.close()
        self._watch.stop()
        lingering, self._lingering = self._lingering, None
        if lingering is not None:
            lingering.cancel()
        self.factory.ended(self)
        self.mux.lost(reason)
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.lost(reason)
        # The mux and its output know each other. What stands below need not stay until the garbage collector comes by.
        self.transport = None

    def _silent(self) -> None:
        if self._allowance.known:
            self._log.info("agent {peer}: no heartbeat came in time", peer=self.peer_host)
            self.close("no heartbeat in time")
        else:
            self._log.debug("agent {peer}: no login in time", peer=self.peer_host)
            self.close("no login in time")

    def _heard(self) -> None:
        """A heartbeat came. It does not prolong the time for the login."""
        if self._allowance.known:
            self._watch.touch()

    # -- bytes in ------------------------------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """`IProtocol`."""
        self.batchReceived((data,))

    def batchReceived(self, buffers: Sequence[Any]) -> None:
        """`IBatchReceiver`."""
        if self._closing:
            return
        if not self._allowance.known and not self._allowance.may_send(sum(map(len, buffers))):
            self._too_much("too much was sent before the login")
            return
        self._reading.take(buffers)

    def _read(self, buffers: Iterable[Any]) -> None:
        if self._closing:
            return
        self._output.held = True
        try:
            self.mux.receive_batch(buffers)
        except MuxError as error:
            self._log.info("agent {peer}: {error}", peer=self.peer_host, error=str(error))
            self.close(error.text, error.code)
        except Exception:
            self._log.failure("agent {peer}: what it sent could not be served", peer=self.peer_host)
            self.close("internal error", ErrorCode.INTERNAL_ERROR)
        finally:
            self._output.held = False
            self._output.flush()
        if not self._allowance.may_open(self.mux.asked):
            self._too_much("too many streams were opened")

    def _too_much(self, text: str) -> None:
        self._log.info("agent {peer}: {text}", peer=self.peer_host, text=text)
        self.close(text, ErrorCode.ENHANCE_YOUR_CALM)

    def gone_away(self, code: int, text: str) -> None:
        """`ngrok_twisted.transports.agent.output.Output`."""
        self._log.debug("agent {peer} leaves: code {code}, {text!r}", peer=self.peer_host, code=code, text=text)
        self.close("")

    # -- frames out ----------------------------------------------------------------------------------------------------

    def _unread(self) -> None:
        self._log.warn("agent {peer}: it does not read", peer=self.peer_host)
        self.abort()

    def pauseProducing(self) -> None:
        """`IPushProducer`: the socket is full."""
        self._output.full = True
        self.mux.block()

    def resumeProducing(self) -> None:
        """`IPushProducer`: the socket has drained."""
        self._output.drained()
        self.mux.unblock()

    def stopProducing(self) -> None:
        """`IPushProducer`: the socket is gone; `connectionLost` follows."""

    # -- streams -------------------------------------------------------------------------------------------------------

    def _open(self, conversation: Conversation) -> ControlStream:
        stream = ControlStream(self.mux, self.clock, conversation)
        self.mux.open(stream)
        return stream

    def _accept(self, id: int) -> Stream:
        if not self._allowance.known and self.mux.accepted >= self.limits.strangers_streams:
            raise StreamRefused(ErrorCode.ENHANCE_YOUR_CALM)
        stream = ControlStream(self.mux, self.clock, TypeWord(self._begin))
        stream.wait(self.limits.patience, ControlStream.give_up)
        return stream

    def _begin(self, stream: ControlStream, number: int) -> Conversation:
        """The agent has said what a stream is."""
        if number == StreamType.HEARTBEAT and self._may_beat(stream):
            stream.relax()
            return Echo(self._heard)
        if number in REQUESTS and self._allowance.may_ask():
            limits = self.limits
            size = limits.max_request_bytes if self._allowance.known else limits.strangers_request_bytes
            return Request(StreamType(number), self, size)
        self._log.debug("agent {peer}: refused a stream of type {type}", peer=self.peer_host, type=number)
        stream.give_up(ErrorCode.STREAM_REFUSED)
        return stream.conversation

    def _may_beat(self, stream: ControlStream) -> bool:
        self._beating = [other for other in self._beating if not other.gone]
        self._beating.append(stream)
        return len(self._beating) <= MOST_HEARTBEATS

    def do(self, work: Callable[[], object]) -> None:
        """`ngrok_twisted.transports.agent.requests.Asking`."""
        self.factory.shares.do(self._party, work)

    def ask(self, kind: StreamType, message: dict[str, Any]) -> Reply | Deferred[Reply]:
        """`ngrok_twisted.transports.agent.requests.Asking`."""
        if not self._allowance.known and kind not in _FOR_STRANGERS:
            raise Refused(None, NOT_LOGGED_IN)
        assert self._owner is not None
        return self._owner.request(kind, message)

    def room_made(self) -> None:
        """`ngrok_twisted.transports.agent.output.Output`."""
        if self._owner is not None and not self._closing:
            self._owner.room_made()
