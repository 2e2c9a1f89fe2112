"""
Tests of `ngrok_twisted.crew.departures`.
"""

from __future__ import annotations

import os
import pickle
import socket
from typing import Any

from ngrok_twisted.crew import departures as module
from ngrok_twisted.crew.departures import (
    DealingFront,
    DealingPlainFront,
    DealtAgents,
    DealtPort,
    Departures,
)
from ngrok_twisted.crew.frames import NO_DESCRIPTOR
from ngrok_twisted.edge.door import AgentDoor
from ngrok_twisted.edge.front import PlainFront
from ngrok_twisted.edge.homes import ANYWHERE
from ngrok_twisted.edge.ports import PortFactory
from ngrok_twisted.edge.visitors import Visitors
from ngrok_twisted.net.announced import Announced
from ngrok_twisted.networks import NetworkSet, parse_network
from tests.crew.visited import Arrival, Owner, Plane
from tests.edge.doubles import get, hello
from tests.edge.wire import RecordingSite, Render
from tests.net.loop import LoopCase

HELLO = hello("app.example.com")


class FakeWire:
    """To a worker that takes everything."""

    def __init__(self) -> None:
        self.is_busy = self.is_lost = False
        self.sent: list[tuple[str, Arrival, int]] = []

    def send(self, kind: str, value: Any, descriptor: int = NO_DESCRIPTOR) -> None:
        self.sent.append((kind, Arrival(*pickle.loads(pickle.dumps(value))), descriptor))


class FakeHomes:
    """Knows where edges are."""

    def __init__(self) -> None:
        self.places: dict[Any, int] = {}

    def place_of(self, edge: Any) -> int:
        return self.places.get(edge, 0)


class MainCase(LoopCase):
    """The main process, with a worker at place 1."""

    def setUp(self) -> None:
        super().setUp()
        self.plane = Plane()
        self.homes = FakeHomes()
        self.wire = FakeWire()
        self.agents_go = 0
        self.departures = Departures({1: self.wire}, self.homes, self.deal, self.reactor)  # type: ignore[arg-type]
        self.addCleanup(self._close)

    def _close(self) -> None:
        for _, _, descriptor in self.wire.sent:
            os.close(descriptor)

    def deal(self, places: list[int]) -> int:
        self.asked = list(places)
        return self.agents_go

    def visit(self, factory: Any, data: bytes = b"") -> socket.socket:
        """Connect, and say something."""
        port = self.reactor.listenTCP(0, factory, interface="127.0.0.1")
        visitor = socket.create_connection(("127.0.0.1", port.getHost().port), 5)
        self.addCleanup(visitor.close)
        if data:
            visitor.sendall(data)
        return visitor

    def left(self) -> Arrival:
        """The connection that went to the worker."""
        self.until(lambda: self.wire.sent)
        ((self.kind, arrival, self.descriptor),) = self.wire.sent
        return arrival

    def assertAlive(self, visitor: socket.socket) -> None:
        """The descriptor that was sent is the visitor's connection, and the reactor has forgotten it."""
        with socket.socket(fileno=os.dup(self.descriptor)) as copy:
            copy.sendall(b"from there")
        self.assertEqual(visitor.recv(100), b"from there")
        visitor.sendall(b"not for main")
        self.turn()
        with socket.socket(fileno=os.dup(self.descriptor)) as copy:
            self.assertEqual(copy.recv(100), b"not for main")


class SecureTests(MainCase):
    """Visitors of the https listener."""

    def setUp(self) -> None:
        super().setUp()
        self.front = DealingFront(self.plane, self.reactor, self.departures)

    def test_leaves(self) -> None:
        """Who asks for a name whose tunnels are elsewhere goes there, with the name and all that was read."""
        self.homes.places[self.plane.secure] = 1
        visitor = self.visit(self.front, HELLO + b"more")
        arrival = self.left()
        self.assertEqual((self.kind, arrival.asked, arrival.data), ("visitor", "app.example.com", HELLO + b"more"))
        self.assertEqual(tuple(arrival.ends[0]), visitor.getsockname())
        self.assertEqual(self.plane.secure.built, [])
        self.assertAlive(visitor)

    def test_stays(self) -> None:
        """Who asks for another stays."""
        self.visit(self.front, HELLO)
        self.until(lambda: self.plane.secure.built and self.plane.secure.built[0].received)
        self.assertEqual(bytes(self.plane.secure.built[0].received), HELLO)
        self.assertEqual(self.wire.sent, [])

    def stays(self) -> None:
        """A visitor of the worker stays here."""
        self.homes.places[self.plane.secure] = 1
        self.visit(self.front, HELLO)
        self.until(lambda: self.plane.secure.built and self.plane.secure.built[0].received)
        self.assertEqual(self.wire.sent, [])
        self.assertEqual(bytes(self.plane.secure.built[0].received), HELLO)

    def test_busy(self) -> None:
        """A worker that is behind with what it was sent gets no more."""
        self.wire.is_busy = True
        self.stays()

    def test_lost(self) -> None:
        """Nor does one that is gone."""
        self.wire.is_lost = True
        self.stays()

    def test_lost_on_the_way(self) -> None:
        """Nor does one that cannot have the connection after all."""
        self.patch(self.departures, "send_socket", lambda *arguments: False)
        self.stays()

    def test_turned_away_here(self) -> None:
        """Who stays for that reason may not be wanted here either."""
        self.patch(self.departures, "send_socket", lambda *arguments: False)
        self.homes.places[self.plane.secure] = 1
        self.patch(self.plane.secure, "buildProtocol", lambda addr: None)
        visitor = self.visit(self.front, HELLO)
        self.until(lambda: self.plane.asked)
        self.turn()
        self.assertRaises(ConnectionResetError, visitor.recv, 1)

    def in_pieces(self) -> socket.socket:
        """A visitor whose ClientHello comes in two pieces."""
        self.homes.places[self.plane.secure] = 1
        visitor = self.visit(self.front, HELLO[:20])
        self.turn()
        visitor.sendall(HELLO[20:])
        return visitor

    def test_leaves_in_pieces(self) -> None:
        """Who had to be waited for goes, too, with all that was read."""
        visitor = self.in_pieces()
        self.assertEqual(self.left().data, HELLO)
        self.assertAlive(visitor)

    def test_lost_in_pieces(self) -> None:
        """Or stays."""
        self.patch(module, "can_let_go", lambda transport: False)
        self.in_pieces()
        self.until(lambda: self.plane.secure.built and self.plane.secure.built[0].received)
        self.assertEqual(bytes(self.plane.secure.built[0].received), HELLO)

    def test_not_told(self) -> None:
        """Nor does one that does not know of all tunnels yet."""
        self.departures._is_told = lambda place: False
        self.stays()

    def test_anywhere(self) -> None:
        """Who needs no tunnel goes to each in turn."""
        self.homes.places[self.plane.secure] = ANYWHERE
        for _ in range(4):
            self.visit(self.front, HELLO)
        self.until(lambda: len(self.plane.secure.built) + len(self.wire.sent) == 4)
        self.assertEqual(len(self.wire.sent), 2)

    def test_agent(self) -> None:
        """An agent goes where the dealer says."""
        door = AgentDoor("connect.example.com", Owner(), None, self.reactor)
        self.plane.secure = door  # type: ignore[assignment]
        self.agents_go = 1
        self.visit(self.front, HELLO)
        self.left()
        self.assertEqual((self.kind, self.asked), ("visitor", [1]))


class PlainTests(MainCase):
    """Visitors of the http listener."""

    def setUp(self) -> None:
        super().setUp()
        self.visitors = Visitors()
        self.site = RecordingSite(Render(lambda request: b"here"), self.reactor, proto="http")
        self.front = DealingPlainFront(PlainFront(self.site, self.visitors), self.plane, self.departures)
        self.homes.places[self.plane.plain] = 1

    def assertStays(self, data: bytes) -> None:
        """A visitor who says this is answered here."""
        visitor = self.visit(self.front, data)
        visitor.setblocking(False)
        self.until(lambda: self._answered(visitor))
        self.assertEqual(self.wire.sent, [])

    def _answered(self, visitor: socket.socket) -> bool:
        try:
            return visitor.recv(100).startswith(b"HTTP/1.1 ")
        except BlockingIOError:
            return False

    def test_leaves(self) -> None:
        """Whose first request is for a name elsewhere goes there, and is counted here no more."""
        request = b"GET / HTTP/1.1\r\nUser-Agent: x\r\nhOST:  App.example.com:8080 \r\n\r\n"
        visitor = self.visit(self.front, request)
        arrival = self.left()
        self.assertEqual((self.kind, arrival.asked, arrival.data), ("plain", None, request))
        self.assertEqual((len(self.visitors), self.site.flows), (0, []))
        self.assertAlive(visitor)

    def test_stays(self) -> None:
        """Others stay, and so do those of whom one cannot tell at once."""
        self.assertStays(get("other.example.com"))
        self.assertStays(b"GET / HTTP/1.0\r\n\r\n")
        self.assertStays(b"garbage \x00\r\n\r\n")

    def test_in_pieces(self) -> None:
        """A name that does not come with the first bytes is not waited for."""
        request = get("app.example.com")
        visitor = self.visit(self.front, request[:10])
        self.until(lambda: len(self.visitors) and not self.visitors.by_proto["https"])
        self.turn(20)
        visitor.sendall(request[10:])
        visitor.setblocking(False)
        self.until(lambda: self._answered(visitor))
        self.assertEqual(self.wire.sent, [])

    def test_silent(self) -> None:
        """Who says nothing is counted, and forgotten when it leaves."""
        visitor = self.visit(self.front)
        self.until(lambda: len(self.visitors) == 1)
        self.assertTrue(self.visitors.arriving)
        visitor.close()
        self.until(lambda: not len(self.visitors))

    def test_busy(self) -> None:
        """A worker that is behind gets none."""
        self.wire.is_busy = True
        self.assertStays(get("app.example.com"))

    def test_lost_on_the_way(self) -> None:
        """A connection that cannot leave after all is served here."""
        self.patch(self.departures, "send_socket", lambda *arguments: False)
        self.assertStays(get("app.example.com"))

    def late(self) -> socket.socket:
        """A visitor who waits a moment before it speaks."""
        visitor = self.visit(self.front)
        self.until(lambda: len(self.visitors) == 1)
        visitor.sendall(get("app.example.com"))
        return visitor

    def test_leaves_late(self) -> None:
        """Who had to be waited for goes, too, and is counted here no more."""
        visitor = self.late()
        self.assertEqual(self.left().data, get("app.example.com"))
        self.assertEqual(len(self.visitors), 0)
        self.assertAlive(visitor)

    def test_lost_late(self) -> None:
        """Or stays."""
        self.patch(module, "can_let_go", lambda transport: False)
        visitor = self.late()
        visitor.setblocking(False)
        self.until(lambda: self._answered(visitor))


class PortTests(MainCase):
    """Visitors of public TCP ports."""

    def setUp(self) -> None:
        super().setUp()
        self.factory = DealtPort(PortFactory(2000, self.plane.router.ports.get), self.departures)

    def test_leaves(self) -> None:
        """A visitor of a port whose tunnels are elsewhere goes there, though it has said nothing."""
        self.homes.places[self.plane.port] = 1
        visitor = self.visit(self.factory)
        arrival = self.left()
        self.assertEqual((self.kind, arrival.asked, arrival.data), ("port", 2000, b""))
        self.assertAlive(visitor)

    def test_stays(self) -> None:
        """Others stay."""
        self.visit(self.factory, b"hello")
        self.until(lambda: self.plane.port.built and self.plane.port.built[0].received == b"hello")

    def test_announced(self) -> None:
        """What a load balancer says of the visitor goes along, and what came behind that."""
        self.homes.places[self.plane.port] = 1
        trusted = NetworkSet([parse_network("127.0.0.1", bare=True)])
        around = Announced(self.factory, trusted, self.reactor)
        self.visit(around, b"PROXY TCP4 192.0.2.7 192.0.2.8 7 8\r\nfirst")
        arrival = self.left()
        self.assertEqual(arrival.data, b"first")
        self.assertEqual(arrival.ends[1], (("192.0.2.7", 7), ("192.0.2.8", 8)))


class AgentTests(MainCase):
    """Agents on listeners of their own."""

    def test_leaves(self) -> None:
        """An agent goes where the dealer says."""
        self.agents_go = 1
        owner = Owner()
        self.visit(DealtAgents(owner, "ssh", self.departures))
        self.assertEqual((self.left().asked, self.kind, owner.built), (None, "ssh", []))

    def test_stays(self) -> None:
        """Or stays."""
        owner = Owner()
        self.visit(DealtAgents(owner, "ssh", self.departures), b"SSH-2.0-x\r\n")
        self.until(lambda: owner.built and owner.built[0].received)

    def test_busy(self) -> None:
        """A worker that is behind is not dealt any."""
        self.wire.is_busy = True
        self.visit(DealtAgents(Owner(), "ssh", self.departures))
        self.until(lambda: hasattr(self, "asked"))
        self.assertEqual(self.asked, [])
