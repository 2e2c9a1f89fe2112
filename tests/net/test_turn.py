"""Tests of `ngrok_twisted.net.turn`."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.net.turn import Turn, soon_of


class TurnTests(SynchronousTestCase):
    """The end of a turn of the reactor."""

    def test_once(self) -> None:
        """What is due in one turn is done by one timed call, in order; what it asks for is done in the next one."""
        clock = Clock()
        turn = Turn(clock)
        done: list[str] = []
        turn.later(lambda: done.append("one"))
        turn.later(lambda: turn.later(lambda: done.append("three")))
        turn.later(lambda: done.append("two"))
        self.assertEqual(len(clock.getDelayedCalls()), 1)
        self.assertEqual(done, [])
        clock.advance(0)
        self.assertEqual(done, ["one", "two", "three"])
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_failure(self) -> None:
        """One that fails at the end of the turn does not keep the others from theirs."""
        clock = Clock()
        turn = Turn(clock)
        done: list[int] = []
        turn.later(lambda: 1 // 0)
        turn.later(lambda: done.append(1))
        clock.advance(0)
        self.assertEqual(done, [1])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_our_reactor(self) -> None:
        """Where the reactor has a way of its own to call something soon, that is taken."""
        clock = Clock()
        asked: list[object] = []
        clock.soon = asked.append  # type: ignore[attr-defined]
        turn = Turn(clock)
        turn.later(lambda: None)
        turn.later(lambda: None)
        self.assertEqual((len(asked), clock.getDelayedCalls()), (1, []))
        self.assertEqual(soon_of(clock), asked.append)
