"""
Tests of `ngrok_twisted.net.bucket`.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.net.bucket import Bucket


class BucketTests(SynchronousTestCase):
    """What may be spent."""

    def setUp(self) -> None:
        """A bucket of ten that gains two each second."""
        self.clock = Clock()
        self.bucket = Bucket(self.clock, 10, 2)

    def test_ends(self) -> None:
        """It begins full, and ends."""
        self.assertTrue(self.bucket.spend(10))
        self.assertFalse(self.bucket.spend(0.5))

    def test_fills(self) -> None:
        """It fills by the clock, and not beyond its size."""
        self.bucket.spend(10)
        self.clock.advance(1.5)
        self.assertFalse(self.bucket.spend(3.5))
        self.assertTrue(self.bucket.spend(3))
        self.clock.advance(1000)
        self.assertFalse(self.bucket.spend(10.5))
        self.assertTrue(self.bucket.spend(10))

    def test_refusal_costs_nothing(self) -> None:
        """Who asks in vain, again and again, does not wait longer for it."""
        self.bucket.spend(10)
        for _ in range(100):
            self.bucket.spend(1)
        self.clock.advance(0.5)
        self.assertTrue(self.bucket.spend(1))

    def test_earned(self) -> None:
        """What is useful fills it too, and not beyond its size."""
        self.bucket.spend(10)
        self.bucket.earn(4)
        self.assertTrue(self.bucket.spend(4))
        self.bucket.earn(1000)
        self.assertFalse(self.bucket.spend(10.5))
