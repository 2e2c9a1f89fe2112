"""
`SharedConnection`: one HTTP/2 connection to a target, shared by many requests.

It takes as many requests as the service allows, moves them to another when either side wants to end, and is let go when nobody
asks anything.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.errors import EdgeError, TunnelLost, UpstreamInvalid, UpstreamTimeout
from ngrok_twisted.interfaces import IBatchReceiver
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.http2 import HTTP2Exchange
from ngrok_twisted.upstream.http2_frames import ConnectionBroken
from ngrok_twisted.upstream.http2_pulse import LINGER, Pulse
from ngrok_twisted.upstream.http2_turns import Turns

_log = Logger()

#: Streams at a time, if the service allows as many. More requests take another connection, so that they do not all wait for
#: one lost segment.
MAX_STREAMS = 100

#: Streams that we break off before the service has answered them, until the others move to a new connection. Services count
#: them as well (CVE-2023-44487), and one visitor who breaks off much must not cost the others their answers.
MAX_BROKEN_OFF = 200


@implementer(IBatchReceiver, IHalfCloseableProtocol, IPushProducer)
class SharedConnection(Turns):
    """
    :ivar target: what it is connected to.
    :ivar dialled: seconds that it took to connect.
    :ivar used: it has answered a request.
    """

    def __init__(self, target: Any, clock: Any, idle_timeout: float, linger: float = LINGER) -> None:
        """
        :param clock: an `IReactorTime`.
        :param idle_timeout: seconds without a byte on a stream until it is given up.
        :param linger: seconds that it waits for the next request.
        """
        super().__init__(clock)
        self.target = target
        self.dialled = 0.0
        self.used = False
        self.idle_timeout = idle_timeout
        self._linger = linger
        self._owner: Any = None
        self._limit = MAX_STREAMS
        self._broken_off = 0
        self._touched: dict[HTTP2Exchange, None] = {}
        self._unsettled: list[HTTP2Exchange] = []
        self._pulse: Any = None

    # -- for whoever shares it out

    def owned_by(self, owner: Any) -> None:
        """
        From now on it may be used. What it says at first leaves with the first request, if there is one.

        :param owner: its ``has_room(connection)`` is called when there may be room for more requests, its
            ``has_gone(connection)``, once, when there never will be.
        """
        self._owner = owner
        owner.has_room(self)
        self.flush()
        if self.going:
            self._leave_owner()

    @property
    def capacity(self) -> int:
        """How many requests it takes at a time, as far as that is known."""
        return min(MAX_STREAMS, self._peer_streams)

    def expect(self, capacity: int) -> None:
        """
        Until the service has said how many requests it takes, assume this.
        """
        if not self.settled:
            self._peer_streams = capacity

    @property
    def room(self) -> int:
        """How many requests it takes."""
        return 0 if self.going else min(self._limit, self._peer_streams) - len(self.streams) - len(self._unsettled)

    def exchange(self) -> HTTP2Exchange:
        """:return: for one request; it counts from its start on."""
        return HTTP2Exchange(self)

    def retire(self) -> None:
        """Take no more requests, and close when those that are there are answered."""
        self.going = True
        self._leave_owner()
        if not self.streams and not self._unsettled:
            self._close()

    def _leave_owner(self) -> None:
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.has_gone(self)

    # -- the transport

    def makeConnection(self, transport: Any) -> None:
        """IProtocol."""
        self.attach(transport)
        self._pulse = Pulse(self._clock, self._linger, self._ask, self._dead, self._close)

    def connectionMade(self) -> None:
        """IProtocol."""

    def batchReceived(self, buffers: list[Any]) -> None:
        """IBatchReceiver."""
        self.dataReceived(b"".join(buffers))

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        if self._gone:
            return
        self._pulse.heard()
        broken: ConnectionBroken | None = None
        before = self.cork()
        try:
            self.receive(data)
            self.check_reader()
        except ConnectionBroken as error:
            broken = error
        except Exception:
            _log.failure("a connection to a service failed")
            broken = ConnectionBroken(h2.INTERNAL_ERROR, "a defect of ours")
        self._hand_over()
        if broken is not None:
            self._break(broken)
        self.uncork(before)

    def _hand_over(self) -> None:
        """Give the visitors what has come for them."""
        while self._touched:
            touched, self._touched = self._touched, {}
            for exchange in touched:
                exchange.hand_over()

    # -- streams

    def touched(self, exchange: HTTP2Exchange) -> None:
        """There is something to hand over, when everything that came with it was read."""
        self._touched[exchange] = None

    def start(self, exchange: HTTP2Exchange, block: bytes, end: bool) -> None:
        """
        Send the head of a request.

        :raises TunnelLost: the connection is no longer there.
        """
        if self._gone:
            raise TunnelLost()
        if self.settled:
            self._pulse.busy()
        self.begin(exchange, block, end)
        if self._last >= h2.MAX_STREAM_ID:
            self.retire()

    def wait_for_settings(self, exchange: HTTP2Exchange) -> None:
        """Have its ``settled`` called as soon as the service has told its settings."""
        self._unsettled.append(exchange)

    def break_off(self, exchange: HTTP2Exchange, code: int) -> None:
        """End a stream that is not complete."""
        if exchange in self._unsettled:
            self._unsettled.remove(exchange)
        elif exchange.id and not self._gone:
            self.put(h2.reset(exchange.id, code))
            if code != h2.NO_ERROR:
                self._broken_off += 1
        self.done(exchange)
        if self._broken_off > MAX_BROKEN_OFF and not self.going:
            self.retire()

    def refused(self) -> None:
        """The service had no room for a request: give it fewer at a time, and more again as it answers."""
        self._limit = max(1, min(self._limit, len(self.streams)))

    def answered(self) -> None:
        """A request was answered to its end."""
        self.used = True
        self._limit = min(self._limit + 1, MAX_STREAMS)

    def done(self, exchange: HTTP2Exchange) -> None:
        """A stream is over."""
        self.streams.pop(exchange.id, None)
        self._senders.pop(exchange, None)
        exchange.id = 0
        if self._gone:
            return
        if self._owner is not None:
            self._owner.has_room(self)
        if not self.streams and not self._unsettled:
            if self.going or not self._linger:
                self._close()
            elif self.settled:
                self._pulse.resting()
        self.flush()

    # -- what the service says

    def answer_moved(self) -> None:
        """Session."""
        self._pulse.moved = True

    def settings_changed(self) -> None:
        """Session."""
        waiting, self._unsettled = self._unsettled, []
        for exchange in waiting:
            exchange.settled()
        if self.streams:
            self._pulse.busy()
        else:
            self._pulse.resting()
        if self._owner is not None:
            self._owner.has_room(self)

    def service_goes(self, code: int) -> None:
        """Session."""
        if code != h2.NO_ERROR:
            _log.debug("a service ends its connection: {code}", code=h2.code_name(code))
        self.retire()

    # -- its end

    def _ask(self) -> None:
        """Is anybody there?"""
        self.put(h2.ping(bytes(8)))
        self.flush()

    def _dead(self) -> None:
        """Nobody is."""
        self._lose(UpstreamTimeout())

    def _close(self) -> None:
        """Say goodbye, and close after what was written."""
        if self._gone:
            return
        self.going = True
        self._leave_owner()
        self.put(h2.goaway(h2.NO_ERROR))
        self._write()
        self._gone = True
        self._pulse.stop()
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def _break(self, broken: ConnectionBroken) -> None:
        """The service does not keep to the protocol."""
        _log.debug("invalid HTTP/2: {error}", error=str(broken))
        sentence = None
        if broken.code == h2.HTTP_1_1_REQUIRED:
            sentence = "The local service speaks HTTP/1.1, and not HTTP/2 as it was said to."
        self.put(h2.goaway(broken.code))
        self._write()
        self._lose(UpstreamInvalid(sentence))

    def _lose(self, error: EdgeError) -> None:
        """Break the connection."""
        if self._gone:
            return
        self.transport.unregisterProducer()
        self._end(error)
        (getattr(self.transport, "abortConnection", None) or self.transport.loseConnection)()

    def _end(self, error: EdgeError | None) -> None:
        """
        There is no connection any more.

        :param error: why; ``None`` if the service has just gone.
        """
        self._gone = self.going = True
        self._pulse.stop()
        self._senders.clear()
        self._out.clear()
        self._leave_owner()
        exchanges = (*self.streams.values(), *self._unsettled)
        self.streams.clear()
        self._unsettled.clear()
        for exchange in exchanges:
            exchange.lost(error)

    def readConnectionLost(self) -> None:
        """IHalfCloseableProtocol."""
        transport = self.transport
        self.connectionLost(Failure(ConnectionDone()))
        transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """IHalfCloseableProtocol."""

    def connectionLost(self, reason: Failure) -> None:
        """IProtocol."""
        if not self._gone:
            self._end(None)
