"""
`Backlog`: bytes that wait to be sent.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Iterable, Sequence

# Large buffers are copied in pieces of this size: beyond 128 KiB the allocator asks the kernel for fresh pages each time
# (mallopt(3), M_MMAP_THRESHOLD), which costs many times what the copy does.
PIECE = 64 * 1024


class Backlog:
    """
    A queue of bytes that is filled by buffers and emptied in measured amounts.

    :ivar size: how many bytes wait.
    """

    __slots__ = ("size", "_pieces")

    def __init__(self) -> None:
        self.size = 0
        self._pieces: deque[Any] = deque()

    def add(self, buffers: Iterable[Any]) -> None:
        """:param buffers: bytes-like objects. They are copied, and free when this returns."""
        pieces = self._pieces
        for buffer in buffers:
            size = len(buffer)
            self.size += size
            if size > PIECE and buffer.__class__ is not bytes:
                view = memoryview(buffer)
                pieces.extend([bytes(view[start : start + PIECE]) for start in range(0, size, PIECE)])
            elif size:
                pieces.append(bytes(buffer))

    def take(self, limit: int) -> tuple[list[Any], int]:
        """
        :param limit: bytes.
        :return: bytes-like objects from the front, and how many bytes they have: ``limit``, or all there are.
        """
        taken: list[Any] = []
        total = 0
        pieces = self._pieces
        while pieces and total < limit:
            piece = pieces.popleft()
            if total + len(piece) > limit:
                view = memoryview(piece)
                pieces.appendleft(view[limit - total :])
                piece = view[: limit - total]
            taken.append(piece)
            total += len(piece)
        self.size -= total
        return taken, total

    def clear(self) -> None:
        """Forget all."""
        self._pieces.clear()
        self.size = 0


def split(buffers: Sequence[Any], size: int) -> tuple[list[Any], list[Any]]:
    """
    :param size: bytes, not more than ``buffers`` have.
    :return: bytes-like objects with so many bytes from the front, and those with the rest.
    """
    front: list[Any] = []
    for index, buffer in enumerate(buffers):
        if len(buffer) > size:
            view = memoryview(buffer)
            return [*front, view[:size]], [view[size:], *buffers[index + 1 :]]
        front.append(buffer)
        size -= len(buffer)
    return front, []
