"""
`ProxyStream`: an `ITransport` to the agent's local service. Source: agent-protocol.md, sections 3.5, 3.8 and 8.1.

An agent never confirms a stream: it is there as soon as it is opened, and one whose service cannot be reached ends without
a byte. But it may have no place for one (section 3.8, L2): what was sent of that is kept until a first frame comes back, and
it is opened again a little later, under another id, without its protocol's hearing of it.
"""

from __future__ import annotations

from typing import Any, Callable

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IProtocolFactory
from twisted.python.failure import Failure

from ngrok_twisted.errors import TunnelLost
from ngrok_twisted.net.backlog import Backlog
from ngrok_twisted.net.substream import Substream
from ngrok_twisted.net.timeouts import SECONDS, IdleWatch
from ngrok_twisted.transports.agent.frames import SYN, WINDOW, ErrorCode
from ngrok_twisted.transports.agent.mux import Mux
from ngrok_twisted.transports.agent.streams import Stream

# How long an agent that breaks off at our FIN has to be silent before it gets one.
SILENCE_BEFORE_FIN = 5 * SECONDS

# Streams that were refused together come again one after another: each waits up to as long again as the pause, by its id.
SPREAD = 32


class ProxyStream(Substream, Stream):
    """A byte stream to the agent's local service."""

    credit = Stream.credit
    owe = Stream.owe
    _emit = Stream.emit

    _patience: IdleWatch | None = None  # for the agent's end of a stream that we have ended
    _refused = 0  # so many times
    _asking: Any = None  # the call that opens it again

    def __init__(self, mux: Mux) -> None:
        Stream.__init__(self, mux)
        Substream.__init__(self)
        self.carrier = mux

    @classmethod
    def open(cls, mux: Mux, header: bytes, factory: IProtocolFactory) -> Any:
        """
        Open a stream at once.

        :param header: what stands before the first byte: the stream's type, and the Proxy header. It leaves in one frame
            with what the protocol writes in this turn of the reactor.
        :param factory: builds the protocol whose transport the stream becomes.
        :return: the protocol.
        :raises Overloaded: there is no room for one more.
        :raises TunnelLost: the connection is ending, or the factory wants no protocol.
        """
        stream = cls(mux)
        stream.kept = b""
        mux.open(stream, visitor=True)
        stream._unsent.add((header,))
        try:
            protocol = factory.buildProtocol(stream.getPeer())
            if protocol is None:
                raise TunnelLost("The connection was refused.")
            stream._connect(protocol)
        except Exception:
            stream._abort()
            raise
        if stream._unsent.size:
            stream.later(stream._announce)
        return protocol

    def _announce(self) -> None:
        """Nothing was written in the turn of the opening: the header leaves alone."""
        if self._unsent.size and not self.gone:
            self.carrier.waiting[self] = None
            self.drain()

    # -- a stream that the agent has no place for ----------------------------------------------------------------------

    def ask_again(self) -> bool:
        """`Stream`."""
        limits, kept = self.mux.limits, self.kept
        if kept is None or self._refused >= limits.refused_tries:
            return False
        unsent, self._unsent = self._unsent, Backlog()
        self._unsent.add((kept,))
        self._unsent.add(unsent.take(unsent.size)[0])
        self.kept = b""
        self._flags = SYN
        self.send_window = 0  # so that all that is written waits
        pause = limits.refused_pause * 2**self._refused * (1 + self.id % SPREAD / SPREAD)
        self._refused += 1
        self._asking = self.mux.output.clock.callLater(pause, self._open_again)
        return True

    def _open_again(self) -> None:
        self._asking = None
        if self.mux.renumber(self):
            self.send_window = WINDOW
            self._announce()
        else:
            self.over()
            self.reset_received(ErrorCode.ACCEPT_QUEUE_FULL)

    # -- Stream --------------------------------------------------------------------------------------------------------

    def fin_received(self) -> None:
        """`Stream`."""
        self.peer_finished()

    def reset_received(self, code: int) -> None:
        """`Stream`."""
        self.peer_left(f"the agent ended the stream: code {code}")

    def window_opened(self) -> None:
        """`Stream`."""
        if self in self.carrier.waiting and not self.carrier.blocked:
            self.drain()

    def connection_lost(self, reason: Failure) -> None:
        """`Stream`."""
        self._lost(Failure(ConnectionLost("the agent's connection was lost")))

    def over(self) -> None:
        """`Stream`."""
        if self._patience is not None:
            self._patience.stop()
            self._patience = None
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
        super().over()

    # -- Substream -----------------------------------------------------------------------------------------------------

    def later(self, call: Callable[[], None]) -> None:
        """`SubstreamOutput`."""
        self.mux.output.later(call)

    def _make_linger(self, call: Callable[[], None]) -> IdleWatch:
        return IdleWatch(self.mux.output.clock, self.mux.limits.patience, call)

    def _send_fin(self) -> None:
        if not self.gone and not self.sent_fin:
            self.emit((), 0, True)

    def _close(self) -> None:
        self._send_fin()
        if not self.gone:
            self._patience = IdleWatch(self.mux.output.clock, self.mux.limits.patience, self._unwanted)

    def _abort(self) -> None:
        # Without the FIN an agent of the Rust family would keep its service connected (spec 3.8, L5).
        if not self._flags:
            self._send_fin()
        self.reset(ErrorCode.STREAM_CANCELLED)

    def _unwanted(self) -> None:
        self.reset(ErrorCode.STREAM_CANCELLED)

    # -- what a TCP transport has --------------------------------------------------------------------------------------

    def getPeer(self) -> IPv4Address | IPv6Address:
        """`ITransport`: the agent, behind which the service is."""
        output = self.mux.output
        kind = IPv6Address if ":" in output.peer_host else IPv4Address
        return kind("TCP", output.peer_host, output.peer_port)

    def getHost(self) -> Any:
        """`ITransport`: our end of the agent's connection."""
        return self.mux.output.transport.getHost()


class LateFinStream(ProxyStream):
    """
    A stream to an agent that breaks off the whole stream at our FIN, as v2 agents (spec 8.1) and ngrok-go do: a visitor who
    only ends his own side would lose the answer. The FIN waits until the agent has ended its side, or fallen silent.
    """

    _silence: IdleWatch | None = None

    def received(self, batch: list[memoryview]) -> None:
        """`Stream`."""
        if self._silence is not None:
            self._silence.touch()
        super().received(batch)

    def ask_again(self) -> bool:
        """`Stream`. It is not silent as long as it is not there."""
        if self._silence is not None:
            self._silence.touch()
        return super().ask_again()

    def _send_fin(self) -> None:
        if self.got_fin or self.disconnecting or self._silence is not None:
            super()._send_fin()
        else:
            self._silence = IdleWatch(self.mux.output.clock, SILENCE_BEFORE_FIN, self._fell_silent)

    def _fell_silent(self) -> None:
        if self._unsent.size and self._silence is not None:  # it was refused since, and what comes before its end waits
            self._silence.change(SILENCE_BEFORE_FIN)
        else:
            self._send_fin()

    def over(self) -> None:
        """`Stream`."""
        if self._silence is not None:
            self._silence.stop()
        super().over()
