"""Tests of `benchmarks.login_floor`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.login_floor import calls, measured


class FloorTests(SynchronousTestCase):
    """What cryptography costs."""

    def test_all(self) -> None:
        """Every call is measured, in microseconds."""
        found = measured(0.001)
        self.assertEqual(list(found), list(calls()))
        self.assertGreater(found["Ed25519: verify the user's signature"], 1)
        self.assertTrue(all(0 < cost < 1e5 for cost in found.values()), found)
