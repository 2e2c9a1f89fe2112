"""
Tests of `ngrok_twisted.control.drawing`.
"""

from __future__ import annotations

from random import Random
from typing import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.drawing import DRAWS, Drawing
from ngrok_twisted.control.ownership import Ownership, Place, ReservationSettings
from ngrok_twisted.control.slots import SlotMemory
from ngrok_twisted.errors import Refused
from ngrok_twisted.records.base import Put, Record, Snapshot
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.records.reserved_addr import ReservedAddr
from ngrok_twisted.records.reserved_domain import ReservedDomain
from tests.control.test_ownership import Edge

HOST = "tcp.base.example"


class DrawingTests(SynchronousTestCase):
    """`Drawing`."""

    def setUp(self) -> None:
        """Nobody has anything."""
        self.memory = SlotMemory(Clock(), 600)
        self.taken: Callable[[str, Place], bool] = lambda proto, place: False

    def drawing(self, *records: Record, ports: range = range(2000, 2050), seed: int = 5) -> Drawing:
        """A drawing before these records."""
        settings = ReservationSettings(base_domain="base.example", tcp_host=HOST, tcp_ports=ports)
        owned = Ownership(Snapshot().with_changes(map(Put, records)))
        is_wanted = lambda proto, place: self.taken(proto, place)
        return Drawing(settings, Random(seed), self.memory, lambda: owned, is_wanted)

    def test_name(self) -> None:
        """A name is right under the base domain, on the port of its scheme."""
        for proto, port in (("https", 443), ("tls", 443), ("http", 80)):
            place = self.drawing().name(proto)
            self.assertEqual((place.namespace, place.port), ("", port))
            self.assertEqual(place.host.partition(".")[2], "base.example")

    def test_free_on_all_ports(self) -> None:
        """A name that is used for another scheme, or reserved, is not drawn."""
        first = self.drawing().name("https").host
        self.taken = lambda proto, place: place == Place("", first, 80)
        second = self.drawing().name("https").host
        self.assertNotEqual(second, first)
        third = self.drawing(ReservedDomain(id="1", domain=second)).name("https").host
        self.assertNotIn(third, (first, second))

    def test_no_name(self) -> None:
        """The search for a name ends."""
        asked: list[Place] = []
        self.taken = lambda proto, place: not asked.append(place)  # type: ignore[func-returns-value]
        self.assertRaises(Refused, self.drawing().name, "https")
        self.assertEqual(len(asked), DRAWS)

    def test_last_port(self) -> None:
        """The only port that nobody has is found, and who has the others makes no difference."""
        kept = {2007, 2008, 2009, 2010}
        self.taken = lambda proto, place: proto == "tcp" and place.port not in kept
        drawing = self.drawing(
            ReservedAddr(id="1", host=HOST, port=2007),
            Edge(id="2", hostports=(f"{HOST}:2008",)),
            Endpoint(id="3", proto="tcp", host=HOST, port=2009, type="cloud"),
        )
        self.assertEqual(drawing.port(), Place("", HOST, 2010))

    def test_exhausted(self) -> None:
        """A range without a free port is refused, one without any port too."""
        self.assertRaises(Refused, self.drawing(ports=range(0)).port)
        self.taken = lambda proto, place: True
        self.assertIn("50", self.assertRaises(Refused, self.drawing().port).message)

    def test_just_left(self) -> None:
        """Ports that somebody may come back for are drawn last."""
        for port in range(2001, 2050):
            self.memory.leave("c", None, HOST, port)
        self.assertEqual({self.drawing(seed=seed).port().port for seed in range(20)}, {2000})
        self.taken = lambda proto, place: place.port == 2000
        self.assertGreater(self.drawing().port().port, 2000)
