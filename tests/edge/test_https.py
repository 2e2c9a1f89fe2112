"""
Tests for `ngrok_twisted.edge.https`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ngrok_twisted.interfaces import IConnectionModule, ITLSModule
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.edge import BackendRef, HTTPSEdge, HTTPSEdgeRoute, module
from ngrok_twisted.records.reserved_domain import ReservedDomain
from ngrok_twisted.backends.http_response import HTTPResponseConfig
from ngrok_twisted.tls.options import TLSOptions
from ngrok_twisted.wrapper import Phase
from tests.edge.doubles import Edge, endpoint, get
from tests.edge.wire import Wire, statuses


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionConfig:
    min_version: str = "1.3"


@implementer(ITLSModule)
class Version:
    """A module that changes the handshake."""

    name = "version"
    Config = VersionConfig
    phase = Phase.ADMIT

    def __init__(self, config: Any, runtime: Any) -> None:
        self.config = config

    def amend(self, options: TLSOptions) -> TLSOptions:
        return TLSOptions(min_version=self.config.min_version)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorConfig:
    open: bool = True


@implementer(IConnectionModule)
class Door:
    """A module that lets connections in, or not."""

    name = "door"
    Config = DoorConfig
    phase = Phase.ADMIT

    def __init__(self, config: Any, runtime: Any) -> None:
        self.config = config

    def wrap_factory(self, inner: Any) -> Any:
        self.inner = inner
        return self

    def buildProtocol(self, addr: Any) -> Any:
        return self.inner.buildProtocol(addr) if self.config.open else None


KINDS = {"version": Version, "door": Door}

SAYS = Backend(
    id="bkdhr_1",
    account_id="ac_1",
    kind="http_response",
    config=HTTPResponseConfig(status_code=200, body="a fixed answer"),
)


def edge_record(id: str, *hosts: str, **modules: Any) -> HTTPSEdge:
    """An https edge that always answers the same."""
    route = HTTPSEdgeRoute(backend=BackendRef(backend_id=SAYS.id))
    hostports = tuple(f"{host}:443" for host in hosts)
    return HTTPSEdge(
        id=id,
        account_id="ac_1",
        hostports=hostports,
        routes=(route,),
        modules={name: module(config) for name, config in modules.items()},
    )


class SecureSiteTests(SynchronousTestCase):
    """Which requests a TLS connection may carry."""

    def setUp(self) -> None:
        self.edge = Edge(module_kinds=KINDS)
        self.shop = edge_record("edghts_1", "shop.example.com", "www.example.com", "*.sub.example.com")
        self.other = edge_record("edghts_2", "other.example.com")
        self.edge.serve(SAYS, self.shop, self.other, endpoint("ep_1", "tls", "raw.example.com"))

    def test_own_host(self) -> None:
        """The host that the handshake was for is served, whatever its case and port."""
        answer = self.edge.visit("shop.example.com").send(get("SHOP.example.com.:8443"))
        self.assertEqual(statuses(answer), [200])
        self.assertIn(b"a fixed answer", answer)
        self.assertEqual(self.edge.flows[0].edge.name, "edghts_1")

    def test_same_edge(self) -> None:
        """So is another host of the same edge, also one behind its wildcard."""
        visitor = self.edge.visit("shop.example.com")
        self.assertEqual(visitor.ask("www.example.com"), 200)
        self.assertEqual(visitor.ask("a.b.sub.example.com"), 200)
        self.assertEqual(self.edge.visit("x.sub.example.com").ask("shop.example.com"), 200)

    def test_other_edge(self) -> None:
        """A host of another edge is misdirected, and the connection stays good for its own."""
        visitor = self.edge.visit("shop.example.com")
        self.assertEqual(visitor.ask("other.example.com"), 421)
        self.assertEqual(visitor.ask("nobody.example.com"), 421)
        self.assertEqual(visitor.ask("raw.example.com"), 421)
        self.assertEqual(visitor.ask("shop.example.com"), 200)

    def test_misdirected_code(self) -> None:
        """The answer says so in ngrok's vocabulary."""
        answer = self.edge.visit("shop.example.com").send(get("other.example.com"))
        self.assertIn(b"ngrok-error-code: ERR_NGROK_3201", answer)

    def test_unknown(self) -> None:
        """A connection for a name that nobody has reaches nobody: its own name is offline, others are misdirected."""
        visitor = self.edge.visit("nobody.example.com")
        self.assertEqual(visitor.ask("nobody.example.com"), 404)
        self.assertEqual(visitor.ask("shop.example.com"), 421)
        self.assertEqual(visitor.ask("elsewhere.example.com"), 421)

    def test_without_name(self) -> None:
        """A visitor without a server name reaches any edge that asks for nothing special."""
        visitor = self.edge.visit(None)
        self.assertEqual(visitor.ask("shop.example.com"), 200)
        self.assertEqual(visitor.ask("other.example.com"), 200)
        self.assertEqual(visitor.ask("raw.example.com"), 404)
        self.assertEqual(visitor.ask("nobody.example.com"), 404)

    def test_escaped(self) -> None:
        """The name on the offline page is the visitor's own text: it is shown, and is no markup."""
        visitor = self.edge.visit(None)
        request = b"GET / HTTP/1.1\r\nHost: a_b.example.com\r\nAccept: text/html\r\n\r\n"
        self.assertIn(b"The endpoint a_b.example.com is offline.", visitor.send(request))
        request = b"GET / HTTP/1.1\r\nHost: <i>.example.com\r\nAccept: text/html\r\n\r\n"
        self.assertNotIn(b"<i>", visitor.send(request))

    def test_changed_handshake(self) -> None:
        """Once the edge asks for another handshake, a connection with the old one carries no more requests to it."""
        visitor = self.edge.visit("shop.example.com")
        self.assertEqual(visitor.ask("shop.example.com"), 200)
        self.edge.serve(SAYS, edge_record("edghts_1", "shop.example.com", version=VersionConfig()))
        self.assertEqual(visitor.ask("shop.example.com"), 421)
        again = self.edge.visit("shop.example.com")
        self.assertEqual(again.ask("shop.example.com"), 200)
        self.assertEqual(again.client.version(), "TLSv1.3")
        self.assertEqual(self.edge.visit(None).ask("shop.example.com"), 421)

    def test_outlived(self) -> None:
        """A connection that cannot serve its own name any more is closed: the visitor comes back on a good one."""
        changed = edge_record("edghts_1", "shop.example.com", version=VersionConfig())
        for record in (changed, endpoint("ep_1", "tls", "shop.example.com")):
            self.edge.serve(SAYS, self.shop)
            visitor = self.edge.visit("shop.example.com")
            self.assertEqual(visitor.ask("shop.example.com"), 200)
            self.edge.serve(SAYS, record)
            self.assertIn(b"Connection: close", visitor.send(get("shop.example.com")))
            self.assertFalse(visitor.client.connected)

    def test_stays_good(self) -> None:
        """One that is misdirected or early stays open: its own name is served, or may be soon."""
        visitor = self.edge.visit("shop.example.com")
        self.assertNotIn(b"Connection: close", visitor.send(get("other.example.com")))
        self.edge.serve(SAYS)
        self.assertNotIn(b"Connection: close", visitor.send(get("shop.example.com")))
        self.edge.serve(SAYS, self.shop)
        self.assertEqual(visitor.ask("shop.example.com"), 200)

    def test_changed_modules(self) -> None:
        """Nor does one that a new connection module has not seen, be it old or without a name."""
        visitor = self.edge.visit("shop.example.com")
        self.edge.serve(SAYS, edge_record("edghts_1", "shop.example.com", door=DoorConfig()))
        self.assertEqual(visitor.ask("shop.example.com"), 421)
        self.assertEqual(self.edge.visit(None).ask("shop.example.com"), 421)
        self.assertEqual(self.edge.visit("shop.example.com").ask("shop.example.com"), 200)

    def test_closed_door(self) -> None:
        """A connection module stands before the handshake."""
        self.edge.serve(SAYS, edge_record("edghts_1", "shop.example.com", door=DoorConfig(open=False)))
        visitor = self.edge.visit("shop.example.com")
        self.assertFalse(visitor.client.connected)
        self.assertEqual(visitor.wire.server.writes, [])
        self.assertEqual(self.edge.certificates.asked, [])

    def test_edge_gone(self) -> None:
        """A connection outlives its edge, and then its host is offline."""
        visitor = self.edge.visit("shop.example.com")
        self.edge.serve(SAYS, self.other)
        self.assertEqual(visitor.ask("shop.example.com"), 404)
        self.edge.serve(endpoint("ep_1", "tls", "shop.example.com"))
        self.assertEqual(visitor.ask("shop.example.com"), 404)


class KeptAliveTests(SynchronousTestCase):
    """A connection that is kept alive meets the newest endpoint."""

    def test_reconnect(self) -> None:
        """An agent that comes back has a new endpoint; the visitor's connection finds it."""
        edge = Edge()
        edge.serve(endpoint("ep_1"))
        first = edge.online("ep_1")
        visitor = edge.visit("app.example.com")
        self.assertEqual(visitor.send(get("app.example.com", "/1")), b"")
        self.assertIn(b"GET /1 ", first.connection.take())
        first.connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none")
        self.assertTrue(visitor.take().endswith(b"one"))

        edge.tunnels.offline(first)
        edge.serve()
        self.assertEqual(visitor.ask("app.example.com"), 404)

        edge.serve(endpoint("ep_2"))
        second = edge.online("ep_2")
        visitor.send(get("app.example.com", "/2"))
        self.assertIn(b"GET /2 ", second.connection.take())
        self.assertEqual([flow.tunnel for flow in edge.flows], [first, None])

    def test_endpoint_without_tunnel(self) -> None:
        """Between a lost agent and its last snapshot the endpoint is offline, not broken."""
        edge = Edge()
        edge.serve(endpoint("ep_1"))
        self.assertEqual(edge.visit("app.example.com").ask("app.example.com"), 404)


class CertificateTests(SynchronousTestCase):
    """For which names a certificate is asked."""

    def test_names(self) -> None:
        """Names with an edge, and reserved ones that are offline; a stranger's idea gets the common certificate."""
        edge = Edge()
        edge.serve(
            endpoint("ep_1"),
            ReservedDomain(id="rd_1", domain="mine.example.org"),
            ReservedDomain(id="rd_2", domain="*.all.example.org"),
        )
        asked = ("app.example.com", "mine.example.org", "x.all.example.org", "invented.example.net", None)
        for name in asked:
            edge.visit(name)
        self.assertEqual([name for name, _ in edge.certificates.asked], [*asked[:3], None, None])
        edge.serve()
        edge.visit("mine.example.org")
        self.assertEqual(edge.certificates.asked[-1][0], None)


class RememberedTests(SynchronousTestCase):
    """What connections for one name have in common."""

    def setUp(self) -> None:
        self.edge = Edge()
        self.edge.serve(SAYS, edge_record("edghts_1", "shop.example.com", "*.many.example.com"))
        self.asked = self.edge.certificates.asked

    def test_once(self) -> None:
        """The certificate is looked for once for connections that come in the same seconds, and again after that."""
        for _ in range(3):
            self.edge.visit("shop.example.com")
        self.assertEqual(len(self.asked), 1)
        self.edge.reactor.advance(6)
        self.edge.visit("shop.example.com")
        self.assertEqual(len(self.asked), 2)

    def test_changed(self) -> None:
        """It is looked for again as soon as certificates have changed."""
        self.edge.visit("shop.example.com")
        self.edge.certificates.revision += 1
        self.edge.visit("shop.example.com")
        self.assertEqual(len(self.asked), 2)

    def test_names(self) -> None:
        """Each name has its own, and requests for it are served; names that nobody asks for any more are forgotten."""
        for number in range(250):
            name = f"n{number}.many.example.com"
            answer = self.edge.visit(name).send(get(name))
            self.assertEqual(statuses(answer), [200])
        handshakes = self.edge.plane.router.secure.get("shop.example.com")._handshakes
        self.assertEqual(len(self.asked), 250)
        self.assertLessEqual(len(handshakes._ready), 100)


class PlainSiteTests(SynchronousTestCase):
    """The plain front."""

    def setUp(self) -> None:
        self.edge = Edge()

    def ask(self, data: bytes) -> bytes:
        """One request on a connection of its own."""
        wire = Wire()
        channel = self.edge.plane.plain_front.buildProtocol(None)
        channel.makeConnection(wire)
        channel.dataReceived(data)
        self.addCleanup(channel.connectionLost, Failure(ConnectionDone()))
        return wire.value()

    def test_http(self) -> None:
        """An http endpoint is served."""
        self.edge.serve(endpoint("ep_1", "http", port=80))
        tunnel = self.edge.online("ep_1")
        self.ask(get("app.example.com", "/x"))
        self.assertIn(b"GET /x HTTP/1.1\r\n", tunnel.connection.take())

    def test_http_beside_https(self) -> None:
        """Where a name has both, plain requests are not redirected."""
        self.edge.serve(endpoint("ep_1", "http", port=80), endpoint("ep_2"))
        tunnel = self.edge.online("ep_1")
        self.ask(get("app.example.com"))
        self.assertIn(b"GET / ", tunnel.connection.take())

    def test_redirect(self) -> None:
        """An https name sends its plain visitors there, on the port that they can reach."""
        self.edge.serve(endpoint("ep_1"))
        answer = self.ask(get("app.example.com:8080", "/a?b=c"))
        self.assertEqual(statuses(answer), [307])
        self.assertIn(b"location: https://app.example.com:8443/a?b=c\r\n", answer.lower())

    def test_force_https(self) -> None:
        """So does an http endpoint whose agent wants it."""
        self.edge.serve(endpoint("ep_1", "http", port=80, force_https=True))
        answer = self.ask(get("app.example.com", "/a"))
        self.assertIn(b"location: https://app.example.com:8443/a\r\n", answer.lower())

    def test_offline(self) -> None:
        """Nobody's name is offline, and so is one that speaks only TLS."""
        self.edge.serve(endpoint("ep_1", "tls", "raw.example.com"))
        self.assertEqual(statuses(self.ask(get("raw.example.com"))), [404])
        answer = self.ask(get("app.example.com"))
        self.assertEqual(statuses(answer), [404])
        self.assertIn(b"The endpoint app.example.com is offline.", answer)

    def test_edge_is_noted(self) -> None:
        """The flow knows its edge."""
        self.edge.serve(endpoint("ep_1", "http", port=80))
        self.ask(get("app.example.com"))
        self.assertEqual(self.edge.flows[0].edge.name, "http://app.example.com:80")
