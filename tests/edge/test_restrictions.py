"""
Tests for `ngrok_twisted.edge.restrictions`, and for the places that ask it.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.backends.http_response import HTTPResponseConfig
from ngrok_twisted.edge.restrictions import EndpointRestrictions, Restricted
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.base import Put, Record, Snapshot
from ngrok_twisted.records.edge import BackendRef, HTTPSEdge, HTTPSEdgeRoute
from ngrok_twisted.records.ip_policy import IPPolicy, IPPolicyRule
from ngrok_twisted.records.ip_restriction import IPRestriction
from tests.edge.doubles import Edge, endpoint, get, hello
from tests.edge.wire import Wire, statuses

RESTRICTION = IPRestriction(id="ipx_1", account_id="ac_1", type="endpoints", ip_policy_ids=("ipp_1",), enforced=True)


def allowing(*cidrs: str) -> IPPolicy:
    """The policy of the restriction."""
    rules = (IPPolicyRule(id=f"ipr_{cidr}", cidr=cidr, action="allow") for cidr in cidrs)
    return IPPolicy(id="ipp_1", account_id="ac_1", rules=tuple(rules))


#: The visitors of these tests come from 192.0.2.1, or from 192.168.1.1.
STRANGERS, VISITORS = allowing("198.51.100.0/24"), allowing("192.0.2.1/32", "192.168.0.0/16")


class EndpointRestrictionsTests(SynchronousTestCase):
    """What the edges ask."""

    def setUp(self) -> None:
        self.restrictions = EndpointRestrictions()
        self.restrictions.update(Snapshot().with_changes([Put(RESTRICTION), Put(VISITORS)]))

    def test_require(self) -> None:
        """A request from an address that is not admitted is answered 403, with the code of restrictions."""
        self.restrictions.require("ac_1", "192.168.1.1")
        error = self.assertRaises(Restricted, self.restrictions.require, "ac_1", "198.51.100.1")
        self.assertEqual((error.code, error.status), (3205, 403))
        self.restrictions.require("ac_2", "198.51.100.1")

    def test_closes(self) -> None:
        """A stream from such an address is closed."""
        self.assertFalse(self.restrictions.closes("ac_1", "192.168.1.1"))
        self.assertTrue(self.restrictions.closes("ac_1", "198.51.100.1"))


class EdgesTests(SynchronousTestCase):
    """Everything that an account has in public is restricted."""

    def setUp(self) -> None:
        self.edge = Edge()

    def serve(self, *records: Record, policy: IPPolicy = STRANGERS) -> None:
        """These records, with the restriction."""
        self.edge.serve(*records, RESTRICTION, policy)

    def restricted(self, answer: bytes) -> None:
        """It is the answer of the restriction."""
        self.assertEqual(statuses(answer), [403])
        self.assertIn(b"ngrok-error-code: ERR_NGROK_3205", answer)

    def test_https_edge(self) -> None:
        """An https edge answers 403; a change counts for the next request on the same connection."""
        says = Backend(id="hr", account_id="ac_1", kind="http_response", config=HTTPResponseConfig(body="welcome"))
        routes = (HTTPSEdgeRoute(backend=BackendRef(backend_id="hr")),)
        record = HTTPSEdge(id="e1", account_id="ac_1", hostports=("app.example.com:443",), routes=routes)
        self.serve(says, record)
        visitor = self.edge.visit("app.example.com")
        self.restricted(visitor.send(get("app.example.com")))
        self.serve(says, record, policy=VISITORS)
        self.assertEqual(visitor.ask("app.example.com"), 200)
        self.serve(says, record)
        self.restricted(visitor.send(get("app.example.com")))
        self.edge.serve(says, record)
        self.assertEqual(visitor.ask("app.example.com"), 200)

    def test_https_endpoint(self) -> None:
        """So does the endpoint of an agent, and the way to it from plain http."""
        self.serve(endpoint("ep_1"))
        self.restricted(self.edge.visit("app.example.com").send(get("app.example.com")))
        self.restricted(self.ask_plain("app.example.com"))
        self.serve(endpoint("ep_1"), policy=VISITORS)
        self.assertEqual(statuses(self.ask_plain("app.example.com")), [307])

    def test_http_endpoint(self) -> None:
        """So does one for plain http, also where it only leads to https."""
        for force_https in (False, True):
            self.serve(endpoint("ep_1", "http", port=80, force_https=force_https))
            self.restricted(self.ask_plain("app.example.com"))

    def ask_plain(self, host: str) -> bytes:
        """The answer to a request on the plain front."""
        channel: Any = self.edge.plane.plain_front.buildProtocol(None)
        wire = Wire()
        channel.makeConnection(wire)
        channel.dataReceived(get(host))
        return bytes(wire.value())

    def test_tls_endpoint(self) -> None:
        """A TLS endpoint closes before it is answered."""
        self.serve(endpoint("ep_1", "tls"))
        peek = self.edge.plane.secure_front.buildProtocol(None)
        wire = Wire()
        peek.makeConnection(wire)
        peek.dataReceived(hello("app.example.com"))
        self.assertEqual((wire.value(), wire.aborted, self.edge.flows), (b"", True, []))

    def test_tcp_endpoint(self) -> None:
        """So does a TCP endpoint, for each connection by what is in force then."""
        record = endpoint("ep_1", "tcp", "tcp.example.com", 20001)
        self.serve(record)
        factory = self.edge.reactor.tcpServers[0][1]
        self.assertIsNone(factory.buildProtocol(IPv4Address("TCP", "192.168.1.1", 1)))
        self.assertIsNotNone(factory.buildProtocol(IPv4Address("TCP", "198.51.100.1", 1)))
        self.serve(record, policy=VISITORS)
        self.assertIsNotNone(factory.buildProtocol(IPv4Address("TCP", "192.168.1.1", 1)))

    def test_nobody(self) -> None:
        """A name that nobody has is answered as ever."""
        self.serve()
        self.assertEqual(self.edge.visit("nope.example.com").ask("nope.example.com"), 404)
