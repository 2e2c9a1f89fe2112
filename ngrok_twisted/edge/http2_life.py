"""
`ConnectionLife`: how an HTTP/2 connection begins, rests and ends.

It ends politely, in two steps, so that no request is lost; or at once, when the visitor breaks the protocol or wears everybody
out. Either way it says so, and gives the visitor a moment to read it.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.edge.http2_engine import Engine
from ngrok_twisted.edge.http2_output import Output
from ngrok_twisted.edge.http2_patience import RESET, Patience
from ngrok_twisted.edge.http2_receiving import Windows
from ngrok_twisted.edge.site import Site
from ngrok_twisted.net.timeouts import SECONDS, IdleWatch
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.http2_frames import MAX_STREAM_ID, Frame
from ngrok_twisted.upstream.syntax import KILOBYTE

# For a visitor to say that it has read our settings; it does so as soon as it hears from us (RFC 9113 section 6.5.3).
SETTINGS_TIMEOUT = 30 * SECONDS

# For the answer to a ping, which tells a visitor who has nothing to say from one who is gone.
PING_TIMEOUT = 20 * SECONDS

# How long requests may still come after the first GOAWAY if the visitor does not answer the ping that went with it.
GOAWAY_PATIENCE = 2 * SECONDS

# What may be written to a visitor that takes nothing: the heads of what it has asked for already.
OVERDUE_BYTES = 64 * KILOBYTE

# What is in our pings.
_DRAINING, _ALIVE = b"draining", b"alive???"

OPEN, LINGER, GONE = range(3)


@implementer(IHalfCloseableProtocol, IPushProducer)
class ConnectionLife:
    """
    One visitor's connection.

    :ivar site: the `Site` it arrived at.
    :ivar transport: the visitor's.
    :ivar engine: the `Engine`.
    :ivar output: what goes out.
    :ivar windows: what streams may have beyond their usual windows.
    :ivar streams: those that are open, by number.
    :ivar peer: the visitor's address and port.
    :ivar opened_at: when it came, in seconds on the clock.
    """

    _log = Logger()

    output: Output

    def __init__(self, site: Site) -> None:
        limits = site.limits
        self.site = site
        self.transport: Any = None
        self.engine = Engine(limits.streams, limits.fields, limits.head_bytes)
        self.windows = Windows()
        self.streams: dict[int, Any] = {}
        self.peer = ("", 0)
        self.opened_at = 0.0
        self._patience = Patience(site.clock)
        self._state = OPEN
        self._fresh = True
        self._pinged = False
        self._unheard = False  # the visitor does not read what it is told
        self._listening = True
        self._waiting: Iterator[Frame] | None = None  # frames for the next turn
        self._next_turn: Any = None
        self._last_stream = MAX_STREAM_ID  # later ones are not looked at
        self._leaving = False  # it closes with its last stream
        self._linger_left = 0
        self._watch: Any = None
        self._settings_watch: Any = None
        self._drain_watch: Any = None

    @property
    def lingering(self) -> bool:
        """Whether all is answered, and nothing comes any more: only the visitor's end of the connection is waited for."""
        return self._state == LINGER and self._linger_left == self.site.limits.linger_bytes

    # -- the connection

    def makeConnection(self, transport: Any) -> None:
        """IProtocol."""
        clock, limits = self.site.clock, self.site.limits
        self.transport = transport
        self.opened_at = clock.seconds()
        peer = transport.getPeer()
        self.peer = (getattr(peer, "host", ""), getattr(peer, "port", 0))
        self.output = Output(self.engine, transport, clock, self._patience, self.streams)
        self._watch = IdleWatch(clock, limits.first_head, self._idle)
        self._settings_watch = IdleWatch(clock, SETTINGS_TIMEOUT, self._no_settings)
        transport.registerProducer(self, True)
        transport.write(self.engine.greeting())
        self.connectionMade()

    def connectionMade(self) -> None:
        """IProtocol."""

    def readConnectionLost(self) -> None:
        """IHalfCloseableProtocol. The visitor sends nothing more; what it has asked for whole may still be answered."""
        while self._next_turn is not None:
            self._next_turn.cancel()
            self._go_on()
        if self._state == LINGER or not self.streams:
            self._lose()
        else:
            self._leaving = True
            for stream in tuple(self.streams.values()):
                if not stream.ended:
                    stream.lost(Failure(ConnectionDone()))
            self._close_if_done()

    def writeConnectionLost(self) -> None:
        """IHalfCloseableProtocol."""

    def connectionLost(self, reason: Failure) -> None:
        """IProtocol."""
        self._state = GONE
        self._stop_waiting()
        self._stop_watches()
        self._lose_streams(reason)

    def pauseProducing(self) -> None:
        """IPushProducer: the visitor does not take what was written."""
        self.output.full = True

    def resumeProducing(self) -> None:
        """IPushProducer."""
        if self._state == OPEN:
            self.output.full = False
            self.output.overdue = 0
            self._unheard = False
            self._listen()
            self.touched()
            self.output.run()

    def turn_deaf(self) -> None:
        """A visitor that takes nothing and asks for more and more is not listened to until it does."""
        if self.output.overdue > OVERDUE_BYTES:
            self._unheard = True
            self._listen()

    def _listen(self) -> None:
        """Read what the visitor sends, or leave it on the way: whichever is right now."""
        listening = self._state != OPEN or not (self._unheard or self._waiting)
        if listening != self._listening and self._state != GONE:
            self._listening = listening
            if listening:
                self.transport.resumeProducing()
            else:
                self.transport.pauseProducing()

    def _wait(self, frames: Iterator[Frame]) -> None:
        """Go on with what has come when others had their turn."""
        self._waiting = frames
        self._next_turn = self.site.clock.callLater(0, self._go_on)
        self._listen()

    def _go_on(self) -> None:
        frames, self._waiting, self._next_turn = self._waiting, None, None
        self._read(frames)
        self._listen()

    def _stop_waiting(self) -> None:
        """What has come does not matter any more."""
        if self._next_turn is not None:
            self._next_turn.cancel()
            self._next_turn = self._waiting = None

    def _read(self, frames: Any) -> None:
        """Do what frames say."""
        raise NotImplementedError

    def stopProducing(self) -> None:
        """IPushProducer: the transport is gone; `connectionLost` follows."""

    @property
    def arriving(self) -> bool:
        """Whether the first request is still to come."""
        return self._fresh and self._state == OPEN

    def abort(self) -> None:
        """Break the connection, with all that is in flight."""
        abort = getattr(self.transport, "abortConnection", None) or self.transport.loseConnection
        abort()

    def _ping_answered(self, payload: bytes) -> None:
        if payload == _DRAINING and self._drain_watch is not None:
            self._say_last()
        elif self._pinged:
            self._pinged = False
            self._watch.change(self.site.limits.idle)

    # -- what streams tell

    def answered(self) -> None:
        """A response is out."""
        self._patience.earn(RESET)

    def touched(self) -> None:
        """Something moved."""
        self._watch.touch()

    def stream_gone(self, stream: Any) -> None:
        """A stream has ended."""
        self.streams.pop(stream.id, None)
        if not self.streams:
            self._watch.touch()
            self._close_if_done()

    # -- ends

    def shut_down(self) -> None:
        """
        Take no more requests, politely: the visitor is told so, and what it sent before it knew is answered too.
        """
        if self._state != OPEN or self._drain_watch is not None:
            return
        self._drain_watch = IdleWatch(self.site.clock, GOAWAY_PATIENCE, self._say_last)
        self.output.write((h2.ping(_DRAINING), self.engine.goaway(MAX_STREAM_ID)))

    def _say_last(self) -> None:
        """The second step: everything that the visitor sent before it knew is here."""
        if self._state != OPEN or self._last_stream != MAX_STREAM_ID:
            return
        self._drain_watch.stop()
        self._last_stream = self.engine.highest
        self.output.write((self.engine.goaway(self._last_stream),))
        self._leaving = True
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._leaving and not self.streams and self._waiting is None and self._state == OPEN:
            self._say_goodbye(h2.NO_ERROR, "")

    def _offended(self, code: int, why: str) -> None:
        """The visitor broke the protocol: everything on the connection ends."""
        self._log.debug("HTTP/2 from {peer}: {why}", peer=self.peer[0], why=why)
        self._say_goodbye(code, why)
        self._lose_streams(Failure(ConnectionDone()))

    def _say_goodbye(self, code: int, why: str) -> None:
        """Say GOAWAY, and close so that it can be read."""
        if self._state != OPEN:
            return
        self.output.soon(self.engine.goaway(self.engine.highest, code, why))
        self.output.release()
        self._state = LINGER
        self._stop_waiting()
        self._listen()
        self._stop_watches()
        self._linger_left = self.site.limits.linger_bytes
        self.transport.unregisterProducer()
        half_close: Callable[[], None] | None = getattr(self.transport, "loseWriteConnection", None)
        if half_close is None:
            self._lose()
        else:
            self._watch = IdleWatch(self.site.clock, self.site.limits.linger, self._lose)
            half_close()

    def _lose(self) -> None:
        """Close, and insist after a while if the visitor does not take the last bytes."""
        if self._state == OPEN:
            self._state = LINGER
            self.output.release()
            self.transport.unregisterProducer()
        self._stop_watches()
        self._watch = IdleWatch(self.site.clock, self.site.limits.idle, self.abort)
        self.transport.loseConnection()

    def _lose_streams(self, reason: Failure) -> None:
        self.output.stop()
        for stream in tuple(self.streams.values()):
            stream.lost(reason)

    def _stop_watches(self) -> None:
        for watch in (self._watch, self._settings_watch, self._drain_watch):
            if watch is not None:
                watch.stop()

    # -- time

    def _idle(self) -> None:
        """Nothing moved for as long as may be."""
        if self.output.full or self._pinged:
            self.abort()
        elif not self.streams:
            self._say_goodbye(h2.NO_ERROR, "")
        else:
            self._pinged = True
            self.output.write((h2.ping(_ALIVE),))
            self._watch.change(PING_TIMEOUT)

    def _no_settings(self) -> None:
        self._offended(h2.SETTINGS_TIMEOUT, "the settings were not acknowledged")
