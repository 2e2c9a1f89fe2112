"""
`HTTP2Connection`: the HTTP/2 server side of one connection (RFC 9113).

It reads frames, and gives each request a stream of its own (`ngrok_twisted.edge.http2_stream`). A stream is in its table for as
long as either side may say something on it. How the connection begins and ends is in `ngrok_twisted.edge.http2_life`.
"""

from __future__ import annotations

from itertools import chain
from typing import Any, Iterator

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from ngrok_twisted.edge.head import RequestHead
from ngrok_twisted.edge.http2_head import parse_request, parse_trailers
from ngrok_twisted.edge.http2_hpack import HeadBlock
from ngrok_twisted.edge.http2_life import LINGER, OPEN, ConnectionLife
from ngrok_twisted.edge.http2_patience import BYTES_FOR_ONE, FRAME, RESET, cost_of_head, cost_of_settings
from ngrok_twisted.edge.http2_reading import VisitorFrames
from ngrok_twisted.edge.http2_stream import HTTP2Stream
from ngrok_twisted.edge.site import Site
from ngrok_twisted.errors import EdgeError, HeaderTooLarge
from ngrok_twisted.net.timeouts import SECONDS
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.http2_blocks import Block, HeaderBlocks, check_priority
from ngrok_twisted.upstream.http2_frames import ConnectionBroken, Frame
from ngrok_twisted.upstream.syntax import MalformedMessage

MILLISECONDS = 1e-3 * SECONDS

# Frames of one header block. Those who cut blocks at all cut them into frames of 16 KB, so that this is the largest head there is.
MAX_BLOCK_FRAMES = 64

# For requests that come, or are cancelled, in one read, before others are looked after: each may take half a millisecond, if a
# service has to be dialled for it.
TURN = 5 * MILLISECONDS

# Frames that begin or end a request.
_WORK = frozenset([h2.HEADERS, h2.CONTINUATION, h2.RST_STREAM])


class HTTP2Connection(ConnectionLife):
    """
    One visitor's connection.
    """

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._reader = VisitorFrames()
        self._blocks = HeaderBlocks(site.limits.head_bytes, MAX_BLOCK_FRAMES)

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        if self._state == LINGER:
            self._linger_left -= len(data)
            if self._linger_left < 0:
                self.abort()
            return
        try:
            frames = self._reader.feed(data)
        except ConnectionBroken as offence:
            self._offended(offence.code, str(offence))
        else:
            if self._waiting is None:
                self._read(iter(frames))
            else:
                self._waiting = chain(self._waiting, frames)

    def _read(self, frames: Iterator[Frame]) -> None:
        """What is said meanwhile leaves together."""
        output, seconds = self.output, self.site.clock.seconds
        output.hold()
        until = seconds() + TURN
        try:
            for kind, flags, number, payload in frames:
                if self._blocks.open and kind != h2.CONTINUATION:
                    raise ConnectionBroken(h2.PROTOCOL_ERROR, "a header block is interrupted")
                if kind > h2.CONTINUATION:
                    self._spend(FRAME)
                else:
                    _HANDLERS[kind](self, flags, number, payload)
                if self._state != OPEN:
                    return
                if kind in _WORK and seconds() >= until:
                    self._wait(frames)
                    break
        except ConnectionBroken as offence:
            self._offended(offence.code, str(offence))
        else:
            output.run()
        finally:
            output.release()
        self.turn_deaf()
        self._close_if_done()

    def _spend(self, cost: float) -> None:
        """
        :param cost: of something that brings nobody forward.
        :raises ConnectionBroken: there was too much of it.
        """
        if not self._patience.spend(cost):
            raise ConnectionBroken(h2.ENHANCE_YOUR_CALM, "too many frames that do nothing")

    # -- heads

    def _headers(self, flags: int, number: int, payload: Any) -> None:
        whole = self._blocks.begun(flags, number, payload)
        if whole is not None:
            self._block_came(whole)

    def _continuation(self, flags: int, number: int, payload: Any) -> None:
        self._spend(FRAME)
        whole = self._blocks.continued(flags, number, payload)
        if whole is not None:
            self._block_came(whole)

    def _block_came(self, whole: Block) -> None:
        number, flags, data = whole
        engine = self.engine
        block = engine.blocks.decode(data)
        cost = cost_of_head(block.unpacked)
        if cost and not self._patience.spend(cost):
            raise ConnectionBroken(h2.ENHANCE_YOUR_CALM, "heads that are much longer than what was sent")
        ended = flags & h2.END_STREAM != 0
        if engine.never_was(number):
            if not number & 1:
                raise ConnectionBroken(h2.PROTOCOL_ERROR, "a stream that no visitor can begin")
            engine.highest = number
            self._request_came(number, block, ended)
            return
        stream = self.streams.get(number)
        if stream is None:
            self._spend(FRAME)
            self.output.soon(engine.late(number))
        elif stream.ended:
            self._refuse(stream, h2.STREAM_CLOSED)
        else:
            self._trailers_came(stream, block, ended)

    def _request_came(self, number: int, block: HeadBlock, ended: bool) -> None:
        late = number > self._last_stream
        if late or len(self.streams) >= self.site.limits.streams:
            if late:
                self._spend(FRAME)
            else:
                self.provoked()
            self.output.soon(self.engine.reset(number, h2.REFUSED_STREAM))
            return
        self._arrived()
        try:
            head = _head_of(block, ended)
        except MalformedMessage as error:
            self._log.debug("malformed request from {peer}: {error}", peer=self.peer[0], error=str(error))
            self.provoked()
            self.output.soon(self.engine.reset(number, h2.PROTOCOL_ERROR))
        except EdgeError as error:
            self.streams[number] = stream = HTTP2Stream(self, number, ended)
            stream.refuse(error)
        else:
            self.streams[number] = stream = HTTP2Stream(self, number, ended)
            stream.start(head)

    def provoked(self) -> None:
        """
        The visitor made us reset a stream.

        :raises ConnectionBroken: once too often.
        """
        if not self._patience.spend(RESET):
            raise ConnectionBroken(h2.ENHANCE_YOUR_CALM, "too many requests that come to nothing")

    def _refuse(self, stream: HTTP2Stream, code: int) -> None:
        """Something is wrong with what came on a stream: it ends, and the others go on."""
        self.provoked()
        stream.reset(code)

    def _arrived(self) -> None:
        """A head is complete: from now on the idle timeout counts."""
        if self._fresh:
            self._fresh = False
            self._watch.change(self.site.limits.idle)
        else:
            self._watch.touch()

    def _trailers_came(self, stream: HTTP2Stream, block: HeadBlock, ended: bool) -> None:
        try:
            if block.excess or not ended:
                raise MalformedMessage("too many trailers, or something behind them")
            trailers = parse_trailers(block.fields)
        except MalformedMessage:
            self._refuse(stream, h2.PROTOCOL_ERROR)
        else:
            stream.end_came(trailers)

    # -- bodies and windows

    def _data(self, flags: int, number: int, payload: Any) -> None:
        stream = self.streams.get(number)
        size = len(payload)
        if stream is None:
            self._check_begun(number)
            self._spend(FRAME)
            self.output.soon(self.engine.late(number))
        more = self.windows.came(size)
        if more:
            self.output.soon(h2.window_update(0, more))
        if stream is None:
            return
        if stream.ended:
            self._refuse(stream, h2.STREAM_CLOSED)
            return
        data = h2.without_padding(flags, payload)
        if data:
            self._patience.earn(len(data) / BYTES_FOR_ONE)
        elif not flags & h2.END_STREAM:
            self._spend(FRAME)
        stream.data_came(data, size)
        if flags & h2.END_STREAM and number in self.streams:
            stream.end_came([])

    def _check_begun(self, number: int) -> None:
        """
        :raises ConnectionBroken: a frame is for a stream that was never begun (RFC 9113 section 5.1).
        """
        if self.engine.never_was(number):
            raise ConnectionBroken(h2.PROTOCOL_ERROR, "a frame on a stream that has not begun")

    def _window(self, flags: int, number: int, payload: Any) -> None:
        self._spend(FRAME)
        size = h2.read_number(h2.WINDOW_UPDATE, payload)
        stream = self.streams.get(number)
        if number and stream is None:
            self._check_begun(number)
        elif self.engine.window_came(stream, size):
            if stream is not None:
                stream.window_opened()
        else:
            code = h2.FLOW_CONTROL_ERROR if size else h2.PROTOCOL_ERROR
            if stream is None:
                raise ConnectionBroken(code, "a window that cannot be")
            self._refuse(stream, code)

    # -- the rest

    def _reset(self, flags: int, number: int, payload: Any) -> None:
        h2.read_number(h2.RST_STREAM, payload)
        self._check_begun(number)
        stream = self.streams.get(number)
        if stream is None:
            self._spend(FRAME)
            return
        self._spend(RESET)
        self.engine.was_reset(number)
        stream.lost(Failure(ConnectionDone()))

    def _settings(self, flags: int, number: int, payload: Any) -> None:
        self._spend(cost_of_settings(len(payload)))
        if number:
            raise ConnectionBroken(h2.PROTOCOL_ERROR, "SETTINGS of a stream")
        if flags & h2.ACK:
            if len(payload):
                raise ConnectionBroken(h2.FRAME_SIZE_ERROR, "SETTINGS of the wrong size")
            self._settings_watch.stop()
            return
        self.engine.settings_came(payload, self.streams.values())
        self.output.soon(h2.SETTINGS_ACK)
        for stream in self.streams.values():
            stream.window_opened()

    def _ping(self, flags: int, number: int, payload: Any) -> None:
        self._spend(FRAME)
        if number or len(payload) != 8:
            raise ConnectionBroken(h2.PROTOCOL_ERROR if number else h2.FRAME_SIZE_ERROR, "an invalid PING")
        if flags & h2.ACK:
            self._ping_answered(bytes(payload))
        else:
            self.output.soon(h2.ping(payload, ack=True))

    def _goaway(self, flags: int, number: int, payload: Any) -> None:
        """The visitor takes its leave: what is in flight goes on (RFC 9113 section 6.8)."""
        self._spend(FRAME)
        if number:
            raise ConnectionBroken(h2.PROTOCOL_ERROR, "a GOAWAY of a stream")
        h2.read_goaway(payload)
        self._leaving = True

    def _priority(self, flags: int, number: int, payload: Any) -> None:
        self._spend(FRAME)
        if not number:
            raise ConnectionBroken(h2.PROTOCOL_ERROR, "a priority of no stream")
        check_priority(number, payload)

    def _push(self, flags: int, number: int, payload: Any) -> None:
        raise ConnectionBroken(h2.PROTOCOL_ERROR, "a push from a client")


def _head_of(block: HeadBlock, ended: bool) -> RequestHead:
    """
    What a block says, found out once for all requests with the same one. An upgraded request gets a key of its own.

    :raises HeaderTooLarge: there was too much in it.
    :raises MalformedMessage: see `parse_request`, and ``BadRequest``.
    """
    if block.excess:
        raise HeaderTooLarge()
    if block.head is not None and ended:
        known: RequestHead = block.head
        return known
    head = parse_request(block.fields, ended)
    if ended and not head.upgrade:
        block.head = head
    return head


# By the types of frames, RFC 9113 section 6.
_HANDLERS = (
    *(HTTP2Connection._data, HTTP2Connection._headers, HTTP2Connection._priority, HTTP2Connection._reset),
    *(HTTP2Connection._settings, HTTP2Connection._push, HTTP2Connection._ping, HTTP2Connection._goaway),
    *(HTTP2Connection._window, HTTP2Connection._continuation),
)
