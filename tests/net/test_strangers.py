"""Tests of `ngrok_twisted.net.strangers`."""

from __future__ import annotations

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.net.strangers import Strangers, network_of


def at(host: str) -> IPv4Address:
    """An address of that host."""
    return IPv4Address("TCP", host, 1)


class StrangersTests(SynchronousTestCase):
    """Who may come in."""

    def test_network(self) -> None:
        """A network that has all its places is turned away, another is not; a place that is given back can be had again."""
        strangers = Strangers(total=10, per_network=2)
        for name, host in (("a", "192.0.2.1"), ("b", "192.0.2.200")):
            self.assertFalse(strangers.crowded(at(host)))
            strangers.add(name, at(host))
        self.assertTrue(strangers.crowded(at("192.0.2.9")))
        self.assertFalse(strangers.crowded(at("192.0.3.9")))
        strangers.discard("a")
        strangers.discard("a")
        self.assertFalse(strangers.crowded(at("192.0.2.9")))
        self.assertEqual(len(strangers), 1)

    def test_total(self) -> None:
        """All together have a bound too, which holds for loopback and for what has no address."""
        strangers = Strangers(total=3, per_network=1)
        for name, address in (("a", at("127.0.0.1")), ("b", at("127.0.0.1")), ("c", UNIXAddress(None))):
            self.assertFalse(strangers.crowded(address))
            strangers.add(name, address)
        for address in (at("127.0.0.1"), at("198.51.100.1"), UNIXAddress(None)):
            self.assertTrue(strangers.crowded(address))

    def test_networks(self) -> None:
        """Addresses are counted by /24 and /48."""
        self.assertEqual(network_of("192.0.2.77"), "192.0.2.0/24")
        self.assertEqual(network_of("2001:db8:1:2::1"), "2001:db8:1::/48")
        self.assertEqual([network_of("::1"), network_of("not an address")], ["", ""])
