"""
`StreamBody`: the body of a request on one HTTP/2 stream.

The visitor may send as much as the stream's window says, and the window opens as somebody takes what came: who reads slowly is
sent slowly, and nobody else notices. A stream whose body is taken gets a wider window, so that a long way does not slow it down.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.python.failure import Failure

from ngrok_twisted.edge.http2_engine import CONNECTION_WINDOW, MEGABYTE, STREAM_WINDOW
from ngrok_twisted.edge.http2_sending import JOINED_BYTES, StreamWriter
from ngrok_twisted.errors import BadRequest, EdgeError
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.http2_frames import ConnectionBroken
from ngrok_twisted.upstream.syntax import Fields

# How wide the window of one stream may get: 10 MB/s over 100 ms.
MAX_WINDOW = 1 * MEGABYTE

# What all streams of a connection may have beyond the window they begin with.
SPARE_WINDOW = 4 * MEGABYTE


class Windows:
    """
    What a visitor may send on all streams of a connection.

    :ivar spare: bytes that their windows may be wider together than they are at first.
    """

    __slots__ = ("spare", "_room", "_unsaid")

    def __init__(self) -> None:
        self.spare = SPARE_WINDOW
        self._room = CONNECTION_WINDOW
        self._unsaid = 0  # bytes that may be sent again

    def came(self, size: int) -> int:
        """
        :param size: bytes of a frame.
        :return: by how much to open the connection's window now.
        :raises ConnectionBroken: there was no room for them.
        """
        self._room -= size
        if self._room < 0:
            raise ConnectionBroken(h2.FLOW_CONTROL_ERROR, "more than the connection's window")
        self._unsaid += size
        if 2 * self._unsaid < CONNECTION_WINDOW:
            return 0
        more, self._unsaid = self._unsaid, 0
        self._room += more
        return more


class StreamBody(StreamWriter):
    """
    The reading half of a stream.

    :ivar ended: the visitor sends nothing more on it.
    """

    __slots__ = (
        "ended",
        "_pieces",
        "_left",
        "_paused",
        "_delivering",
        "_whole",
        "_end_trailers",
        "_window",
        "_room",
        "_taken",
        "_windows",
    )

    def __init__(self, stream_id: int, output: Any, windows: Windows, ended: bool) -> None:
        super().__init__(stream_id, output)
        self.ended = ended
        self._pieces: deque[tuple[bytes, int]] | None = None  # not delivered yet, each with its size in the window
        self._left: int | None = None  # of the length that was announced
        self._paused = False
        self._delivering = False
        self._whole = False  # somebody has got all of the body, or heard that it will not come
        self._end_trailers: Fields = []
        self._window = self._room = STREAM_WINDOW
        self._taken = 0  # not given back to the window yet
        self._windows = windows

    # -- from the connection

    def data_came(self, data: Any, size: int) -> None:
        """
        :param data: bytes of the body, valid during the call.
        :param size: what they take of the window, padding included.
        :raises ConnectionBroken: there was no room for them.
        """
        self.touched()
        self._room -= size
        if self._room < 0:
            raise ConnectionBroken(h2.FLOW_CONTROL_ERROR, "more than the stream's window")
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                self.broken(BadRequest("The request's body is longer than it said."))
                return
        if self.request is None:
            return  # answered, and of no interest any more
        if self.request.receiver is None or self._paused or self._delivering:
            self._keep(bytes(data), size)
        else:
            self._deliver(data, size)

    def _keep(self, data: bytes, size: int) -> None:
        """Small pieces are put together: each takes fifty bytes besides what is in it."""
        pieces = self._pieces
        if pieces is None:
            pieces = self._pieces = deque()
        elif pieces and len(pieces[-1][0]) < JOINED_BYTES:
            before, taken = pieces.pop()
            data, size = before + data, taken + size
        pieces.append((data, size))

    def end_came(self, trailers: Fields) -> None:
        """The visitor's message is whole."""
        if self.ended:
            return
        self.ended = True
        self._end_trailers = trailers
        if self._left:
            self.broken(BadRequest("The request's body is shorter than it said."))
        elif self.request is not None:
            self._go_on()

    def broken(self, error: EdgeError) -> None:
        """The visitor's message is none: tell whoever reads it, and reset the stream."""
        raise NotImplementedError

    def fail_body(self, reason: Failure) -> None:
        """The rest of the body will not come."""
        request = self.request
        self._pieces = None
        if request is not None and not self._whole:
            self._whole = True
            receiver, request.receiver = request.receiver, None
            if receiver is not None:
                receiver.bodyFailed(reason)

    # -- IRequestChannel

    def body_wanted(self, request: Any) -> None:
        """IRequestChannel."""
        if request is self.request:
            self._go_on()
            self._output.flush()  # whoever wants it may have been dialled meanwhile

    def pause_body(self, request: Any) -> None:
        """IRequestChannel."""
        self._paused = True

    def resume_body(self, request: Any) -> None:
        """IRequestChannel."""
        if self._paused:
            self._paused = False
            if request is self.request:
                self._go_on()
                self._output.flush()

    # -- delivery

    def _go_on(self) -> None:
        """Deliver what is there, and the end if that is there."""
        if self._delivering:
            return
        request = self.request
        while self._pieces and not self._paused and request.receiver is not None and self.request is request:
            self._deliver(*self._pieces.popleft())
        if self.ended and not self._pieces and not self._paused and self.request is request:
            receiver, request.receiver = request.receiver, None
            if receiver is not None:
                self._whole = True
                receiver.bodyFinished(self._end_trailers)

    def _deliver(self, data: Any, size: int) -> None:
        self._delivering = True
        try:
            if len(data):
                self.request.flow.bytes_in += len(data)
                self.request.receiver.bodyReceived(data)
        finally:
            self._delivering = False
        self._took(size)

    def _took(self, size: int) -> None:
        """Open the stream's window, in few steps."""
        self._taken += size
        if self.ended or self.sent_all or 2 * self._taken < self._window:
            return
        more = 0
        if self._window < MAX_WINDOW and not self._pieces:
            more = min(self._window, MAX_WINDOW - self._window, self._windows.spare)
            self._windows.spare -= more
            self._window += more
        self._room += self._taken + more
        self._output.soon(h2.window_update(self.id, self._taken + more))
        self._taken = 0

    def give_back(self) -> None:
        """The stream is over: others may have its window."""
        self._windows.spare += self._window - STREAM_WINDOW
        self._window = STREAM_WINDOW
