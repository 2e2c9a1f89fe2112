"""Tests for `ngrok_twisted.net.stalls`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.net.stalls import BOUNDS, Stalls


class StallsTests(SynchronousTestCase):
    """`Stalls`."""

    def setUp(self) -> None:
        self.stalls = Stalls()

    def noted(self, *seconds: float) -> None:
        """Turns that took so long."""
        for one in seconds:
            self.stalls.turns += 1
            self.stalls.note(one)

    def test_longest(self) -> None:
        """The longest turn is told once, and then counted anew."""
        self.noted(0.006, 0.3, 0.1)
        self.assertEqual(self.stalls.take_longest(), 0.3)
        self.assertEqual(self.stalls.take_longest(), 0.0)
        self.noted(0.007)
        self.assertEqual(self.stalls.take_longest(), 0.007)

    def test_spread(self) -> None:
        """Each turn stands under the first bound that it did not exceed; those that nobody noted under the first of all."""
        self.stalls.turns = 10
        self.noted(0.0051, 0.01, 0.5, 7.0)
        spread = dict(zip((*BOUNDS, None), self.stalls.spread()))
        self.assertEqual(sum(spread.values()), 14)
        self.assertEqual(
            {bound: count for bound, count in spread.items() if count}, {0.005: 10, 0.01: 2, 0.5: 1, None: 1}
        )
