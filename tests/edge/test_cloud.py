"""
Tests for `ngrok_twisted.edge.cloud`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.cloud import is_guarded, policy_of
from ngrok_twisted.edge.https import Entry
from ngrok_twisted.modules.ip_restriction import IPRestrictionConfig
from ngrok_twisted.modules.mutual_tls import MutualTLSConfig
from ngrok_twisted.modules.tls_termination import TLSTerminationConfig
from ngrok_twisted.modules.user_agent_filter import UserAgentFilterConfig
from ngrok_twisted.records.edge import module
from ngrok_twisted.records.endpoint import Endpoint
from tests.edge.doubles import Edge, endpoint, get
from tests.edge.wire import Visitor, statuses
from tests.modules.secure import Visitor as SecureVisitor
from tests.modules.secure import authority, real_edge
from tests.tls.authority import Made

ANSWER = "on_http_request:\n- type: custom-response\n  config: {status_code: %d}\n"
DENY = "on_tcp_connect:\n- type: deny\n"
NOBODY = {"ip_restriction": module(IPRestrictionConfig(allow_cidrs=("203.0.113.0/24",)))}
NO_ROBOTS = {"user_agent_filter": module(UserAgentFilterConfig(deny=(".",)))}
TO_INTERNAL = "on_http_request:\n- type: forward-internal\n  config: {url: 'https://svc.internal'}\n"


def cloud(id: str, policy: str, *place: Any, **more: Any) -> Endpoint:
    """A cloud endpoint."""
    return endpoint(id, *place, type="cloud", traffic_policy=policy, **more)


class CloudCase(SynchronousTestCase):
    """An edge in memory."""

    def setUp(self) -> None:
        self.edge = Edge()

    def ask(self, host: str = "app.example.com") -> int:
        """The status of a request over https."""
        return self.edge.visit(host).ask(host)

    def ask_plain(self, host: str = "app.example.com") -> Visitor:
        """A visitor on the plain front who has asked."""
        visitor = Visitor(self.edge.plane.plain_front.site.resource_for, proto="http")
        visitor.send(get(host))
        return visitor


class PolicyTests(CloudCase):
    """Policies of endpoints."""

    def test_who(self) -> None:
        """Cloud endpoints have one, and agents may have one, or modules."""
        agent = endpoint("ep_1")
        self.assertFalse(is_guarded([agent]))
        self.assertTrue(is_guarded([agent, cloud("ep_2", DENY)]))
        self.assertTrue(is_guarded([endpoint("ep_1", traffic_policy=DENY)]))
        self.assertTrue(is_guarded([agent, endpoint("ep_1", modules=NOBODY)]))

    def test_unusable(self) -> None:
        """One that this version cannot run keeps the snapshot from being served, and is named."""
        error = self.assertRaises(LookupError, policy_of, cloud("ep_1", "{}"))
        self.assertIn("ep_1", str(error))

    def test_unchanged(self) -> None:
        """An endpoint that did not change keeps its live edge."""
        self.edge.serve(cloud("ep_1", ANSWER % 201))
        before = self.edge.plane.router.secure.get("app.example.com")
        self.edge.serve(cloud("ep_1", ANSWER % 201), endpoint("ep_2", host="b.example.com"))
        self.assertIs(self.edge.plane.router.secure.get("app.example.com"), before)
        self.edge.serve(cloud("ep_1", ANSWER % 202))
        self.assertEqual(self.ask(), 202)


class RequestTests(CloudCase):
    """Endpoints that speak HTTP."""

    def test_https(self) -> None:
        """The policy answers."""
        self.edge.serve(cloud("ep_1", ANSWER % 201))
        self.assertEqual(self.ask(), 201)
        self.assertEqual([flow.status for flow in self.edge.flows], [201])

    def test_http(self) -> None:
        """So it does on the plain front."""
        self.edge.serve(cloud("ep_1", ANSWER % 201, "http", "app.example.com", 80))
        self.assertEqual(statuses(self.ask_plain().take()), [201])

    def test_falls_through(self) -> None:
        """A request that the policy did not answer is told so."""
        same = "on_http_request:\n- type: redirect\n  config: {from: never, to: there}\n"
        self.edge.serve(cloud("ep_1", same))
        visitor = self.edge.visit("app.example.com")
        answer = visitor.send(get("app.example.com"))
        self.assertEqual(statuses(answer), [502])
        self.assertIn(b"ERR_NGROK_6029", answer)

    def test_connections(self) -> None:
        """Rules for connections come before the handshake, and set the connection apart from those of other names."""
        self.edge.serve(cloud("ep_1", DENY + ANSWER % 201), cloud("ep_2", ANSWER % 201, host="b.example.com"))
        secure = self.edge.plane.router.secure
        self.assertIsNone(secure.get("app.example.com").buildProtocol(IPv4Address("TCP", "192.0.2.1", 1)))
        self.assertNotEqual(secure.get("app.example.com").entry, Entry())
        self.assertEqual(secure.get("b.example.com").entry, Entry())

    def test_plain_connections(self) -> None:
        """On the plain front they are run with the request, and the connection breaks."""
        self.edge.serve(cloud("ep_1", DENY, "http", "app.example.com", 80))
        visitor = self.ask_plain()
        self.assertEqual((visitor.take(), visitor.wire.aborted), (b"", True))

    def test_agent(self) -> None:
        """An agent's policy comes before its service, which gets what is left."""
        policy = "on_http_request:\n- type: redirect\n  config: {from: /old$, to: /new}\n"
        self.edge.serve(endpoint("ep_1", traffic_policy=policy))
        tunnel = self.edge.online("ep_1")
        visitor = self.edge.visit("app.example.com")
        self.assertEqual(visitor.ask("app.example.com", "/old"), 302)
        visitor.send(get("app.example.com", "/new"))
        self.assertIn(b"GET /new", tunnel.connection.take())

    def test_pool(self) -> None:
        """Each request is answered by any one member that is online; cloud endpoints always are."""
        pooled = [cloud(f"ep_{number}", ANSWER % number, pooling_enabled=True) for number in (201, 202)]
        self.edge.serve(*pooled, endpoint("ep_3", pooling_enabled=True))
        visitor = self.edge.visit("app.example.com")
        self.assertEqual({visitor.ask("app.example.com") for _ in range(40)}, {201, 202})
        tunnel = self.edge.online("ep_3")
        for _ in range(40):
            visitor = self.edge.visit("app.example.com")
            visitor.send(get("app.example.com"))
        self.assertTrue(0 < len(tunnel.connections) < 40)

    def test_pool_of_agents(self) -> None:
        """A pool of which nobody is online is offline."""
        self.edge.serve(*[endpoint(f"ep_{n}", pooling_enabled=True, traffic_policy="{}") for n in (1, 2)])
        self.assertEqual(self.ask(), 404)


class InternalTests(CloudCase):
    """``forward-internal`` through the whole edge."""

    def test_cloud(self) -> None:
        """A public endpoint forwards to an internal one, which no visitor reaches by itself."""
        self.edge.serve(
            cloud("ep_1", TO_INTERNAL), cloud("ep_2", ANSWER % 201, "https", "svc.internal", binding="internal")
        )
        self.assertEqual(self.ask(), 201)
        self.assertEqual(self.ask("svc.internal"), 404)

    def test_other_account(self) -> None:
        """Internal endpoints of other accounts do not exist."""
        theirs = Endpoint(
            id="ep_2",
            account_id="ac_2",
            proto="https",
            host="svc.internal",
            port=443,
            type="cloud",
            binding="internal",
            traffic_policy=ANSWER % 201,
        )
        self.edge.serve(cloud("ep_1", TO_INTERNAL), theirs)
        self.assertEqual(self.ask(), 404)

    def test_agent(self) -> None:
        """An agent's internal endpoint gets the request with the host that the visitor asked for."""
        self.edge.serve(cloud("ep_1", TO_INTERNAL), endpoint("ep_2", "https", "svc.internal", binding="internal"))
        self.assertEqual(self.ask(), 404)
        tunnel = self.edge.online("ep_2")
        visitor = self.edge.visit("app.example.com")
        visitor.send(get("app.example.com"))
        request = tunnel.connection.take()
        self.assertIn(b"Host: app.example.com", request)
        tunnel.connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual(statuses(visitor.take()), [200])
        self.assertEqual([flow.tunnel for flow in tunnel.seen], [tunnel])

    def test_ring(self) -> None:
        """Endpoints that forward to one another are found out."""
        self.edge.serve(
            cloud("ep_1", TO_INTERNAL), cloud("ep_2", TO_INTERNAL, "https", "svc.internal", binding="internal")
        )
        self.assertEqual(self.ask(), 508)


class StreamTests(CloudCase):
    """Endpoints that do not look into what they carry."""

    ADDRESS = IPv4Address("TCP", "192.0.2.1", 5)
    FORWARD = "on_tcp_connect:\n- type: forward-internal\n  config: {url: 'tcp://db.internal:5432'}\n"

    def built(self, port: int = 20001) -> Any:
        """What a visitor of a port gets."""
        return self.edge.plane.router.ports[port].buildProtocol(self.ADDRESS)

    def test_deny(self) -> None:
        """A connection is closed."""
        self.edge.serve(
            cloud("ep_1", DENY, "tcp", "tcp.example.com", 20001), cloud("ep_2", DENY, "tls", "raw.example.com")
        )
        self.assertIsNone(self.built())
        self.assertIsNone(self.edge.plane.router.secure.get("raw.example.com").buildProtocol(self.ADDRESS))

    def test_internal(self) -> None:
        """A connection is taken by an internal agent."""
        self.edge.serve(
            cloud("ep_1", self.FORWARD, "tcp", "tcp.example.com", 20001),
            endpoint("ep_2", "tcp", "db.internal", 5432, binding="internal"),
        )
        self.assertIsNone(self.built())
        self.edge.online("ep_2")
        visitor = self.built()
        self.assertEqual((visitor.flow.peer_host, visitor.flow.peer_port), ("192.0.2.1", 5))
        self.assertEqual(visitor.flow.edge.name, "tcp://db.internal:5432")

    def test_pool(self) -> None:
        """Each connection goes to any one member."""
        more: dict[str, Any] = {"pooling_enabled": True}
        place = ("tcp", "tcp.example.com", 20001)
        self.edge.serve(cloud("ep_1", DENY, *place, **more), endpoint("ep_2", *place, **more))
        self.assertEqual({self.built() for _ in range(20)}, {None})
        self.edge.online("ep_2")
        built = [self.built() is None for _ in range(40)]
        self.assertEqual(set(built), {True, False})


class ModuleTests(CloudCase):
    """Agents' endpoints with modules."""

    def setUp(self) -> None:
        self.edge = real_edge()
        self.one, self.two = Made("One"), Made("Two")
        self.authorities = (authority("ca_1", self.one), authority("ca_2", self.two))

    def mutual(self, id: str) -> dict[str, Any]:
        """Visitors need a certificate of this authority."""
        return {"mutual_tls": module(MutualTLSConfig(certificate_authority_ids=(id,)))}

    def test_https(self) -> None:
        """Modules come before the service, and tell visitors why."""
        self.edge.serve(endpoint("ep_1", modules=NOBODY))
        tunnel = self.edge.online("ep_1")
        answer = self.edge.visit("app.example.com").send(get("app.example.com"))
        self.assertEqual(statuses(answer), [403])
        self.assertIn(b"ERR_NGROK_3203", answer)
        self.assertEqual(tunnel.connections, [])
        self.assertEqual(self.edge.plane.router.secure.get("app.example.com").entry, Entry())

    def test_http(self) -> None:
        """On the plain front, too."""
        self.edge.serve(endpoint("ep_1", "http", "app.example.com", 80, modules=NO_ROBOTS))
        self.assertEqual(statuses(self.ask_plain().take()), [403])

    def test_internal(self) -> None:
        """And inside of an account."""
        self.edge.serve(
            cloud("ep_1", TO_INTERNAL),
            endpoint("ep_2", "https", "svc.internal", binding="internal", modules=NO_ROBOTS),
        )
        self.edge.online("ep_2")
        self.assertEqual(self.ask(), 403)

    def test_with_policy(self) -> None:
        """A policy stands among the modules: behind those that admit visitors, before those that protect the service."""
        self.edge.serve(endpoint("ep_1", modules=NO_ROBOTS, traffic_policy=ANSWER % 201))
        self.edge.online("ep_1")
        self.assertEqual(self.ask(), 403)

    def test_streams(self) -> None:
        """Connections from elsewhere are closed before anything is read of them."""
        self.edge.serve(
            endpoint("ep_1", "tcp", "tcp.example.com", 20001, modules=NOBODY),
            endpoint("ep_2", "tls", "raw.example.com", modules=NOBODY),
        )
        router = self.edge.plane.router
        address = IPv4Address("TCP", "192.0.2.1", 1)
        self.assertIsNone(router.ports[20001].buildProtocol(address))
        self.assertIsNone(router.secure.get("raw.example.com").buildProtocol(address))
        self.assertIsNotNone(router.ports[20001].buildProtocol(IPv4Address("TCP", "203.0.113.9", 1)))

    def test_terminated(self) -> None:
        """TLS may end at the edge, and the agent gets what is inside."""
        ends = {"tls_termination": module(TLSTerminationConfig(terminate_at="edge"))}
        self.edge.serve(endpoint("ep_1", "tls", modules=ends))
        tunnel = self.edge.online("ep_1")
        self.edge.visit("app.example.com").send(b"hello")
        self.assertEqual(tunnel.connection.take(), b"hello")

    def test_mutual_tls(self) -> None:
        """Who shows no certificate gets no answer at all."""
        self.edge.serve(*self.authorities, endpoint("ep_1", modules=self.mutual("ca_1")))
        self.assertEqual(SecureVisitor(self.edge, "app.example.com", self.one.issue("a")).ask("app.example.com"), [404])
        for shows in (None, self.two.issue("b")):
            self.assertEqual(SecureVisitor(self.edge, "app.example.com", shows).ask("app.example.com"), [])

    def test_pool_of_handshakes(self) -> None:
        """
        Where members differ in the handshake a connection is given to one of them before it begins, and none of its requests
        reaches a member that would have asked for another certificate.
        """
        more = {"pooling_enabled": True}
        self.edge.serve(
            *self.authorities,
            endpoint("ep_1", modules={**self.mutual("ca_1"), **NO_ROBOTS}, **more),
            endpoint("ep_2", modules=self.mutual("ca_2"), **more),
        )
        for id in ("ep_1", "ep_2"):
            self.edge.online(id)
        seen = set()
        for _ in range(30):
            visitor = SecureVisitor(self.edge, "app.example.com", self.one.issue("a"))
            seen |= {tuple(visitor.ask("app.example.com")) for _ in range(3)}
        # The second member has never seen a visitor of the first authority, and the first has turned them all away.
        self.assertEqual(seen, {(), (403,)})

    def test_pool_that_changes(self) -> None:
        """A connection goes on when a member comes that asks for another handshake: to those that are as before."""
        more = {"pooling_enabled": True}
        plain = endpoint("ep_1", **more)
        self.edge.serve(*self.authorities, plain)
        visitor = self.edge.visit("app.example.com")
        self.assertEqual(visitor.ask("app.example.com"), 404)
        self.edge.serve(
            *self.authorities,
            endpoint("ep_2", modules=self.mutual("ca_1"), **more),
            plain,
            endpoint("ep_3", modules=NO_ROBOTS, **more),
        )
        for id in ("ep_2", "ep_3"):
            self.edge.online(id)
        self.assertEqual({visitor.ask("app.example.com") for _ in range(10)}, {403})
        self.edge.serve(*self.authorities, endpoint("ep_2", modules=self.mutual("ca_1"), **more))
        self.assertEqual(visitor.ask("app.example.com"), 421)

    def test_nobody_online(self) -> None:
        """A pool of different handshakes of which nobody is online says so."""
        more = {"pooling_enabled": True}
        self.edge.serve(
            *self.authorities, endpoint("ep_1", **more), endpoint("ep_2", modules=self.mutual("ca_1"), **more)
        )
        self.assertEqual(self.ask(), 404)
