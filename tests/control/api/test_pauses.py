"""
Tests for `ngrok_twisted.control.api.pauses`.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.api.pauses import Pauses


class PausesTests(SynchronousTestCase):
    """`Pauses`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.pause = Pauses(self.clock)
        self.done: list[str] = []

    async def work(self, name: str, parts: int) -> None:
        """Work in several parts, with a pause before each."""
        for _ in range(parts):
            await self.pause()
            self.done.append(name)

    def test_turns(self) -> None:
        """In each turn of the reactor one goes on, and each gets its share."""
        for name, parts in (("a", 3), ("b", 1), ("c", 2)):
            Deferred.fromCoroutine(self.work(name, parts))
        self.assertEqual(self.done, [])
        for count, expected in enumerate(("a", "b", "c", "a", "c", "a"), 1):
            self.clock.advance(0)
            self.assertEqual((self.done[-1], len(self.done)), (expected, count))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_given_up(self) -> None:
        """Who gives up waiting takes nobody's turn away for good."""
        gone = self.pause()
        Deferred.fromCoroutine(self.work("a", 1))
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        self.clock.pump([0, 0])
        self.assertEqual(self.done, ["a"])
