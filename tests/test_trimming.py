"""
Tests for `ngrok_twisted.trimming`.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.trimming import TRIM_AFTER, TRIM_INTERVAL, Trimming, _malloc_trim


class FakeReactor(Clock):
    """A clock with connections."""

    connections = 0

    def getReaders(self) -> list[object]:
        """They are never asked for more than how many they are."""
        return [self] * self.connections


class TrimmingTests(SynchronousTestCase):
    """`Trimming`."""

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.trimmed = 0
        self.trimming = Trimming(self.reactor, self.trim)
        self.trimming.startService()
        self.addCleanup(self.trimming.stopService)

    def trim(self) -> None:
        """Memory is given back."""
        self.trimmed += 1

    def seen(self, *connections: int) -> int:
        """How often memory was given back while there were so many connections, at one look after the other."""
        before = self.trimmed
        for number in connections:
            self.reactor.connections = number
            self.reactor.advance(TRIM_INTERVAL)
        return self.trimmed - before

    def test_after_a_rush(self) -> None:
        """Once many have left, memory is given back, once."""
        self.assertEqual(self.seen(10, 5000, 4999), 0)
        self.assertEqual(self.seen(4000, 4000, 4000), 1)

    def test_while_they_leave(self) -> None:
        """It is given back in portions while they leave, since each takes its time."""
        self.assertEqual(self.seen(3000, 2000, 1000, 0), 3)

    def test_in_small_steps(self) -> None:
        """Many who leave one by one are many."""
        self.assertEqual(self.seen(*range(1000, 1000 - TRIM_AFTER - 1, -1)), 1)

    def test_coming_and_going(self) -> None:
        """Nothing is done while as many come as go, and few who leave are not worth it."""
        self.assertEqual(self.seen(3000, 3100, 2900, 3000, 3000 - TRIM_AFTER // 2), 0)

    def test_another_rush(self) -> None:
        """It is done after each."""
        self.assertEqual(self.seen(2000, 0, 2000, 0), 2)

    def test_library(self) -> None:
        """That of the C library may be called at any time."""
        _malloc_trim()()
