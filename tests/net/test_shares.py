"""
Tests of `ngrok_twisted.net.shares`.
"""

from __future__ import annotations

from typing import Any, Callable

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.net.shares import SHARE, Shares


class Turns:
    """
    A reactor that goes round when it is told to, whatever time it is.

    :ivar now: seconds.
    :ivar due: what is to be done in the next turn.
    """

    def __init__(self) -> None:
        self.now = 100.0
        self.due: list[Callable[[], object]] = []

    def seconds(self) -> float:
        """IReactorTime."""
        return self.now

    def callLater(self, delay: float, call: Callable[[], object]) -> None:
        """IReactorTime."""
        assert not delay
        self.due.append(call)


class SharesTests(SynchronousTestCase):
    """Who has a turn when."""

    def setUp(self) -> None:
        """Nothing waits."""
        self.clock = Turns()
        self.shares = Shares(self.clock)
        self.done: list[Any] = []

    def work(self, name: Any, seconds: float = 0.0) -> Callable[[], None]:
        """Work that takes so long."""

        def run() -> None:
            self.done.append(name)
            self.clock.now += seconds

        return run

    def turn(self) -> list[Any]:
        """One turn of the reactor. :return: what was done in it."""
        self.done.clear()
        due, self.clock.due = self.clock.due, []
        for call in due:
            call()
        return list(self.done)

    def test_at_once(self) -> None:
        """Work is done at once while there is time for it."""
        for number in range(1000):
            self.shares.do("a", self.work(number))
        self.assertEqual(self.done, list(range(1000)))
        self.turn()
        self.assertEqual(self.clock.due, [])

    def test_used_up(self) -> None:
        """When the time of a turn is used up the rest waits for the next, in order."""
        for number in range(5):
            self.shares.do("a", self.work(number, SHARE * 0.6))
        self.assertEqual(self.done, [0, 1])
        self.assertEqual([self.turn(), self.turn(), self.turn()], [[2, 3], [4], []])
        self.assertEqual(self.clock.due, [])

    def test_next_turn(self) -> None:
        """Each turn has its own time."""
        for _ in range(3):
            self.shares.do("a", self.work("x", 2 * SHARE))
            self.assertEqual(self.done, ["x"])
            self.turn()
            self.done.clear()

    def test_parties(self) -> None:
        """Who has much to do does not keep others waiting for more than one piece of it."""
        for number in range(50):
            self.shares.do("a", self.work(f"a{number}", 2 * SHARE))
        self.shares.do("b", self.work("b", 2 * SHARE))
        self.shares.do("c", self.work("c", 2 * SHARE))
        self.assertEqual(self.done, ["a0"])
        self.assertEqual([self.turn() for _ in range(5)], [["a1"], ["b"], ["c"], ["a2"], ["a3"]])

    def test_not_inside(self) -> None:
        """Work that is made by other work is done after it."""

        def outer() -> None:
            self.shares.do("a", self.work("inner"))
            self.done.append("outer")

        self.shares.do("a", outer)
        self.assertEqual(self.done, ["outer"])
        self.assertEqual(self.turn(), ["inner"])

    def test_fails(self) -> None:
        """Work that fails is logged, and keeps nothing else from being done."""

        def broken() -> None:
            raise ZeroDivisionError()

        self.shares.do("a", broken)
        self.shares.do("a", self.work("next"))
        self.assertEqual(self.done, ["next"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_clock_goes_back(self) -> None:
        """A clock that is set back gives nobody more time."""
        self.shares.do("a", self.work("x", 2 * SHARE))
        self.shares.do("a", self.work("y", -1000))
        self.assertEqual([self.turn(), self.turn()], [["y"], []])
