"""
`Answers`: global requests are answered in the order they came in, whenever each answer is known.

Answers carry no number, so the client tells them apart by order alone: a keepalive that is answered before a forward
that still waits makes OpenSSH take the one for the other (spec/ssh-tunnels.md section 8.1; RFC 4254 section 4).
"""

from __future__ import annotations

from collections import deque
from typing import Callable


class Answer:
    """The place of one answer in the queue."""

    __slots__ = ("message", "_queue")

    def __init__(self, queue: Answers) -> None:
        self.message: bytes | None = None
        self._queue = queue

    def give(self, message: bytes) -> None:
        """The answer is known: it is sent as soon as all before it are."""
        if self.message is None:
            self.message = message
            self._queue.advance()


class Answers:
    """
    The client's requests that wait for their answers, oldest first.
    """

    def __init__(self, send: Callable[[bytes], None], limit: int) -> None:
        """
        :param send: sends a message.
        :param limit: requests that may wait.
        """
        self._send = send
        self._limit = limit
        self._waiting: deque[Answer] = deque()

    def reserve(self) -> Answer | None:
        """:return: the next place; ``None`` when too many wait."""
        if len(self._waiting) >= self._limit:
            return None
        answer = Answer(self)
        self._waiting.append(answer)
        return answer

    def advance(self) -> None:
        """Send what is known."""
        waiting = self._waiting
        while waiting and waiting[0].message is not None:
            self._send(waiting.popleft().message or b"")
