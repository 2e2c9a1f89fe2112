"""
`StreamSender`: the sending half of one stream of HTTP/2: a body within the windows that the service gives.

What the windows do not let through waits here, and whoever sends it is paused meanwhile: at most what one read of theirs
had brought by then.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from ngrok_twisted.upstream import http2_frames as h2


class StreamSender:
    """
    :ivar connection: the `ngrok_twisted.upstream.http2_connection.SharedConnection`.
    :ivar id: the stream's number; 0 before it is open, and after its end.
    :ivar send_window: bytes that the service still takes on this stream.
    """

    __slots__ = ("connection", "id", "send_window", "_pending", "_last_block", "_ending", "_ended", "_held")

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.id = 0
        self.send_window = 0
        self._pending: deque[memoryview] = deque()
        self._last_block = b""
        self._ending = self._ended = self._held = False

    def send(self, data: bytes) -> None:
        """
        :param data: bytes of the body, which must stay as they are.
        """
        self._pending.append(memoryview(data))
        self.connection.has_more(self)
        if self._pending and not self._held:
            self._held = True
            self.hold_back()

    def end(self, trailers: bytes = b"") -> None:
        """
        Nothing follows.

        :param trailers: a header block that stands behind the body.
        """
        if not self._ending:
            self._ending = True
            self._last_block = trailers
            self.connection.has_more(self)

    def has_bytes(self) -> bool:
        """Whether there are bytes that were not sent."""
        return bool(self._pending)

    def may_send(self) -> bool:
        """Whether there is something that the window of the stream lets through."""
        if self._pending:
            return self.send_window > 0
        return self._ending and not self._ended

    def send_frame(self, room: int) -> int:
        """
        Send what fits into one frame.

        :param room: the window of the connection, more than 0 if there are bytes to send.
        :return: how many bytes of body it was.
        """
        if not self._pending:
            self._send_end()
            return 0
        data = self._pending.popleft()
        size = min(len(data), h2.FRAME, self.send_window, room)
        if size < len(data):
            self._pending.appendleft(data[size:])
        end = self._ending and not self._pending and not self._last_block
        self._ended = end
        self.connection.send_data(self, data[:size], end)
        if not self._pending:
            if self._ending and not end:
                self._send_end()
            self._taken()
        return size

    def _send_end(self) -> None:
        self._ended = True
        if self._last_block:
            self.connection.put(*h2.header_frames(self.id, self._last_block, True, h2.FRAME))
        else:
            self.connection.put(h2.frame_head(h2.DATA, h2.END_STREAM, self.id, 0))
        self.sent_all()

    def _taken(self) -> None:
        """Nothing waits any more."""
        if self._ended:
            self.sent_all()
        elif self._held:
            self._held = False
            self.go_on()

    def hold_back(self) -> None:
        """Whoever sends the body has to wait."""
        raise NotImplementedError

    def go_on(self) -> None:
        """It may go on."""
        raise NotImplementedError

    def sent_all(self) -> None:
        """The body, end included, was sent."""
        raise NotImplementedError
