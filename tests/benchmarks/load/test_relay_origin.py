"""Tests of `benchmarks.load.relay_origin`."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.load.bulk import DOWNLOAD, RECEIPT, make_hello, make_order
from benchmarks.load.relay_origin import answer

ORDER = make_order(DOWNLOAD, 1)


class Visitor:
    """A socket that has some bytes, one piece at a time."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)
        self.sent = b""

    def recv(self, size: int) -> bytes:
        """A socket's."""
        if not self._pieces:
            raise ConnectionResetError
        return self._pieces.pop(0)

    def send(self, data: bytes) -> int:
        """A socket's."""
        self.sent += data
        return len(data)


class AnswerTests(SynchronousTestCase):
    """Tests of `answer`."""

    def answers(self, *pieces: bytes) -> tuple[list[bool], bytes]:
        """What each look at the visitor says, and what it was sent."""
        visitor: Any = Visitor(*pieces)
        return [answer(visitor) for _ in pieces], visitor.sent

    def test_order(self) -> None:
        """An order is answered with one byte, whatever stands before it."""
        self.assertEqual(self.answers(ORDER), ([True], RECEIPT))
        self.assertEqual(self.answers(make_hello("bench.localhost") + ORDER), ([True], RECEIPT))

    def test_pieces(self) -> None:
        """What has no order in it waits for more."""
        self.assertEqual(self.answers(make_hello("bench.localhost"), ORDER), ([True, True], RECEIPT))

    def test_gone(self) -> None:
        """A visitor that has left is noticed, however it left."""
        self.assertEqual(self.answers(b""), ([False], b""))
        reset: Any = Visitor()
        self.assertIs(answer(reset), False)
