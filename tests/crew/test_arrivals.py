"""
Tests of `ngrok_twisted.crew.arrivals`.
"""

from __future__ import annotations

import socket
from typing import Any

from ngrok_twisted.crew.arrivals import Arrivals
from ngrok_twisted.crew.frames import NO_DESCRIPTOR
from ngrok_twisted.net.passing import Ends
from tests.crew.visited import Arrival, Owner, Plane
from tests.net.loop import LoopCase


class ArrivalsTests(LoopCase):
    """What a worker does with what it is given."""

    def setUp(self) -> None:
        super().setUp()
        self.plane = Plane()
        self.ssh, self.agents = Owner(), Owner()
        self.handlers = Arrivals(self.plane, self.ssh, self.agents, self.reactor).handlers()

    def arrive(self, kind: str, asked: Any = None, announced: Any = None, data: bytes = b"hello") -> socket.socket:
        """A connection arrives."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            visitor = socket.create_connection(listening.getsockname(), 5)
            accepted, address = listening.accept()
        self.addCleanup(visitor.close)
        self.handlers[kind](Arrival(asked, Ends(address, announced), data), accepted.detach())
        return visitor

    def test_kinds(self) -> None:
        """Each goes to whom it is for, with its address and with what was read."""
        for kind, asked, owner in (
            ("visitor", "app.example.com", self.plane.secure),
            ("plain", None, self.plane.plain_front),
            ("port", 2000, self.plane.port),
            ("ssh", None, self.ssh),
            ("agent", None, self.agents),
        ):
            visitor = self.arrive(kind, asked)
            self.until(lambda: owner.built and owner.built[0].received)
            visitor.sendall(b" and more")
            self.until(lambda: owner.built[0].received == b"hello and more")
            (address,) = owner.addresses
            self.assertEqual((address.host, address.port), visitor.getsockname(), kind)
        self.assertEqual(self.plane.asked, ["app.example.com"])
        self.assertEqual(self.plane.secure.addresses[0].server_name, "app.example.com")

    def test_announced(self) -> None:
        """A visitor is who the load balancer says."""
        self.arrive("port", 2000, (("192.0.2.7", 7), ("192.0.2.8", 8)))
        (address,) = self.plane.port.addresses
        self.assertEqual((address.host, address.port), ("192.0.2.7", 7))
        transport: Any = self.plane.port.built[0].transport
        self.assertEqual(transport.getHost().host, "192.0.2.8")

    def test_nobody(self) -> None:
        """A visitor of a port that nobody has any more is closed."""
        self.assertEqual(self.arrive("port", 2001).recv(1), b"")

    def test_no_room(self) -> None:
        """A descriptor for which there was no room is nobody's."""
        self.handlers["port"](Arrival(2000, Ends(("127.0.0.1", 1), None), b""), NO_DESCRIPTOR)
        self.assertEqual(self.plane.port.built, [])

    def test_no_descriptors(self) -> None:
        """Where no certificate can be read for want of descriptors, the visitor is turned away without a traceback."""

        def fail(addr: Any) -> Any:
            raise OSError(24, "Too many open files")

        self.plane.secure.buildProtocol = fail  # type: ignore[method-assign]
        self.assertEqual(self.arrive("visitor", None).recv(1), b"")

    def test_broken(self) -> None:
        """Any other failure is logged, and the visitor closed."""

        def fail(addr: Any) -> Any:
            raise ZeroDivisionError

        self.ssh.buildProtocol = fail  # type: ignore[method-assign]
        self.assertEqual(self.arrive("ssh").recv(1), b"")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
