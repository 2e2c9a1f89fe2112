"""
Tests for `ngrok_twisted.modules.traffic_policy`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted import schema
from ngrok_twisted.backends.http_response import HTTPResponseConfig
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.modules.traffic_policy import (
    TCPTrafficPolicyConfig,
    TLSTrafficPolicyConfig,
    TrafficPolicyConfig,
    TrafficPolicyModule,
)
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.edge import BackendRef, HTTPSEdge, HTTPSEdgeRoute, TCPEdge, module
from tests.edge.doubles import Edge, endpoint

ANSWER = "on_http_request:\n- type: custom-response\n  config: {status_code: %d}\n"
DENY = "on_tcp_connect:\n- type: deny\n"
TO_INTERNAL = "on_http_request:\n- type: forward-internal\n  config: {url: 'https://svc.internal'}\n"
GOES_ON = TO_INTERNAL.replace("internal'}", "internal', on_error: continue}")

SORRY = Backend(id="bkdhr_1", account_id="ac_1", kind="http_response", config=HTTPResponseConfig(status_code=299))


class ConfigTests(SynchronousTestCase):
    """Where it stands decides about its phases."""

    def codes(self, cls: type, value: str) -> list[tuple[str, int]]:
        """Fields and codes of what is wrong."""
        error = self.assertRaises(InvalidConfig, schema.parse, cls, {"value": value})
        return [(problem.path, problem.code) for problem in error.problems]

    def test_phases(self) -> None:
        """Routes have requests, stream edges have connections."""
        self.assertEqual(self.codes(TrafficPolicyConfig, DENY), [("value", 2248)])
        for cls in (TLSTrafficPolicyConfig, TCPTrafficPolicyConfig):
            self.assertEqual(self.codes(cls, ANSWER % 200), [("value", 2230)])
            self.assertEqual(schema.parse(cls, {"value": DENY}).value, DENY)

    def test_falls_through(self) -> None:
        """The policy may let everything go on, since a backend is behind it."""
        self.assertEqual(schema.parse(TrafficPolicyConfig, {"value": "{}"}).value, "{}")

    def test_problems(self) -> None:
        """Every problem is told with its line."""
        error = self.assertRaises(InvalidConfig, TrafficPolicyConfig, value=ANSWER % 99 + "- type: rate-limit\n")
        self.assertEqual([problem.code for problem in error.problems], [2204, 2201])
        self.assertIn("line 4", error.problems[1].message)


class ModuleTests(SynchronousTestCase):
    """The rules come before the backend."""

    def setUp(self) -> None:
        self.edge = Edge(module_kinds={"traffic_policy": TrafficPolicyModule})

    def serve(self, policy: str, *more: Any) -> int:
        """The status of a request to a route with this policy."""
        modules = {"traffic_policy": module(TrafficPolicyConfig(value=policy))}
        route = HTTPSEdgeRoute(backend=BackendRef(backend_id=SORRY.id), modules=modules)
        edge = HTTPSEdge(id="edghts_1", account_id="ac_1", hostports=("app.example.com:443",), routes=(route,))
        self.edge.serve(SORRY, edge, *more)
        return self.edge.visit("app.example.com").ask("app.example.com")

    def test_route(self) -> None:
        """What the rules do not answer goes on to the backend."""
        self.assertEqual(self.serve(ANSWER % 201), 201)
        self.assertEqual(self.serve("{}"), 299)

    def test_internal(self) -> None:
        """The rules reach internal endpoints of the account."""
        self.assertEqual(self.serve(TO_INTERNAL), 404)
        self.assertEqual(self.serve(GOES_ON), 299)
        svc = endpoint("ep_1", "https", "svc.internal", binding="internal", type="cloud", traffic_policy=ANSWER % 202)
        self.assertEqual(self.serve(TO_INTERNAL, svc), 202)

    def test_streams(self) -> None:
        """Rules for connections come before the backend of a stream edge."""
        address = IPv4Address("TCP", "192.0.2.1", 1)
        for policy, closed in ((DENY, True), ("{}", False)):
            modules = {"traffic_policy": module(TCPTrafficPolicyConfig(value=policy))}
            hostports = ("tcp.example.com:20001",)
            self.edge.serve(TCPEdge(id="edgtcp_1", account_id="ac_1", hostports=hostports, modules=modules))
            self.assertEqual(self.edge.plane.router.ports[20001].buildProtocol(address) is None, closed)
