"""
Tests of `ngrok_twisted.roster`.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.roster import Roster


class RosterTests(SynchronousTestCase):
    """`Roster`."""

    def setUp(self) -> None:
        """Three are here, two of them with one credential."""
        self.clock = Clock()
        self.roster = Roster(self.clock)
        for one, credential_id in (("a", "cr_1"), ("b", "cr_2"), ("c", "cr_1")):
            self.roster.arrived(one, credential_id)

    def emptied(self) -> Deferred[int]:
        """What waits until all have left, for five seconds."""
        return Deferred.fromCoroutine(self.roster.emptied(5))

    def test_here(self) -> None:
        """It knows who is here, and may change while one goes through it."""
        self.assertEqual((list(self.roster), len(self.roster)), (["a", "b", "c"], 3))
        for one in self.roster:
            self.roster.left(one)
        self.assertEqual((list(self.roster), len(self.roster)), ([], 0))

    def test_counts(self) -> None:
        """It counts those of a credential; who leaves twice is missed once, and nothing is kept of those who have left."""
        self.assertEqual([self.roster.count(credential_id) for credential_id in ("cr_1", "cr_2", "cr_3")], [2, 1, 0])
        for _ in range(2):
            self.roster.left("a")
        self.assertEqual(self.roster.count("cr_1"), 1)
        self.roster.left("c")
        self.assertEqual((self.roster.count("cr_1"), dict(self.roster._counts)), (0, {"cr_2": 1}))

    def test_emptied(self) -> None:
        """Whoever waits for the last one hears when that has left, and not before; no timed call is left."""
        waiting = self.emptied()
        for one in self.roster:
            self.assertNoResult(waiting)
            self.roster.left(one)
        self.assertEqual(self.successResultOf(waiting), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.successResultOf(self.emptied()), 0)

    def test_late(self) -> None:
        """Nobody is waited for without end, and who leaves later may."""
        waiting = self.emptied()
        self.roster.left("a")
        self.clock.advance(5)
        self.assertEqual(self.successResultOf(waiting), 2)
        for one in self.roster:
            self.roster.left(one)
        self.assertEqual(len(self.roster), 0)
