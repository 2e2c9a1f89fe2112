"""
Tests for ``ngrok_twisted.edge.http2_patience``.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.http2_patience import MOST, PER_SECOND, RESET, Patience, cost_of, cost_of_head
from ngrok_twisted.upstream import http2_frames as h2


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

    def test_useful(self) -> None:
        """Requests and their bodies cost nothing."""
        self.assertEqual(cost_of(h2.HEADERS, 0, 0), 0)
        self.assertEqual(cost_of(h2.DATA, 0, 1), 0)
        self.assertEqual(cost_of(h2.DATA, h2.PADDED, 2), 0)

    def test_empty_data(self) -> None:
        """Data without data costs, unless it ends a body; padding is no data."""
        self.assertEqual(cost_of(h2.DATA, 0, 0), 1)
        self.assertEqual(cost_of(h2.DATA, h2.PADDED, 1), 1)
        self.assertEqual(cost_of(h2.DATA, h2.END_STREAM, 0), 0)

    def test_settings(self) -> None:
        """A frame of settings costs by how many they are."""
        self.assertEqual(cost_of(h2.SETTINGS, 0, 0), 1)
        self.assertEqual(cost_of(h2.SETTINGS, 0, 6 * 100), 101)

    def test_everything_else(self) -> None:
        """All other frames cost one, those that nobody knows too."""
        for kind in (h2.PRIORITY, h2.RST_STREAM, h2.PING, h2.GOAWAY, h2.WINDOW_UPDATE, h2.CONTINUATION, 0x10, 0xFF):
            self.assertEqual(cost_of(kind, 0, 8), 1, kind)

    def test_unpacked(self) -> None:
        """A head costs what it is longer than what was sent of it, but for what a browser repeats; the largest costs all."""
        self.assertEqual(cost_of_head(-100), 0)
        self.assertEqual(cost_of_head(20_000), 0)
        self.assertLess(0, cost_of_head(40_000))
        self.assertGreater(2 * cost_of_head(1024 * 1024), MOST)
