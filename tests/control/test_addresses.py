"""
Tests of `ngrok_twisted.control.addresses`.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.addresses import with_ports
from ngrok_twisted.control.lists import read_items
from ngrok_twisted.control.ownership import ReservationSettings
from ngrok_twisted.records.base import Problem


def chosen(*items: Any, last: int = 20009) -> tuple[list[str | None], list[Problem]]:
    """The addresses of these items, ``None`` for one that has none, and what is wrong."""
    settings = ReservationSettings(base_domain="example.com", tcp_host="h", tcp_ports=range(20000, last + 1))
    found: list[Problem] = []
    made = with_ports(read_items({"reserved_addrs": list(items)}).items, settings, found)
    return [item.body and item.body.addr for item in made], found


def named(*names: str, last: int = 20009) -> list[str | None]:
    """The addresses of items that have a name and no address."""
    return chosen(*({"name": name} for name in names), last=last)[0]


class WithPortsTests(SynchronousTestCase):
    """`with_ports`."""

    @given(strategies.lists(strategies.text(min_size=1), max_size=10, unique=True))
    def test_different(self, names: list[str]) -> None:
        """Each address gets a port of the range of its own, the same each time."""
        found = named(*names)
        self.assertEqual(len(set(found)), len(names))
        self.assertTrue(set(found) <= {f"h:{port}" for port in range(20000, 20010)})
        self.assertEqual(named(*names), found)

    def test_order(self) -> None:
        """A port follows from the name, not from the place in the list, and stays what it always was."""
        self.assertEqual(named("a", last=29999), named("b", "a", last=29999)[1:])
        self.assertEqual(named("db", "mail", last=29999), ["h:26388", "h:26291"])

    def test_named(self) -> None:
        """A port that is named is kept, and nobody else gets it, even one who comes earlier."""
        (free,) = named("a")
        self.assertEqual(chosen({"name": "a"}, {"addr": free})[0][1], free)
        self.assertNotEqual(chosen({"name": "a"}, {"addr": free})[0][0], free)

    def test_full(self) -> None:
        """An address without a port is left out, and told of."""
        found, problems = chosen({"name": "a"}, {"name": "b"}, last=20000)
        self.assertEqual(found, ["h:20000", None])
        self.assertEqual([problem.path for problem in problems], ["reserved_addrs"])

    def test_nameless(self) -> None:
        """Without a name there is nothing to choose a port by."""
        found, problems = chosen({"description": "odd"})
        self.assertEqual((found, [problem.path for problem in problems]), ([None], ["reserved_addrs[0]"]))

    def test_unreadable(self) -> None:
        """What cannot be read is left for others to refuse."""
        self.assertEqual(chosen({"addr": "x"}), (["x"], []))
