"""
`HeaderBlocks`: a header block out of the frames that it comes in (RFC 9113 sections 4.3, 6.2 and 6.10), free of I/O. Both sides
of HTTP/2 read them so.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.http2_frames import ConnectionBroken

# Bytes that RFC 9113 section 6.2 puts before a block that says of what its stream depends.
_PRIORITY = 5

#: A whole block: its stream, the flags of its ``HEADERS``, its bytes.
Block = tuple[int, int, bytes]


class HeaderBlocks:
    """
    :ivar open: a block has begun, and only what continues it may come.
    """

    __slots__ = ("open", "_number", "_flags", "_parts", "_room", "_max_bytes", "_max_frames")

    def __init__(self, max_bytes: int, max_frames: int) -> None:
        """
        :param max_bytes: of a block in several frames, each with what stands before it. A block in one frame is not counted.
        :param max_frames: in which it may come.
        """
        self.open = False
        self._number = self._flags = self._room = 0
        self._parts: list[bytes] = []
        self._max_bytes = max_bytes
        self._max_frames = max_frames

    def begun(self, flags: int, number: int, payload: Any) -> Block | None:
        """
        ``HEADERS`` came.

        :return: the block, if this is all of it.
        :raises ConnectionBroken: it is no such frame, or too long.
        """
        if flags & (h2.PADDED | h2.PRIORITIZED):
            payload = _bare(flags, number, payload)
        if flags & h2.END_HEADERS:
            return number, flags, bytes(payload)
        self.open = True
        self._number, self._flags, self._room = number, flags, self._max_bytes
        self._add(payload)
        return None

    def continued(self, flags: int, number: int, payload: Any) -> Block | None:
        """
        ``CONTINUATION`` came.

        :return: the block, if it is whole.
        :raises ConnectionBroken: it continues nothing, or too much.
        """
        if not self.open or number != self._number:
            raise ConnectionBroken(h2.PROTOCOL_ERROR, "CONTINUATION of nothing")
        self._add(payload)
        if not flags & h2.END_HEADERS:
            return None
        block = b"".join(self._parts)
        self._parts = []
        self.open = False
        return number, self._flags, block

    def _add(self, payload: Any) -> None:
        self._room -= h2.FRAME_HEAD + len(payload)
        if self._room < 0 or len(self._parts) >= self._max_frames:
            raise ConnectionBroken(h2.ENHANCE_YOUR_CALM, "a header block is too long")
        self._parts.append(bytes(payload))


def _bare(flags: int, number: int, payload: Any) -> Any:
    """The part of a block that is in a frame, without padding and what the frame says of priorities."""
    payload = h2.without_padding(flags, payload)
    if flags & h2.PRIORITIZED:
        check_priority(number, payload[:_PRIORITY])
        payload = payload[_PRIORITY:]
    return payload


def check_priority(number: int, payload: Any) -> None:
    """
    What a ``PRIORITY`` frame holds, and what may stand before a header block. It is read and forgotten (section 5.3.2).

    :raises ConnectionBroken: it is anything else (RFC 7540 section 5.3.1 for a stream that depends on itself).
    """
    if len(payload) != _PRIORITY:
        raise ConnectionBroken(h2.FRAME_SIZE_ERROR, "a priority of the wrong size")
    if h2.read_number(h2.WINDOW_UPDATE, payload[:4]) == number:
        raise ConnectionBroken(h2.PROTOCOL_ERROR, "a stream that depends on itself")
