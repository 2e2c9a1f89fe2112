"""
Tests of `ngrok_twisted.control.addresses`.
"""

from __future__ import annotations

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.addresses import chosen_ports
from ngrok_twisted.control.config import TCP, Config, PortRange
from ngrok_twisted.control.items import AddrItem


def ports(*items: AddrItem, last: int = 20009) -> list[int]:
    """The ports of these addresses."""
    config = Config(tcp=TCP(host="h", ports=PortRange(20000, last)), reserved_addrs=items)
    return [port for _, port in chosen_ports(config)]


class ChosenPortsTests(SynchronousTestCase):
    """`chosen_ports`."""

    @given(strategies.lists(strategies.text(min_size=1), max_size=10, unique=True))
    def test_different(self, names: list[str]) -> None:
        """Each address gets a port of the range of its own, the same each time."""
        items = [AddrItem(name=name) for name in names]
        found = ports(*items)
        self.assertEqual(len(set(found)), len(names))
        self.assertTrue(all(20000 <= port <= 20009 for port in found))
        self.assertEqual(ports(*items), found)

    def test_order(self) -> None:
        """A port follows from the name, not from the place in the list."""
        self.assertEqual(
            ports(AddrItem(name="a"), last=29999), ports(AddrItem(name="b"), AddrItem(name="a"), last=29999)[1:]
        )

    def test_named(self) -> None:
        """A port that is named is kept, and nobody else gets it, even one who comes earlier."""
        (free,) = ports(AddrItem(name="a"))
        self.assertEqual(ports(AddrItem(name="a"), AddrItem(addr=f"h:{free}"))[1], free)
        self.assertNotEqual(ports(AddrItem(name="a"), AddrItem(addr=f"h:{free}"))[0], free)

    def test_full(self) -> None:
        """An address without a port is left out."""
        self.assertEqual(len(ports(AddrItem(name="a"), AddrItem(name="b"), AddrItem(addr="x"), last=20000)), 1)
