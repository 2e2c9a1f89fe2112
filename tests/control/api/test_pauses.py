"""
Tests for `ngrok_twisted.control.api.pauses`.
"""

from __future__ import annotations

from typing import Any, Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.api.pauses import Pauses


class Reactor:
    """
    Like a real reactor, and unlike a ``Clock``, it leaves what is asked for in one turn to the next.
    """

    def __init__(self) -> None:
        self.calls: list[Callable[[], Any]] = []

    def callLater(self, seconds: float, call: Callable[[], Any]) -> None:
        assert seconds == 0
        self.calls.append(call)

    def turn(self) -> None:
        """One turn."""
        calls, self.calls = self.calls, []
        for call in calls:
            call()


class PausesTests(SynchronousTestCase):
    """`Pauses`."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.pause = Pauses(self.reactor)
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
            self.reactor.turn()
            self.assertEqual((self.done[-1], len(self.done)), (expected, count))
        self.assertEqual(self.reactor.calls, [])

    def test_given_up(self) -> None:
        """Who gives up waiting takes nobody's turn away for good."""
        gone = self.pause()
        Deferred.fromCoroutine(self.work("a", 1))
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        for _ in range(2):
            self.reactor.turn()
        self.assertEqual(self.done, ["a"])
