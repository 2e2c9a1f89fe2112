"""Tests for `ngrok_twisted.net.chores`."""

from __future__ import annotations

from typing import Callable

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.net.chores import PORTION, Chores


class Reactor:
    """Turn by turn; what is put off in a turn is for the next one. Time goes on while somebody works."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[Callable[[], None]] = []

    def seconds(self) -> float:
        """`IReactorTime`."""
        return self.now

    def callLater(self, delay: float, call: Callable[[], None]) -> None:
        """`IReactorTime`."""
        assert delay == 0
        self.calls.append(call)

    def turn(self) -> None:
        """Make the calls that are due."""
        calls, self.calls = self.calls, []
        for call in calls:
            call()


class ChoresTests(SynchronousTestCase):
    """`Chores`."""

    def setUp(self) -> None:
        self.clock = Reactor()
        self.chores = Chores(self.clock)
        self.done: list[int] = []

    def test_done(self) -> None:
        """Whoever wants to know when all is done that was added so far is told then, and not for what comes later."""
        self.chores.add(self.chore, 1)
        done = self.chores.done()
        self.chores.add(self.chore, 2)
        told: list[list[int]] = []
        done.addCallback(lambda _: told.append(list(self.done)))
        self.assertNoResult(done)
        self.clock.turn()
        self.assertEqual((told, self.done), ([[1]], [1, 2]))

    def chore(self, number: int, seconds: float = 0.0) -> None:
        """Note it, and take so long."""
        self.done.append(number)
        self.clock.now += seconds

    def test_later(self) -> None:
        """Nothing is done at once; then all of it is, in order."""
        for number in range(3):
            self.chores.add(self.chore, number)
        self.assertEqual((self.done, len(self.chores)), ([], 3))
        self.clock.turn()
        self.assertEqual((self.done, len(self.chores)), ([0, 1, 2], 0))
        self.assertEqual(self.clock.calls, [])

    def test_portions(self) -> None:
        """What takes longer than a portion waits for the next turn, and always one is done."""
        for number in range(5):
            self.chores.add(self.chore, number, PORTION * 0.6)
        self.clock.turn()
        self.assertEqual(self.done, [0, 1])
        self.clock.turn()
        self.assertEqual(self.done, [0, 1, 2, 3])
        self.chores.add(self.chore, 5, PORTION * 10)
        self.chores.add(self.chore, 6)
        self.clock.turn()
        self.assertEqual(self.done, [0, 1, 2, 3, 4, 5])
        self.clock.turn()
        self.assertEqual((self.done[-1], self.clock.calls), (6, []))

    def test_failure(self) -> None:
        """One that fails is logged and keeps no other from being done; one may add others."""
        self.chores.add(lambda: 1 // 0)
        self.chores.add(lambda: self.chores.add(self.chore, 2))
        self.chores.add(self.chore, 1)
        self.clock.turn()
        self.assertEqual(self.done, [1, 2])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
