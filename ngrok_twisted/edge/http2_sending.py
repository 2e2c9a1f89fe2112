"""
`StreamWriter`: how a response becomes frames of one HTTP/2 stream (RFC 9113 section 8).
"""

from __future__ import annotations

from collections import deque
from typing import Any, Sequence


from ngrok_twisted.edge.http2_engine import DATA_BYTES
from ngrok_twisted.edge.http2_head import response_block, trailer_block
from ngrok_twisted.upstream.response import BY_LENGTH, Said
from ngrok_twisted.upstream.syntax import KILOBYTE

# What may wait on one stream before whoever sends it is told to stop, and what is left when it may go on.
QUEUE_BYTES = 64 * KILOBYTE
LOW_BYTES = 16 * KILOBYTE

#: Small pieces that wait are put together until they have as many bytes.
JOINED_BYTES = 2 * KILOBYTE


class StreamWriter:
    """
    The writing half of a stream.

    :ivar id: the stream's number.
    :ivar request: the `EdgeRequest` on it; ``None`` once it is answered.
    :ivar send_window: bytes of its body that the visitor takes now.
    :ivar in_line: it stands in the line of its `Output`.
    :ivar sent_all: the visitor has the end of the response, or the stream was reset.
    """

    __slots__ = (
        "id",
        "request",
        "in_line",
        "sent_all",
        "send_window",
        "_output",
        "_queue",
        "_queued",
        "_choked",
        "_owed",
        "_counted",
        "_over",
        "_trailers",
    )

    def __init__(self, stream_id: int, output: Any) -> None:
        """
        :param output: the connection's `Output`.
        """
        self.id = stream_id
        self.request: Any = None
        self.in_line = False
        self.sent_all = False
        self.send_window: int = output.engine.stream_window
        self._output = output
        self._queue: deque[Any] | None = None  # most responses never wait
        self._queued = 0
        self._choked = False
        self._owed: int | None = None  # bytes of the length that was announced
        self._counted = False  # a service told the length, and nothing follows what is as long
        self._over = False  # the end follows what is queued
        self._trailers = b""

    def touched(self) -> None:
        """Something moved."""
        raise NotImplementedError

    def waits(self) -> None:
        """The visitor has to take something before more can be sent."""
        raise NotImplementedError

    def finished(self) -> None:
        """The visitor was sent everything."""
        raise NotImplementedError

    def break_off(self, request: Any) -> None:
        """IRequestChannel."""
        raise NotImplementedError

    # -- the response

    def write_head(self, request: Any, head: Any, buffers: Sequence[Any], last: bool, trailers: Any) -> None:
        """IRequestChannel."""
        if self.sent_all:
            return
        size = sum(map(len, buffers)) if buffers else 0
        length = head.length
        if last and length is None and not trailers and not head.bodiless:
            length = size
        self._owed = None if head.bodiless else length
        said = head.as_told()
        if said is not None and said.length is not None and said.length == head.length:
            block = said.block or _block_as_told(said)
            self._counted = said.framing == BY_LENGTH
        else:
            told = None if head.status == 204 or (head.length is None and not size) else length  # a call's end has none
            block = response_block(head.status, head.fields, told)
        self._write_head(block, buffers, size, last or head.bodiless, trailers)

    def write_as_told(self, request: Any, told: Said, body: bytes) -> bool:
        """IRequestChannel."""
        engine, output, size = self._output.engine, self._output, len(body)
        if self.sent_all or output.full or not 0 < size <= engine.window(self):
            return False
        parts: list[Any] = engine.header_frames(self, told.block or _block_as_told(told))
        parts += engine.data_frames(self, (body,), size, True)
        self.touched()
        output.write(parts, size)
        self._ended()
        return True

    def _write_head(self, block: bytes, buffers: Sequence[Any], size: int, last: bool, trailers: Any) -> None:
        engine, output = self._output.engine, self._output
        end = last and not size and not trailers and not self._owed
        parts: list[Any] = engine.header_frames(self, block, end)
        whole = last and not trailers and size and self._owed == size
        if whole and not output.full and size <= engine.window(self):
            parts += engine.data_frames(self, buffers, size, True)
            end = True
        elif size:
            output.collect(parts, 0)
            self._send(buffers, size)
            if self._queued:
                output.flush()  # the head need not wait with the body
            parts = []
        self.touched()
        if parts:
            output.write(parts, size)
        if end:
            self._ended()
        elif last:
            self.end(self.request, trailers)

    def write_body(self, request: Any, buffers: Sequence[Any]) -> None:
        """IRequestChannel."""
        size = sum(map(len, buffers))
        if size and not self.sent_all:
            self._send(buffers, size)

    def _send(self, buffers: Sequence[Any], size: int) -> None:
        if self._owed is not None:
            self._owed -= size
            if self._owed < 0:
                self.break_off(self.request)
                return
        output = self._output
        if self._queued or output.full or size > output.engine.window(self):
            self._enqueue(buffers, size)
            return
        self.touched()
        end = self._counted and self._owed == 0
        output.write(output.engine.data_frames(self, buffers, size, end), size)
        if end:
            self._ended()

    def end(self, request: Any, trailers: Any) -> None:
        """IRequestChannel."""
        if self.sent_all or self._over:
            return
        if self._owed:
            self.break_off(request)  # shorter than it said: not to be taken for the whole
            return
        self._trailers = trailer_block(trailers) if trailers else b""
        self._over = True
        if not self._queued:
            self._write_end()

    def inform(self, request: Any, status: int, reason: bytes, fields: list[tuple[bytes, bytes]]) -> None:
        """IRequestChannel."""
        if not self.sent_all:
            self._output.write(self._output.engine.header_frames(self, response_block(status, fields)))

    def _write_end(self) -> None:
        engine = self._output.engine
        if self._trailers:
            self._output.write(engine.header_frames(self, self._trailers, True))
        else:
            self._output.write(engine.data_frames(self, (), 0, True))
        self._ended()

    def _ended(self) -> None:
        self.sent_all = True
        self.finished()

    # -- what has to wait

    def _enqueue(self, buffers: Sequence[Any], size: int) -> None:
        """Keep a copy, and stand in line."""
        queue = self._queue
        if queue is None:
            queue = self._queue = deque()
        elif queue and len(queue[-1]) < JOINED_BYTES:
            buffers = (queue.pop(), *buffers)  # each takes fifty bytes besides what is in it
        queue.append(bytes(buffers[0]) if len(buffers) == 1 else b"".join(buffers))
        self._queued += size
        self.waits()
        self.window_opened()
        self._output.run()
        if self._queued > QUEUE_BYTES and not self._choked and self.request is not None:
            self._choked = True
            self.request.choke()

    def window_opened(self) -> None:
        """There may be room for what waits."""
        if self._queued and self.send_window > 0:
            self._output.line_up(self)

    def take_turn(self) -> int:
        """
        Send one frame at most, and stand in line again if there is more.

        :return: how many bytes of body were sent.
        """
        engine = self._output.engine
        size = min(DATA_BYTES, engine.window(self), self._queued)
        if size <= 0 or self.sent_all:
            return 0
        pieces = self._take(size)
        self._queued -= size
        last = self._over and not self._queued and not self._trailers
        self.touched()
        self._output.collect(engine.data_frames(self, pieces, size, last), size)
        if last:
            self._ended()
        elif self._over and not self._queued:
            self._write_end()
        else:
            if self._choked and self._queued <= LOW_BYTES:
                self._choked = False
                if self.request is not None:
                    self.request.unchoke()
            self.window_opened()
        return size

    def _take(self, most: int) -> list[Any]:
        pieces: list[Any] = []
        queue = self._queue
        while most and queue:
            piece = queue.popleft()
            if len(piece) > most:
                view = memoryview(piece)
                queue.appendleft(view[most:])
                piece = view[:most]
            pieces.append(piece)
            most -= len(piece)
        return pieces

    def discard(self) -> None:
        """Nothing is sent any more."""
        self.sent_all = True
        self._queue = None
        self._queued = 0

    def reset(self, code: int) -> None:
        """End the stream at once, both ways, if it has not ended."""
        raise NotImplementedError


def _block_as_told(said: Said) -> bytes:
    """The header block of a response that is as its service told it, kept for the next visitor."""
    said.block = block = response_block(said.status, said.fields, said.length)
    return block
