"""
`HTTP2Connection`: the HTTP/2 server side of one connection (RFC 9113).

It has frames cut and read, and gives each request a stream of its own (`ngrok_twisted.edge.http2_stream`). How the connection
begins and ends is in `ngrok_twisted.edge.http2_life`.
"""

from __future__ import annotations

from typing import Any, Callable

from h2 import events
from h2.exceptions import ProtocolError
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from ngrok_twisted.edge.http2_head import parse_request, parse_trailers
from ngrok_twisted.edge.http2_life import LINGER, OPEN, ConnectionLife
from ngrok_twisted.edge.http2_patience import BYTES_FOR_ONE, FRAME, RESET, cost_of, cost_of_head
from ngrok_twisted.edge.http2_reading import VisitorFrames
from ngrok_twisted.edge.http2_stream import HTTP2Stream
from ngrok_twisted.edge.site import Site
from ngrok_twisted.errors import EdgeError, HeaderTooLarge
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.http2_frames import ConnectionBroken
from ngrok_twisted.upstream.syntax import Fields, MalformedMessage


class HTTP2Connection(ConnectionLife):
    """
    One visitor's connection.
    """

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._reader = VisitorFrames(site.limits.head_bytes)
        self._in_block = False  # a header block has begun and not ended

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        if self._state == LINGER:
            self._linger_left -= len(data)
            if self._linger_left < 0:
                self.abort()
            return
        try:
            for frame in self._reader.feed(data):
                self._frame(*frame)
                if self._state != OPEN:
                    return
        except ConnectionBroken as offence:
            self._offended(offence.code, str(offence))
        except ProtocolError as error:
            self._offended(error.error_code, str(error))
        else:
            self.output.run()
            self.output.flush()
            self.turn_deaf()
            self._close_if_done()

    # -- frames

    def _frame(self, kind: int, flags: int, stream_id: int, payload: Any) -> None:
        cost = cost_of(kind, flags, len(payload))
        stream = self.streams.get(stream_id)
        if stream is None and (kind == h2.DATA or (kind == h2.HEADERS and self._is_over(stream_id))):
            cost = FRAME
        elif kind == h2.RST_STREAM and stream is not None:
            cost = RESET
        if cost and not self._patience.spend(cost):
            raise ConnectionBroken(h2.ENHANCE_YOUR_CALM, "too many frames that do nothing")
        if self._in_block:
            pass  # nothing else may come now: h2 says so
        elif kind == h2.DATA and stream is not None and not stream.ended:
            self._data_came(stream, flags, payload)
            return
        elif kind == h2.WINDOW_UPDATE and (stream is not None or not stream_id):
            self._window_came(stream, payload)
            return
        elif kind == h2.GOAWAY:
            self._goaway_came(stream_id, payload)
            return
        self._in_block = kind in (h2.HEADERS, h2.CONTINUATION) and not flags & h2.END_HEADERS
        head = h2.frame_head(kind, flags, stream_id, len(payload))
        for event in self.engine.receive_data(b"".join((head, payload))):
            react = _REACTIONS.get(event.__class__)
            if react is not None:
                react(self, event)

    def _is_over(self, stream_id: int) -> bool:
        """Whether a head on a stream that is not open begins none."""
        return stream_id <= self.engine.highest_inbound_stream_id or stream_id > self._last_stream

    def _request_came(self, event: Any) -> None:
        stream_id, blocks = event.stream_id, self.engine.blocks
        if not self._patience.spend(cost_of_head(blocks.unpacked)):
            raise ConnectionBroken(h2.ENHANCE_YOUR_CALM, "heads that are much longer than what was sent")
        ended = event.stream_ended is not None
        late = stream_id > self._last_stream
        if late or len(self.streams) >= self.site.limits.streams:
            if not late:
                self.provoked()
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
        self.provoked()
        self.engine.reset_stream(stream_id, h2.PROTOCOL_ERROR)

    def provoked(self) -> None:
        """
        The visitor made us reset a stream.

        :raises ConnectionBroken: once too often.
        """
        if not self._patience.spend(RESET):
            raise ConnectionBroken(h2.ENHANCE_YOUR_CALM, "too many requests that come to nothing")

    def _arrived(self) -> None:
        """A head is complete: from now on the idle timeout counts."""
        if self._fresh:
            self._fresh = False
            self._watch.change(self.site.limits.idle)
        else:
            self._watch.touch()

    def _data_came(self, stream: HTTP2Stream, flags: int, payload: Any) -> None:
        size = len(payload)
        more = self.windows.came(size)
        if more:
            self.output.soon(h2.window_update(0, more))
        data = h2.without_padding(flags, payload)
        self._patience.earn(len(data) / BYTES_FOR_ONE)
        stream.data_came(data, size)
        if flags & h2.END_STREAM and stream.id in self.streams:
            self.engine.end_came(stream.state)
            stream.end_came([])

    def _late_data_came(self, event: Any) -> None:
        """For a stream that nobody knows any more: h2 gives the connection's window back."""
        self.engine.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)

    def _window_came(self, stream: HTTP2Stream | None, payload: Any) -> None:
        size = h2.read_number(h2.WINDOW_UPDATE, payload)
        if self.engine.window_came(None if stream is None else stream.state, size):
            if stream is not None:
                stream.window_opened()
            return
        code = h2.FLOW_CONTROL_ERROR if size else h2.PROTOCOL_ERROR
        if stream is None:
            raise ConnectionBroken(code, "a window that cannot be")
        stream.reset(code)
        self.provoked()

    def _trailers_came(self, event: Any) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is None:
            return
        try:
            if self.engine.blocks.excess:
                raise MalformedMessage("too many trailers")
            trailers: Fields = parse_trailers(self.engine.blocks.fields)
        except MalformedMessage:
            self.provoked()
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
            self.provoked()
        stream = self.streams.get(event.stream_id)
        if stream is not None:
            stream.lost(Failure(ConnectionDone()))

    def _settings_came(self, event: Any) -> None:
        for stream in self.streams.values():
            stream.window_opened()

    def _settings_read(self, event: Any) -> None:
        self._settings_watch.stop()


_REACTIONS: dict[type, Callable[[HTTP2Connection, Any], None]] = {
    events.RequestReceived: HTTP2Connection._request_came,
    events.DataReceived: HTTP2Connection._late_data_came,
    events.TrailersReceived: HTTP2Connection._trailers_came,
    events.StreamEnded: HTTP2Connection._end_came,
    events.StreamReset: HTTP2Connection._reset_came,
    events.RemoteSettingsChanged: HTTP2Connection._settings_came,
    events.SettingsAcknowledged: HTTP2Connection._settings_read,
    events.PingAckReceived: HTTP2Connection._ping_answered,
}
