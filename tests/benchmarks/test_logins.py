"""
Tests for `benchmarks.suites.logins` and `benchmarks.arms.edge_tunnels`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.arms.edge_tunnels import FewTunnelsArm, ManyTunnelsArm
from benchmarks.suites.logins import LoginsSuite, Storm, parse
from benchmarks.suites.tunnels import VISITORS
from benchmarks.workshop import Unusable
from ngrok_twisted.transports.ssh.kex import KEY_EXCHANGES
from ngrok_twisted.transports.ssh.limits import SSHLimits


class LoginsTests(SynchronousTestCase):
    """A storm of log-ins."""

    def test_said(self) -> None:
        """What the program says is read; what it should not say is a reason to leave the arm out."""
        line = b'{"logins": 1000, "seconds": 1.5, "p50": 0.5, "p99": 1.25}\n'
        self.assertEqual(parse(line), Storm(logins=1000, seconds=1.5, p50=0.5, p99=1.25))
        for bad in (b"", b"cannot connect\n", b"[]\n", b'{"logins": 1}\n'):
            self.assertRaises(Unusable, parse, bad)

    def test_possible(self) -> None:
        """The exchanges are those that the server has, and its limits let the crowd in."""
        for name in LoginsSuite.exchanges.values():
            self.assertIn(name.encode(), KEY_EXCHANGES)
        self.assertGreaterEqual(SSHLimits().unauthenticated_total, 1000)


class TunnelsTests(SynchronousTestCase):
    """Few tunnels and many."""

    def test_alike(self) -> None:
        """Visitors are no more than tunnels that are visited, so that no arm can answer two of them at once."""
        for arm in (FewTunnelsArm, ManyTunnelsArm):
            self.assertLessEqual(VISITORS, arm.active)
            self.assertLessEqual(arm.active, arm.tunnels)
