"""
`Session`: what a client of HTTP/2 knows of one connection (RFC 9113): the streams on it, the windows, what the service has
asked for. It reads frames and gathers what is to be sent; it does no I/O.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.http2_blocks import Block, HeaderBlocks
from ngrok_twisted.upstream.http2_frames import ConnectionBroken, FrameReader, StreamBroken
from ngrok_twisted.upstream.http2_hpack import MAX_LIST, NO_TABLE
from ngrok_twisted.upstream.syntax import KILOBYTE

MEGABYTE = 1024 * KILOBYTE

#: Bytes that a service may send on one stream before the visitor has taken any, at first; and if he takes them fast, see
#: `ngrok_twisted.net.windows`: 10 MB/s over 100 ms.
STREAM_WINDOW = 256 * KILOBYTE
MOST_STREAM_WINDOW = 1 * MEGABYTE

#: Bytes on the way to us on all streams. It is opened again as soon as they are here, so that a stream whose visitor is slow
#: takes nothing from the others.
CONNECTION_WINDOW = 16 * MEGABYTE

#: Streams that a service is given before it has said how many it takes. Nearly all take more, and say so at once.
STREAMS_AT_FIRST = 10

#: Frames of a header block: one more than the largest block has. And its bytes, with what stands before each of them.
MAX_BLOCK_FRAMES = MAX_LIST // h2.FRAME + 1
MAX_BLOCK = MAX_BLOCK_FRAMES * (h2.FRAME + h2.FRAME_HEAD)

#: Frames in a row, or in a second, that move no message on: settings, pings, empty ones, those for streams that are over.
#: A window is opened twice for each frame of a body, which is counted against them.
MAX_OTHER_FRAMES = 2000

#: How many frames of theirs one that we send may bring about.
_CAUSED = 4

_SETTINGS = {
    h2.HEADER_TABLE_SIZE: 0,
    h2.ENABLE_PUSH: 0,
    h2.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
    h2.MAX_HEADER_LIST_SIZE: MAX_LIST,
}

_HELLO = h2.PREFACE + h2.settings_frame(_SETTINGS) + h2.window_update(0, CONNECTION_WINDOW - h2.DEFAULT_WINDOW)


class Session:
    """
    The half of a connection that reads.

    :ivar streams: `ngrok_twisted.upstream.http2.HTTP2Exchange` objects by the number of their stream.
    :ivar send_window: bytes that may still be sent on all streams together.
    :ivar settled: the service has told its settings.
    :ivar takes_websockets: it takes extended ``CONNECT`` (RFC 8441).
    :ivar going: no new streams are begun: one side wants to end the connection.
    """

    def __init__(self, clock: Any) -> None:
        """
        :param clock: an `IReactorTime`.
        """
        self.streams: dict[int, Any] = {}
        self.send_window = h2.DEFAULT_WINDOW
        self.settled = self.takes_websockets = self.going = False
        self._clock = clock
        self._reader = FrameReader()
        self._out: list[Any] = [_HELLO]
        self._out_bytes = len(_HELLO)
        self._first = True
        self._last = -1
        self._stream_window = h2.DEFAULT_WINDOW
        self._peer_streams = STREAMS_AT_FIRST
        self._room = CONNECTION_WINDOW
        self._blocks = HeaderBlocks(MAX_BLOCK, MAX_BLOCK_FRAMES)
        self._allowance = MAX_OTHER_FRAMES
        self._allowed_at = clock.seconds()

    def seconds(self) -> float:
        """The time."""
        now: float = self._clock.seconds()
        return now

    # -- what is sent

    def put(self, *parts: Any) -> None:
        """Have bytes sent with the next flush. They must stay as they are until then."""
        self._out += parts
        self._out_bytes += sum(map(len, parts))

    def begin(self, exchange: Any, block: bytes, end: bool) -> None:
        """
        Open a stream.

        :param exchange: it gets its ``id`` and its ``send_window``.
        :param block: the request's header block.
        :param end: the request has no body.
        """
        if self._last < 0:
            block = NO_TABLE + block
        self._last += 2
        exchange.id = self._last
        exchange.send_window = self._stream_window
        self.streams[self._last] = exchange
        self.put(*h2.header_frames(self._last, block, end, h2.FRAME))
        self._allowance = min(self._allowance + _CAUSED, MAX_OTHER_FRAMES)

    def send_data(self, exchange: Any, data: Any, end: bool) -> None:
        """
        :param data: of one frame at most, and within both windows.
        :param end: nothing follows.
        """
        size = len(data)
        exchange.send_window -= size
        self.send_window -= size
        self.put(h2.frame_head(h2.DATA, h2.END_STREAM if end else 0, exchange.id, size), data)
        self._allowance = min(self._allowance + _CAUSED, MAX_OTHER_FRAMES)

    # -- what is received

    def receive(self, data: bytes) -> None:
        """
        :raises ConnectionBroken: the connection cannot go on.
        """
        if self._first:
            self._look_at_first(data)
        for kind, flags, number, payload in self._reader.feed(data):
            if self._blocks.open and kind != h2.CONTINUATION:
                raise ConnectionBroken(h2.PROTOCOL_ERROR, "a header block is interrupted")
            if kind > h2.CONTINUATION:
                self._spend()
                continue
            try:
                _HANDLERS[kind](self, flags, number, payload)
            except StreamBroken as error:
                if number in self.streams:
                    self.streams[number].broken(error)
        self._credit()

    def _look_at_first(self, data: bytes) -> None:
        """A server begins with its settings (section 3.4)."""
        if data.startswith(b"HTTP/"):
            raise ConnectionBroken(h2.HTTP_1_1_REQUIRED, "the service speaks HTTP/1.1")
        if len(data) > 3 and data[3] != h2.SETTINGS:
            raise ConnectionBroken(h2.PROTOCOL_ERROR, "the service does not begin with its settings")
        self._first = False

    def _spend(self) -> None:
        """A frame that moves no message on."""
        self._allowance -= 1
        if self._allowance >= 0:
            return
        now = self._clock.seconds()
        if now - self._allowed_at < 1:
            raise ConnectionBroken(h2.ENHANCE_YOUR_CALM, "too many frames that say nothing")
        self._allowed_at = now
        self._allowance = MAX_OTHER_FRAMES

    def _stream(self, number: int) -> Any:
        """
        :return: the stream's exchange, or ``None`` if it is over.
        :raises ConnectionBroken: there was never such a stream.
        """
        exchange = self.streams.get(number)
        if exchange is None:
            if number > self._last or not number & 1:
                raise ConnectionBroken(h2.PROTOCOL_ERROR, "a stream that nobody has opened")
            self._spend()
        return exchange

    def _data(self, flags: int, number: int, payload: Any) -> None:
        size = len(payload)
        self._room -= size
        if self._room < 0:
            raise ConnectionBroken(h2.FLOW_CONTROL_ERROR, "more data than the window allows")
        exchange = self._stream(number)
        content = h2.without_padding(flags, payload)
        if exchange is None:
            return
        if content or flags & h2.END_STREAM:
            self.answer_moved()
        else:
            self._spend()
        exchange.content(content, size, bool(flags & h2.END_STREAM))

    def _credit(self) -> None:
        """Open the connection's window again, once half of it was used."""
        used = CONNECTION_WINDOW - self._room
        if used >= CONNECTION_WINDOW // 2:
            self._room = CONNECTION_WINDOW
            self.put(h2.window_update(0, used))

    def _headers(self, flags: int, number: int, payload: Any) -> None:
        self._stream(number)
        self._said(self._blocks.begun(flags, number, payload))

    def _continuation(self, flags: int, number: int, payload: Any) -> None:
        self._said(self._blocks.continued(flags, number, payload))

    def _said(self, whole: Block | None) -> None:
        """A head, or the fields behind a body, as soon as they are whole."""
        if whole is None:
            return
        number, flags, block = whole
        exchange = self.streams.get(number)
        if exchange is not None:
            self.answer_moved()
            exchange.fields(block, bool(flags & h2.END_STREAM))

    def _reset(self, flags: int, number: int, payload: Any) -> None:
        exchange = self._stream(number)
        code = h2.read_number(h2.RST_STREAM, payload)
        if exchange is not None:
            exchange.was_reset(code)

    def _settings(self, flags: int, number: int, payload: Any) -> None:
        self._spend()
        if number:
            raise ConnectionBroken(h2.PROTOCOL_ERROR, "SETTINGS of a stream")
        if flags & h2.ACK:
            if payload:
                raise ConnectionBroken(h2.FRAME_SIZE_ERROR, "SETTINGS of the wrong size")
            return
        settings = h2.read_settings(payload)
        if not self.settled:
            self._peer_streams = h2.MAX_STREAM_ID
            self.settled = True
        self._peer_streams = settings.get(h2.MAX_CONCURRENT_STREAMS, self._peer_streams)
        self.takes_websockets = bool(settings.get(h2.ENABLE_CONNECT_PROTOCOL, self.takes_websockets))
        if h2.INITIAL_WINDOW_SIZE in settings:
            self._set_stream_window(settings[h2.INITIAL_WINDOW_SIZE])
        self.put(h2.SETTINGS_ACK)
        self.settings_changed()

    def _set_stream_window(self, size: int) -> None:
        """Section 6.9.2: streams that are open get, or owe, the difference."""
        more, self._stream_window = size - self._stream_window, size
        for exchange in tuple(self.streams.values()):
            exchange.send_window += more
            if exchange.send_window > h2.MAX_WINDOW:
                raise ConnectionBroken(h2.FLOW_CONTROL_ERROR, "a window is too large")
            if more > 0:
                self.window_opened(exchange)

    def _window(self, flags: int, number: int, payload: Any) -> None:
        self._spend()
        more = h2.read_number(h2.WINDOW_UPDATE, payload)
        if not number:
            self.send_window += more
            if not more or self.send_window > h2.MAX_WINDOW:
                raise ConnectionBroken(h2.FLOW_CONTROL_ERROR, "a window is too large, or opened by nothing")
            self.window_opened(None)
            return
        exchange = self._stream(number)
        if exchange is not None:
            exchange.send_window += more
            if not more or exchange.send_window > h2.MAX_WINDOW:
                raise StreamBroken("a window is too large, or opened by nothing", h2.FLOW_CONTROL_ERROR)
            self.window_opened(exchange)

    def _ping(self, flags: int, number: int, payload: Any) -> None:
        self._spend()
        if number or len(payload) != 8:
            raise ConnectionBroken(h2.FRAME_SIZE_ERROR if not number else h2.PROTOCOL_ERROR, "an invalid PING")
        if not flags & h2.ACK:
            self.put(h2.ping(payload, ack=True))

    def _goaway(self, flags: int, number: int, payload: Any) -> None:
        self._spend()
        last, code = h2.read_goaway(payload)
        self.going = True
        for exchange in [exchange for number, exchange in self.streams.items() if number > last]:
            exchange.unprocessed_by(code)
        self.service_goes(code)

    def _priority(self, flags: int, number: int, payload: Any) -> None:
        self._spend()

    def _push(self, flags: int, number: int, payload: Any) -> None:
        raise ConnectionBroken(h2.PROTOCOL_ERROR, "a push that was not allowed")

    # -- what follows from it

    def answer_moved(self) -> None:
        """A part of an answer came."""
        raise NotImplementedError

    def settings_changed(self) -> None:
        """The service may take more, or fewer, streams."""
        raise NotImplementedError

    def window_opened(self, exchange: Any) -> None:
        """
        More may be sent.

        :param exchange: on this stream; ``None``: on the connection.
        """
        raise NotImplementedError

    def service_goes(self, code: int) -> None:
        """The service wants no new streams. Those that it leaves undone have been told."""
        raise NotImplementedError


_HANDLERS = (
    *(Session._data, Session._headers, Session._priority, Session._reset, Session._settings, Session._push),
    *(Session._ping, Session._goaway, Session._window, Session._continuation),
)
