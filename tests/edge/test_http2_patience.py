"""
Tests for ``ngrok_twisted.edge.http2_patience``.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.http2_patience import MOST, PER_SECOND, RESET, Patience, cost_of_head, cost_of_settings


class PatienceTests(SynchronousTestCase):
    """What a connection may do for nothing."""

    def test_ends(self) -> None:
        """It ends with what was given."""
        patience = Patience(Clock())
        self.assertTrue(patience.spend(MOST))
        self.assertFalse(patience.spend(1))

    def test_comes_back(self) -> None:
        """Each second brings some back, and no more than there was at first."""
        clock = Clock()
        patience = Patience(clock)
        self.assertTrue(patience.spend(MOST))
        clock.advance(2)
        self.assertTrue(patience.spend(2 * PER_SECOND))
        self.assertFalse(patience.spend(1))
        clock.advance(10 * MOST)
        self.assertFalse(patience.spend(MOST + 1))

    def test_steady(self) -> None:
        """Who stays under the rate is never told off, however long it goes on."""
        clock = Clock()
        patience = Patience(clock)
        for _ in range(1000):
            clock.advance(1)
            self.assertTrue(patience.spend(PER_SECOND))

    def test_is_earned(self) -> None:
        """Useful work makes up for what was spent, and cannot be saved up beyond the beginning."""
        patience = Patience(Clock())
        patience.earn(MOST)
        self.assertTrue(patience.spend(MOST))
        patience.earn(RESET)
        self.assertTrue(patience.spend(RESET))
        self.assertFalse(patience.spend(1))


class CostTests(SynchronousTestCase):
    """What frames cost."""

    def test_settings(self) -> None:
        """A frame of settings costs by how many they are."""
        self.assertEqual(cost_of_settings(0), 1)
        self.assertEqual(cost_of_settings(6 * 100), 101)

    def test_unpacked(self) -> None:
        """A head costs what it is longer than what was sent of it, but for what a browser repeats; the largest costs all."""
        self.assertEqual(cost_of_head(-100), 0)
        self.assertEqual(cost_of_head(20_000), 0)
        self.assertLess(0, cost_of_head(40_000))
        self.assertGreater(2 * cost_of_head(1024 * 1024), MOST)
