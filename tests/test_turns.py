"""
Tests of `ngrok_twisted.turns`.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.turns import TURN_TIMEOUT, Turns
from ngrok_twisted.errors import Refused


class TurnsTests(SynchronousTestCase):
    """`Turns`."""

    def setUp(self) -> None:
        """Nobody waits."""
        self.clock = Clock()
        self.turns = Turns(self.clock)
        self.begun: list[str] = []

    def enter(self, thing: str, name: str) -> tuple[Deferred[None], Deferred[None]]:
        """Have a turn; it ends when the second Deferred is fired."""
        work: Deferred[None] = Deferred()

        async def turn() -> None:
            async with self.turns.at(thing):
                self.begun.append(name)
                await work

        return Deferred.fromCoroutine(turn()), work

    def test_one_after_the_other(self) -> None:
        """Turns at one thing come in order; turns at another do not wait for them."""
        first, work = self.enter("x", "first")
        self.enter("x", "second")
        self.enter("y", "other")
        self.assertEqual(self.begun, ["first", "other"])
        work.callback(None)
        self.successResultOf(first)
        self.assertEqual(self.begun, ["first", "other"])
        self.clock.advance(0)
        self.assertEqual(self.begun, ["first", "other", "second"])

    def test_failure(self) -> None:
        """A turn that fails is over."""
        first, work = self.enter("x", "first")
        self.enter("x", "second")
        work.errback(ValueError())
        self.failureResultOf(first, ValueError)
        self.clock.advance(0)
        self.assertEqual(self.begun, ["first", "second"])

    def test_cancelled(self) -> None:
        """Who is cancelled while waiting is skipped; who is cancelled in its turn ends it."""
        first, _ = self.enter("x", "first")
        second, _ = self.enter("x", "second")
        self.enter("x", "third")
        second.cancel()
        self.failureResultOf(second, CancelledError)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.clock.advance(0)
        self.assertEqual(self.begun, ["first", "third"])

    def test_heard_first(self) -> None:
        """Who had a turn hears how it went before the next one begins."""
        first, work = self.enter("x", "first")
        self.enter("x", "second")
        first.addCallback(lambda _: self.begun.append("heard"))
        work.callback(None)
        self.clock.advance(0)
        self.assertEqual(self.begun, ["first", "heard", "second"])

    def test_all_gone_meanwhile(self) -> None:
        """If those who waited have gone when it is their turn, the next to come has it at once."""
        first, work = self.enter("x", "first")
        second, _ = self.enter("x", "second")
        work.callback(None)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.clock.advance(0)
        self.assertNotIn("x", self.turns)
        self.enter("x", "third")
        self.assertEqual(self.begun, ["first", "third"])

    def test_too_late(self) -> None:
        """Who waits too long is refused."""
        self.enter("x", "first")
        second, _ = self.enter("x", "second")
        self.clock.advance(TURN_TIMEOUT)
        self.assertEqual(self.failureResultOf(second, Refused).value.code, 334)

    def test_nothing_left(self) -> None:
        """Nothing is kept of a queue that is empty."""
        first, work = self.enter("x", "first")
        self.assertIn("x", self.turns)
        work.callback(None)
        self.successResultOf(first)
        self.assertNotIn("x", self.turns)
        self.assertEqual(self.clock.getDelayedCalls(), [])
