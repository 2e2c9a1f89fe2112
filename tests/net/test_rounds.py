"""Tests for `ngrok_twisted.net.rounds`."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.net.rounds import STATIONS, VISIT, Rounds

PERIOD = 10.0


class RoundsTests(SynchronousTestCase):
    """Once a period for each."""

    def setUp(self) -> None:
        """Nobody has joined."""
        self.clock = Clock()
        self.rounds = Rounds(self.clock, PERIOD)
        self.visits: list[tuple[float, Any]] = []

    def join(self, member: Any) -> dict[Any, Any]:
        """One more, whose visits are noted."""
        return self.rounds.join(member, lambda: self.visits.append((self.clock.seconds(), member)))

    def pass_time(self, seconds: float) -> None:
        """In steps that no visit is missed by."""
        self.clock.pump([PERIOD / STATIONS / 4] * round(seconds * 4 * STATIONS / PERIOD))

    def test_period(self) -> None:
        """Whoever joins is visited a period later, and again after each."""
        self.join("one")
        self.pass_time(3.5 * PERIOD)
        self.assertEqual(self.visits, [(10.0, "one"), (20.0, "one"), (30.0, "one")])

    def test_spread(self) -> None:
        """Those who come one after the other are visited so, a period after they came, less than a step too early."""
        for number in range(8):
            self.join(number)
            self.pass_time(1.1)
        self.pass_time(PERIOD)
        self.assertEqual([member for _, member in self.visits][:8], list(range(8)))
        for at, member in self.visits[:8]:
            self.assertTrue(PERIOD - PERIOD / STATIONS <= at - member * 1.1 <= PERIOD + PERIOD / STATIONS, self.visits)

    def test_leave(self) -> None:
        """Who has left is not visited, and when all have there is no timer."""
        station = self.join("one")
        other = self.join("other")
        self.rounds.leave("one", station)
        self.rounds.leave("one", station)
        self.assertEqual(len(self.rounds), 1)
        self.pass_time(1.5 * PERIOD)
        self.assertEqual(self.visits, [(10.0, "other")])
        self.rounds.leave("other", other)
        self.assertEqual((len(self.rounds), self.clock.getDelayedCalls()), (0, []))

    def test_begins_anew(self) -> None:
        """After all have left, the next one has its whole period before it."""
        station = self.join("one")
        self.clock.advance(PERIOD * 1.7)
        self.rounds.leave("one", station)
        self.visits.clear()
        self.clock.advance(33.3)
        self.join("two")
        self.pass_time(PERIOD * 0.95)
        self.assertEqual(self.visits, [])
        self.pass_time(PERIOD * 0.1)
        self.assertEqual([member for _, member in self.visits], ["two"])

    def test_leaves_while_visited(self) -> None:
        """A visit may lead to the end of the one visited, and of others that would be next."""
        stations: dict[str, Any] = {}

        def end() -> None:
            self.visits.append((self.clock.seconds(), "first"))
            for name in ("first", "second"):
                self.rounds.leave(name, stations[name])

        stations["first"] = self.rounds.join("first", end)
        stations["second"] = self.join("second")
        self.join("third")
        self.clock.advance(PERIOD)
        self.assertEqual([member for _, member in self.visits], ["first", "third"])

    def test_last_leaves_while_visited(self) -> None:
        """If the last one leaves while it is visited nothing is left to wait for."""
        station: dict[str, Any] = {}
        station["one"] = self.rounds.join("one", lambda: self.rounds.leave("one", station["one"]))
        self.clock.advance(PERIOD)
        self.assertEqual((len(self.rounds), self.clock.getDelayedCalls()), (0, []))

    def test_after_a_pause(self) -> None:
        """After time in which nothing ran each is visited once, not for all the periods that have passed."""
        self.join("one")
        self.clock.advance(5 * PERIOD)
        self.assertEqual([member for _, member in self.visits], ["one"])

    def test_turns(self) -> None:
        """Many of one station are visited in several turns, each of a bounded time."""
        turns: list[float] = []

        def slowly() -> None:
            self.clock.rightNow += VISIT / 4
            turns.append(self.clock.seconds())

        for number in range(10):
            self.rounds.join(number, slowly)
        self.clock.rightNow += PERIOD
        due = [call for call in self.clock.getDelayedCalls() if call.getTime() <= self.clock.seconds()]
        self.assertEqual(len(due), 1)
        call = self.clock.calls.pop(0)
        call.called = 1
        call.func()
        self.assertEqual(len(turns), 4)
        self.clock.advance(0)
        self.assertEqual(len(turns), 10)

    def test_failure(self) -> None:
        """One that fails is logged, and the others are visited."""

        def fail() -> None:
            raise ValueError("as it happens")

        self.rounds.join("bad", fail)
        self.join("good")
        self.clock.advance(PERIOD)
        self.assertEqual([member for _, member in self.visits], ["good"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
