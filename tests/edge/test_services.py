"""
Tests for `ngrok_twisted.edge.services`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.static import Data

from tests.edge.doubles import Edge, endpoint, get
from tests.edge.wire import Wire, statuses

API = "api.example.com"


def service() -> Data:
    """Answers every path."""
    made = Data(b"the service", "text/plain")
    made.isLeaf = True
    return made


class ServiceCase(SynchronousTestCase):
    """A plane that hosts one service."""

    def setUp(self) -> None:
        self.edge = Edge()
        self.edge.plane.host(API, service())
        self.edge.serve()

    def plain(self, data: bytes, front: Any = None) -> bytes:
        """What a plain listener answers."""
        wire = Wire()
        channel = (front or self.edge.plane.plain_front).buildProtocol(None)
        channel.makeConnection(wire)
        channel.dataReceived(data)
        return wire.value()


class ServiceNameTests(ServiceCase):
    """A name of the service's own on the public listeners."""

    def test_secure(self) -> None:
        """The resource answers on https, with the certificate of the name."""
        answer = self.edge.visit(API).send(get(API))
        self.assertEqual(statuses(answer), [200])
        self.assertIn(b"the service", answer)
        self.assertEqual(self.edge.certificates.asked[0][0], API)
        self.assertEqual(self.edge.flows[0].edge.name, API)

    def test_plain(self) -> None:
        """On the plain front the name leads to https."""
        answer = self.plain(get(API, "/vaults"))
        self.assertEqual(statuses(answer), [307])
        self.assertIn(b"location: https://api.example.com:8443/vaults\r\n", answer)

    def test_other_connection(self) -> None:
        """A connection to another name does not reach it, and the other way round."""
        self.edge.serve(endpoint("ep_1"))
        self.assertEqual(self.edge.visit("app.example.com").ask(API), 421)
        self.assertEqual(self.edge.visit(API).ask("app.example.com"), 421)

    def test_first(self) -> None:
        """No endpoint gets what is for the service: not by the same name, and not by a wildcard over it."""
        for proto, host in (("https", API), ("https", "*.example.com"), ("tls", API), ("tls", "*.example.com")):
            self.edge.serve(endpoint("ep_1", proto, host))
            self.assertIn(b"the service", self.edge.visit(API).send(get(API)))
        self.edge.serve(endpoint("ep_1", "http", "*.example.com", 80))
        self.assertEqual(statuses(self.plain(get(API))), [307])

    def test_stays(self) -> None:
        """It stays, with its connections, whatever records come and go."""
        visitor = self.edge.visit(API)
        self.edge.serve(endpoint("ep_1"))
        self.edge.serve()
        self.assertEqual(visitor.ask(API), 200)


class ServiceFrontTests(ServiceCase):
    """A plain listener of a service's own."""

    def test_any_host(self) -> None:
        """The resource answers whatever host is asked for, and the visitor is counted."""
        front = self.edge.plane.service_front("api", service())
        for host in ("localhost", "127.0.0.1", "app.example.com"):
            self.assertIn(b"the service", self.plain(get(host), front))
        self.assertEqual([flow.edge.name for flow in self.edge.flows], ["api"] * 3)
        self.assertEqual(len(self.edge.plane.visitors), 3)
