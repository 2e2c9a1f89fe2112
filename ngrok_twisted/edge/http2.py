"""
`HTTP2Connection`: the HTTP/2 server side of one connection (RFC 9113).

It has frames cut and read, gives each request a stream of its own (`ngrok_twisted.edge.http2_stream`), and knows when the
connection has to end: politely, in two steps, so that no request is lost; or at once, when the visitor breaks the protocol or
wears everybody out.
"""

from __future__ import annotations

from typing import Any, Callable

from h2 import events
from h2.exceptions import ProtocolError
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.edge.http2_engine import CONNECTION_WINDOW, Engine
from ngrok_twisted.edge.http2_head import parse_request, parse_trailers
from ngrok_twisted.edge.http2_output import Output
from ngrok_twisted.edge.http2_patience import BYTES_FOR_ONE, FRAME, RESET, Patience, cost_of
from ngrok_twisted.edge.http2_reading import VisitorFrames
from ngrok_twisted.edge.http2_receiving import Windows
from ngrok_twisted.edge.http2_stream import HTTP2Stream
from ngrok_twisted.edge.site import Site
from ngrok_twisted.errors import EdgeError, HeaderTooLarge
from ngrok_twisted.net.timeouts import SECONDS, IdleWatch
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.http2_frames import MAX_STREAM_ID, ConnectionBroken
from ngrok_twisted.upstream.syntax import Fields, MalformedMessage

# For a visitor to say that it has read our settings; it does so as soon as it hears from us (RFC 9113 section 6.5.3).
SETTINGS_TIMEOUT = 30 * SECONDS

# For the answer to a ping, which tells a visitor who has nothing to say from one who is gone.
PING_TIMEOUT = 20 * SECONDS

# How long requests may still come after the first GOAWAY if the visitor does not answer the ping that went with it.
GOAWAY_PATIENCE = 2 * SECONDS

# What is in our pings.
_DRAINING, _ALIVE = b"draining", b"alive???"

_OPEN, _LINGER, _GONE = range(3)


@implementer(IHalfCloseableProtocol, IPushProducer)
class HTTP2Connection:
    """
    One visitor's connection.

    :ivar site: the `Site` it arrived at.
    :ivar transport: the visitor's.
    :ivar engine: h2.
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
        self.streams: dict[int, HTTP2Stream] = {}
        self.peer = ("", 0)
        self.opened_at = 0.0
        self._reader = VisitorFrames(limits.head_bytes)
        self._patience = Patience(site.clock)
        self._state = _OPEN
        self._fresh = True
        self._unread = 0  # bytes that the visitor may send again, not told yet
        self._pinged = False
        self._last_stream = MAX_STREAM_ID  # later ones are not looked at
        self._leaving = False  # it closes with its last stream
        self._linger_left = 0
        self._watch: Any = None
        self._settings_watch: Any = None
        self._drain_watch: Any = None

    # -- the connection

    def makeConnection(self, transport: Any) -> None:
        """IProtocol."""
        clock, limits = self.site.clock, self.site.limits
        self.transport = transport
        self.opened_at = clock.seconds()
        peer = transport.getPeer()
        self.peer = (getattr(peer, "host", ""), getattr(peer, "port", 0))
        self.output = Output(self.engine, transport, clock, self._patience)
        self._watch = IdleWatch(clock, limits.first_head, self._idle)
        self._settings_watch = IdleWatch(clock, SETTINGS_TIMEOUT, self._no_settings)
        transport.registerProducer(self, True)
        transport.write(self.engine.greeting())
        self.connectionMade()

    def connectionMade(self) -> None:
        """IProtocol."""

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        if self._state == _LINGER:
            self._linger_left -= len(data)
            if self._linger_left < 0:
                self.abort()
            return
        try:
            for frame in self._reader.feed(data):
                self._frame(*frame)
                if self._state != _OPEN:
                    return
        except ConnectionBroken as offence:
            self._offended(offence.code, str(offence))
        except ProtocolError as error:
            self._offended(error.error_code, str(error))
        else:
            self.output.run()
            self.output.flush()
            self._close_if_done()

    def readConnectionLost(self) -> None:
        """IHalfCloseableProtocol. Nothing can be answered to a visitor that does not open windows any more, but in windows."""
        if self._state == _LINGER or not self.streams:
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
        self._state = _GONE
        self._stop_watches()
        self._lose_streams(reason)

    def pauseProducing(self) -> None:
        """IPushProducer: the visitor does not take what was written."""
        self.output.full = True

    def resumeProducing(self) -> None:
        """IPushProducer."""
        if self._state == _OPEN:
            self.output.full = False
            self.touched()
            self.output.run()

    def stopProducing(self) -> None:
        """IPushProducer: the transport is gone; `connectionLost` follows."""

    @property
    def arriving(self) -> bool:
        """Whether the first request is still to come."""
        return self._fresh and self._state == _OPEN

    def abort(self) -> None:
        """Break the connection, with all that is in flight."""
        abort = getattr(self.transport, "abortConnection", None) or self.transport.loseConnection
        abort()

    # -- frames

    def _frame(self, kind: int, flags: int, stream_id: int, payload: Any) -> None:
        cost = cost_of(kind, flags, len(payload))
        if kind == h2.DATA and stream_id not in self.streams:
            cost = FRAME
        elif kind == h2.RST_STREAM and stream_id in self.streams:
            cost = RESET
        if cost and not self._patience.spend(cost):
            raise ConnectionBroken(h2.ENHANCE_YOUR_CALM, "too many frames that do nothing")
        if kind == h2.GOAWAY:
            self._goaway_came(stream_id, payload)
            return
        head = h2.frame_head(kind, flags, stream_id, len(payload))
        for event in self.engine.receive_data(b"".join((head, payload))):
            react = _REACTIONS.get(event.__class__)
            if react is not None:
                react(self, event)

    def _request_came(self, event: Any) -> None:
        stream_id, blocks = event.stream_id, self.engine.blocks
        ended = event.stream_ended is not None
        late = stream_id > self._last_stream
        if late or len(self.streams) >= self.site.limits.streams:
            if not late:
                self._provoked()
            self.engine.reset_stream(stream_id, h2.REFUSED_STREAM)
            return
        self._arrived()
        stream = HTTP2Stream(self, stream_id, self.engine.streams[stream_id])
        stream.ended = ended
        try:
            if blocks.excess:
                raise HeaderTooLarge()
            head = parse_request(blocks.fields, ended)
        except MalformedMessage as error:
            self._malformed(stream_id, error)
        except EdgeError as error:
            self.streams[stream_id] = stream
            stream.refuse(error)
        else:
            self.streams[stream_id] = stream
            stream.start(head, ended)

    def _malformed(self, stream_id: int, error: Exception) -> None:
        self._log.debug("malformed request from {peer}: {error}", peer=self.peer[0], error=str(error))
        self._provoked()
        self.engine.reset_stream(stream_id, h2.PROTOCOL_ERROR)

    def _provoked(self) -> None:
        """The visitor made us reset a stream."""
        if not self._patience.spend(RESET):
            raise ConnectionBroken(h2.ENHANCE_YOUR_CALM, "too many requests that come to nothing")

    def _arrived(self) -> None:
        """A head is complete: from now on the idle timeout counts."""
        if self._fresh:
            self._fresh = False
            self._watch.change(self.site.limits.idle)
        else:
            self._watch.touch()

    def _data_came(self, event: Any) -> None:
        size = event.flow_controlled_length or 0
        self._patience.earn(len(event.data) / BYTES_FOR_ONE)
        self._unread += size
        if 2 * self._unread >= CONNECTION_WINDOW:
            self.engine.increment_flow_control_window(self._unread)
            self._unread = 0
        stream = self.streams.get(event.stream_id)
        if stream is not None:
            stream.data_came(event.data, size)

    def _trailers_came(self, event: Any) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is None:
            return
        try:
            if self.engine.blocks.excess:
                raise MalformedMessage("too many trailers")
            trailers: Fields = parse_trailers(self.engine.blocks.fields)
        except MalformedMessage:
            self._provoked()
            stream.reset(h2.PROTOCOL_ERROR)
        else:
            stream.end_came(trailers)

    def _end_came(self, event: Any) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is not None:
            stream.end_came([])

    def _reset_came(self, event: Any) -> None:
        """The visitor has reset a stream, or made h2 do it."""
        if not event.remote_reset:
            self._provoked()
        stream = self.streams.get(event.stream_id)
        if stream is not None:
            stream.lost(Failure(ConnectionDone()))

    def _window_came(self, event: Any) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is not None:
            stream.window_opened()

    def _settings_came(self, event: Any) -> None:
        for stream in self.streams.values():
            stream.window_opened()

    def _settings_read(self, event: Any) -> None:
        self._settings_watch.stop()

    def _ping_answered(self, event: Any) -> None:
        if event.ping_data == _DRAINING:
            self._say_last()
        elif self._pinged:
            self._pinged = False
            self._watch.change(self.site.limits.idle)

    def _goaway_came(self, stream_id: int, payload: Any) -> None:
        """The visitor takes its leave: what is in flight goes on (RFC 9113 section 6.8)."""
        if stream_id:
            raise ConnectionBroken(h2.PROTOCOL_ERROR, "a GOAWAY of a stream")
        h2.read_goaway(payload)
        self._leaving = True

    # -- what streams tell

    def answered(self) -> None:
        """A response is out."""
        self._patience.earn(RESET)

    def touched(self) -> None:
        """Something moved."""
        self._watch.touch()

    def stream_gone(self, stream: HTTP2Stream) -> None:
        """A stream has ended."""
        self.streams.pop(stream.id, None)
        if not self.streams:
            self.engine.sweep()
            self._watch.touch()
            self._close_if_done()

    # -- ends

    def shut_down(self) -> None:
        """
        Take no more requests, politely: the visitor is told so, and what it sent before it knew is answered too.
        """
        if self._state != _OPEN or self._drain_watch is not None:
            return
        self._drain_watch = IdleWatch(self.site.clock, GOAWAY_PATIENCE, self._say_last)
        self.engine.ping(_DRAINING)
        self.output.write((self.engine.goaway(MAX_STREAM_ID),))

    def _say_last(self) -> None:
        """The second step: everything that the visitor sent before it knew is here."""
        if self._state != _OPEN or self._last_stream != MAX_STREAM_ID:
            return
        self._drain_watch.stop()
        self._last_stream = self.engine.highest_inbound_stream_id
        self.output.write((self.engine.goaway(self._last_stream),))
        self._leaving = True
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._leaving and not self.streams and self._state == _OPEN:
            self._say_goodbye(h2.NO_ERROR, "")

    def _offended(self, code: int, why: str) -> None:
        """The visitor broke the protocol: everything on the connection ends."""
        self._log.debug("HTTP/2 from {peer}: {why}", peer=self.peer[0], why=why)
        self._say_goodbye(code, why)
        self._lose_streams(Failure(ConnectionDone()))

    def _say_goodbye(self, code: int, why: str) -> None:
        """Say GOAWAY, and close so that it can be read."""
        if self._state != _OPEN:
            return
        self.engine.clear_outbound_data_buffer()
        self.output.write((self.engine.goaway(self.engine.highest_inbound_stream_id, code, why),))
        self._state = _LINGER
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
        self._state = _LINGER
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
            self.engine.ping(_ALIVE)
            self.output.flush()
            self._watch.change(PING_TIMEOUT)

    def _no_settings(self) -> None:
        self._offended(h2.SETTINGS_TIMEOUT, "the settings were not acknowledged")


_REACTIONS: dict[type, Callable[[HTTP2Connection, Any], None]] = {
    events.RequestReceived: HTTP2Connection._request_came,
    events.DataReceived: HTTP2Connection._data_came,
    events.TrailersReceived: HTTP2Connection._trailers_came,
    events.StreamEnded: HTTP2Connection._end_came,
    events.StreamReset: HTTP2Connection._reset_came,
    events.WindowUpdated: HTTP2Connection._window_came,
    events.RemoteSettingsChanged: HTTP2Connection._settings_came,
    events.SettingsAcknowledged: HTTP2Connection._settings_read,
    events.PingAckReceived: HTTP2Connection._ping_answered,
}
