"""
`Backlog`: bytes that wait to be sent.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Iterable


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
        for buffer in buffers:
            piece = bytes(buffer)
            if piece:
                self._pieces.append(piece)
                self.size += len(piece)

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
