"""
Tests for `ngrok_twisted.control.api.limits`.
"""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.api import limits
from ngrok_twisted.control.api.limits import RollingLimit, neighbourhood


class RollingLimitTests(SynchronousTestCase):
    """How many are let through."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)

    def use(self, limit: RollingLimit, caller: str = "a", times: int = 1) -> None:
        """So many requests of one caller."""
        for _ in range(times):
            limit.count(caller)

    def test_rolling(self) -> None:
        """What was counted is forgotten a minute later, not at the turn of some minute."""
        limit = RollingLimit(self.clock, 3)
        self.use(limit, times=2)
        self.clock.advance(30)
        self.assertEqual(limit.wait("a"), 0)
        self.use(limit)
        self.assertEqual(limit.wait("a"), 30)
        self.clock.advance(29)
        self.assertEqual(limit.wait("a"), 1)
        self.clock.advance(1)
        self.assertEqual(limit.wait("a"), 0)
        self.use(limit, times=2)
        self.assertEqual(limit.wait("a"), 30)

    def test_surplus(self) -> None:
        """Where more were counted than may be, so many of them must be forgotten that there is room again."""
        limit = RollingLimit(self.clock, 2)
        self.use(limit)
        self.clock.advance(10)
        self.use(limit, times=2)
        self.assertEqual(limit.wait("a"), 60)

    def test_callers(self) -> None:
        """Each caller is counted alone."""
        limit = RollingLimit(self.clock, 1)
        self.use(limit)
        self.assertEqual((limit.wait("a"), limit.wait("b")), (60, 0))

    def test_off(self) -> None:
        """Zero is no limit."""
        limit = RollingLimit(self.clock, 0)
        self.use(limit, times=1000)
        self.assertEqual(limit.wait("a"), 0)

    def test_bound(self) -> None:
        """Of too many callers the one that was silent for longest is forgotten."""
        self.patch(limits, "CALLERS_MAX", 2)
        limit = RollingLimit(self.clock, 1)
        for caller in ("a", "b", "a", "c"):
            self.use(limit, caller)
        self.assertEqual([limit.wait(caller) > 0 for caller in "abc"], [True, False, True])


class NeighbourhoodTests(SynchronousTestCase):
    """What counts as one address."""

    def test_addresses(self) -> None:
        """An IPv4 address in either form, and the network of an IPv6 address; anything else is itself."""
        for host, expected in (
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2::9", "2001:db8:1:2::"),
            ("fe80::1%eth0", "fe80::"),
            ("", ""),
            ("a socket", "a socket"),
        ):
            self.assertEqual(neighbourhood(host), expected)
