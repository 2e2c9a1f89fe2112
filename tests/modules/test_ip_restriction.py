"""
Tests for `ngrok_twisted.modules.ip_restriction`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted import schema
from ngrok_twisted.backends.http_response import HTTPResponseConfig
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.interfaces import IConnectionModule, IHTTPModule, IModuleKind
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.modules.ip_restriction import IPPoliciesConfig, IPRestrictionConfig, IPRestrictionModule
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.base import Put, Snapshot
from ngrok_twisted.records.edge import BackendRef, HTTPSEdge, HTTPSEdgeRoute, TCPEdge, TLSEdge, module, module_types
from ngrok_twisted.records.ip_policy import IPPolicy, IPPolicyRule
from tests.edge.doubles import Edge, SecureVisitor, get, hello
from tests.edge.wire import Wire, statuses

SAYS = Backend(id="hr", account_id="ac_1", kind="http_response", config=HTTPResponseConfig(body="welcome"))


def policy(id: str, *rules: tuple[str, str], account_id: str = "ac_1") -> IPPolicy:
    """A policy with these rules."""
    made = tuple(
        IPPolicyRule(id=f"ipr_{number}", cidr=cidr, action=action)  # type: ignore[arg-type]
        for number, (action, cidr) in enumerate(rules)
    )
    return IPPolicy(id=id, account_id=account_id, rules=made)


def restricted(*ids: str) -> dict[str, Any]:
    """The modules of an edge or route with these policies."""
    return {"ip_restriction": module(IPPoliciesConfig(ip_policy_ids=ids))}


class ConfigTests(SynchronousTestCase):
    """What can be said."""

    def codes(self, cls: type, **data: Any) -> list[tuple[str, int]]:
        """The places and codes of what is wrong."""
        error = self.assertRaises(InvalidConfig, schema.parse, cls, data)
        return [(problem.path, problem.code) for problem in error.problems]

    def test_kind(self) -> None:
        """It stands on routes and on edges of streams, and takes there what ngrok's API takes."""
        verifyObject(IModuleKind, IPRestrictionModule)
        for place in ("route", "tls", "tcp"):
            made = schema.parse(module_types(place)["ip_restriction"], {"ip_policy_ids": ["ipp_1"]})
            self.assertEqual(made.config, IPPoliciesConfig(ip_policy_ids=("ipp_1",)))
        self.assertNotIn("ip_restriction", module_types("https"))

    def test_policies(self) -> None:
        """There is at least one policy, and there are not too many."""
        self.assertEqual(self.codes(IPPoliciesConfig), [("ip_policy_ids", 7025)])
        self.assertEqual(self.codes(IPPoliciesConfig, ip_policy_ids=[]), [("ip_policy_ids", 7025)])
        many = [f"ipp_{number}" for number in range(101)]
        self.assertEqual(self.codes(IPPoliciesConfig, ip_policy_ids=many), [("ip_policy_ids", 7013)])

    def test_blocks(self) -> None:
        """Where blocks may stand in the module itself, somebody must be allowed, and each must be a block."""
        self.assertEqual(self.codes(IPRestrictionConfig), [("allow_cidrs", 393)])
        self.assertEqual(self.codes(IPRestrictionConfig, deny_cidrs=["192.0.2.1"]), [("allow_cidrs", 393)])
        self.assertEqual(
            self.codes(IPRestrictionConfig, allow_cidrs=["192.0.2.1", "x"], deny_cidrs=["192.0.2.1/8"]),
            [("allow_cidrs[1]", 362), ("deny_cidrs[0]", 362)],
        )
        schema.parse(IPRestrictionConfig, {"ip_policy_ids": ["ipp_1"], "deny_cidrs": ["192.0.2.1"]})


class ModuleTests(SynchronousTestCase):
    """What the module looks at when it is made."""

    def context(self, *policies: IPPolicy) -> ModuleContext:
        """The records of the account ac_1."""
        records = Snapshot().with_changes([Put(policy) for policy in policies])
        return ModuleContext(runtime=None, account_id="ac_1", records=records)  # type: ignore[arg-type]

    def passes(self, made: IPRestrictionModule, address: Any) -> bool:
        """Whether a connection from there comes through."""

        class Inner:
            def buildProtocol(self, addr: Any) -> Any:
                return "protocol"

        return made.wrap_factory(Inner()).buildProtocol(address) == "protocol"

    def test_faces(self) -> None:
        """It looks at requests and at connections."""
        made = IPRestrictionModule(IPRestrictionConfig(allow_cidrs=("192.0.2.1",)), self.context())
        verifyObject(IHTTPModule, made)
        verifyObject(IConnectionModule, made)

    def test_union(self) -> None:
        """All rules of all policies and of the module itself count together; one that denies counts most."""
        office = policy("ipp_1", ("allow", "192.0.2.0/24"))
        guests = policy("ipp_2", ("allow", "2001:db8::/32"), ("deny", "192.0.2.66/32"))
        config = IPRestrictionConfig(
            ip_policy_ids=("ipp_1", "ipp_2"), allow_cidrs=("198.51.100.0/24",), deny_cidrs=("2001:db8::66",)
        )
        context = self.context(office, guests)
        made = IPRestrictionModule(config, context)
        self.assertEqual(context.used, [office, guests])
        for host in ("192.0.2.1", "198.51.100.7"):
            self.assertTrue(self.passes(made, IPv4Address("TCP", host, 1)))
        for host in ("192.0.2.66", "203.0.113.1"):
            self.assertFalse(self.passes(made, IPv4Address("TCP", host, 1)))
        self.assertTrue(self.passes(made, IPv6Address("TCP", "2001:db8::1", 1)))
        self.assertTrue(self.passes(made, IPv6Address("TCP", "::ffff:192.0.2.1", 1)))
        self.assertFalse(self.passes(made, IPv6Address("TCP", "2001:db8::66", 1)))
        self.assertFalse(self.passes(made, None))

    def test_policy_is_gone(self) -> None:
        """A policy that is not there, or is another account's, has no rules, and the edge is remade until there is one."""
        stranger = policy("ipp_1", ("allow", "0.0.0.0/0"), account_id="ac_2")
        for context in (self.context(), self.context(stranger)):
            made = IPRestrictionModule(IPPoliciesConfig(ip_policy_ids=("ipp_1",)), context)
            self.assertFalse(self.passes(made, IPv4Address("TCP", "192.0.2.1", 1)))
            self.assertEqual(context.used, [policy("ipp_1")])


class EdgeTests(SynchronousTestCase):
    """Edges with the module; visitors come from 192.0.2.1, or from 192.168.1.1."""

    def setUp(self) -> None:
        self.edge = Edge(module_kinds={"ip_restriction": IPRestrictionModule})

    def test_https(self) -> None:
        """A route answers 403 to whom its policies do not admit; a change of a policy counts for the next request."""
        routes = (
            HTTPSEdgeRoute(match="/", backend=BackendRef(backend_id="hr")),
            HTTPSEdgeRoute(match="/office", backend=BackendRef(backend_id="hr"), modules=restricted("ipp_1")),
        )
        record = HTTPSEdge(id="e1", account_id="ac_1", hostports=("shop.example.com:443",), routes=routes)
        self.edge.serve(SAYS, record, policy("ipp_1", ("allow", "198.51.100.0/24")))
        visitor = self.edge.visit("shop.example.com")
        self.assertEqual(visitor.ask("shop.example.com"), 200)
        answer = visitor.send(get("shop.example.com", "/office"))
        self.assertEqual(statuses(answer), [403])
        self.assertIn(b"ngrok-error-code: ERR_NGROK_3203", answer)
        self.assertEqual(self.edge.flows[-1].error.code, 3203)
        self.edge.serve(SAYS, record, policy("ipp_1", ("allow", "192.0.2.0/24")))
        self.assertEqual(visitor.ask("shop.example.com", "/office"), 200)
        self.edge.serve(SAYS, record, policy("ipp_1", ("allow", "192.0.2.0/24"), ("deny", "192.0.2.1/32")))
        self.assertEqual(visitor.ask("shop.example.com", "/office"), 403)
        self.edge.serve(SAYS, record)
        self.assertEqual(visitor.ask("shop.example.com", "/office"), 403)
        self.edge.serve(SAYS, record, policy("ipp_1", ("allow", "192.0.2.0/24")))
        self.assertEqual(visitor.ask("shop.example.com", "/office"), 200)

    def test_verdicts(self) -> None:
        """Every request's flow tells the verdict, also those of a visitor who has come before."""
        for rule, status, word in (("198.51.100.0/24", 403, "block"), ("192.0.2.0/24", 200, "allow")):
            route = HTTPSEdgeRoute(backend=BackendRef(backend_id="hr"), modules=restricted("ipp_1"))
            record = HTTPSEdge(id="e1", account_id="ac_1", hostports=("shop.example.com:443",), routes=(route,))
            self.edge.serve(SAYS, record, policy("ipp_1", ("allow", rule)))
            visitor = self.edge.visit("shop.example.com")
            for _ in range(3):
                self.assertEqual(visitor.ask("shop.example.com"), status)
                self.assertEqual(self.edge.flows[-1].variables["ip_policy.decision"], word)

    def test_forwarded_for(self) -> None:
        """What a header says of the visitor's address is not believed."""
        route = HTTPSEdgeRoute(backend=BackendRef(backend_id="hr"), modules=restricted("ipp_1"))
        record = HTTPSEdge(id="e1", account_id="ac_1", hostports=("shop.example.com:443",), routes=(route,))
        self.edge.serve(SAYS, record, policy("ipp_1", ("allow", "198.51.100.0/24")))
        request = get("shop.example.com").replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n")
        self.assertEqual(statuses(self.edge.visit("shop.example.com").send(request)), [403])

    def test_tls(self) -> None:
        """A TLS edge closes before anything is answered, and opens with the next connection after a change."""
        record = TLSEdge(id="e1", account_id="ac_1", hostports=("db.example.com:443",), modules=restricted("ipp_1"))
        self.edge.serve(record, policy("ipp_1", ("deny", "192.168.1.1/32"), ("allow", "0.0.0.0/0")))
        wire = Wire()
        self.greet(wire)
        self.assertEqual((wire.value(), wire.aborted, len(self.edge.plane.visitors)), (b"", True, 0))
        self.edge.serve(record, policy("ipp_1", ("allow", "0.0.0.0/0")))
        self.greet(Wire())
        self.assertEqual(len(self.edge.flows) + len(self.edge.plane.visitors), 1)

    def greet(self, wire: Wire) -> None:
        """Somebody says whom he wants on the TLS front."""
        peek = self.edge.plane.secure_front.buildProtocol(None)
        peek.makeConnection(wire)
        peek.dataReceived(hello("db.example.com"))

    def test_tcp(self) -> None:
        """A TCP edge closes before its backend is asked."""
        record = TCPEdge(id="e1", account_id="ac_1", hostports=("tcp.example.com:20001",), modules=restricted("ipp_1"))
        self.edge.serve(record, policy("ipp_1", ("allow", "198.51.100.0/24")))
        factory = self.edge.reactor.tcpServers[0][1]
        self.assertIsNone(factory.buildProtocol(IPv4Address("TCP", "203.0.113.1", 1)))
        self.assertIsNotNone(factory.buildProtocol(IPv4Address("TCP", "198.51.100.1", 1)))

    def test_switched_off(self) -> None:
        """A module that is switched off lets everybody pass."""
        off = {"ip_restriction": module(IPPoliciesConfig(ip_policy_ids=("ipp_1",)), enabled=False)}
        route = HTTPSEdgeRoute(backend=BackendRef(backend_id="hr"), modules=off)
        record = HTTPSEdge(id="e1", account_id="ac_1", hostports=("shop.example.com:443",), routes=(route,))
        self.edge.serve(SAYS, record, policy("ipp_1"))
        self.assertEqual(self.visitor().ask("shop.example.com"), 200)

    def visitor(self) -> SecureVisitor:
        """Somebody on the TLS front."""
        return self.edge.visit("shop.example.com")
