"""
Tests for `ngrok_twisted.actions.forward_internal`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.policy.document import parse_policy
from ngrok_twisted.wrapper import Answer
from tests.actions.serving import Address, Inner, answered, chain, visit

HTTP = "on_http_request:\n- type: forward-internal\n  config: {url: %s}\n"
HALT_OR_NOT = (
    "on_http_request:\n- type: forward-internal\n  config: {url: 'https://svc.internal', on_error: continue}\n"
)
TCP = "on_tcp_connect:\n- type: forward-internal\n  config: {url: %s}\n"


class Endpoint:
    """An internal endpoint."""

    def __init__(self, what: Any, online: bool = True) -> None:
        self.resource = self.factory = what
        self.online = lambda: online


class Endpoints:
    """Internal endpoints of one account."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str, str, int], Endpoint] = {}

    def __call__(self, *place: Any) -> Any:
        return self.known.get(place)

    def add(self, what: Any, host: str = "svc.internal", proto: str = "https", port: int = 443, **more: Any) -> None:
        """One more."""
        self.known["ac_1", proto, host, port] = Endpoint(what, **more)


class RequestTests(SynchronousTestCase):
    """Requests are answered by internal endpoints."""

    def setUp(self) -> None:
        self.endpoints = Endpoints()

    def ask(self, text: str) -> tuple[int, str]:
        """The status and ngrok's code."""
        status, fields, _ = answered(visit(text, internal=self.endpoints))
        return status, fields.get("ngrok-error-code", "")

    def test_found(self) -> None:
        """The endpoint with exactly this URL answers."""
        self.endpoints.add(Answer(201, []))
        self.endpoints.add(Answer(202, []), proto="http", port=8080)
        self.assertEqual(self.ask(HTTP % "'https://SVC.internal'"), (201, ""))
        self.assertEqual(self.ask(HTTP % "'http://svc.internal:8080'"), (202, ""))

    def test_offline(self) -> None:
        """Without anybody online the request is answered so; the internal name is not told."""
        self.assertEqual(self.ask(HTTP % "'https://svc.internal'"), (404, "err_ngrok_3200"))
        self.endpoints.add(Answer(201, []), online=False)
        visitor = visit(HTTP % "'https://svc.internal'", internal=self.endpoints)
        self.assertNotIn(b"svc", visitor.take())

    def test_goes_on(self) -> None:
        """``on_error: continue`` goes on instead."""
        self.assertEqual(self.ask(HALT_OR_NOT), (200, ""))
        self.endpoints.add(Answer(201, []))
        self.assertEqual(self.ask(HALT_OR_NOT), (201, ""))

    def test_responses(self) -> None:
        """The inner endpoint's rules for responses come before the outer's."""
        marks = "on_http_response:\n- type: custom-response\n  config: {body: %s}\n"
        inner = chain(marks % "inner").around_resource(Answer(201, []))
        self.endpoints.add(inner)
        outer = HTTP % "'https://svc.internal'" + marks % "outer"
        self.assertEqual(answered(visit(outer, internal=self.endpoints))[2], "outer")

    def test_loop(self) -> None:
        """An endpoint that forwards to itself is found out."""
        text = HTTP % "'https://svc.internal'"
        self.endpoints.add(chain(text, internal=self.endpoints).around_resource(None))
        self.assertEqual(self.ask(text), (508, "err_ngrok_3603"))

    def test_depth(self) -> None:
        """A chain of endpoints has a bound."""
        for number in range(12):
            text = HTTP % f"'https://n{number + 1}.internal'"
            self.endpoints.add(chain(text, internal=self.endpoints).around_resource(None), f"n{number}.internal")
        self.assertEqual(self.ask(HTTP % "'https://n0.internal'"), (508, "err_ngrok_3501"))
        self.endpoints.add(Answer(201, []), "n9.internal")
        self.assertEqual(self.ask(HTTP % "'https://n0.internal'"), (201, ""))

    def test_refused(self) -> None:
        """Only internal URLs of the same family can be forwarded to."""
        for text, proto in (
            (HTTP % "'https://app.example.com'", "https"),
            (HTTP % "'tcp://svc.internal:1'", "https"),
            (HTTP % "'https://svc.internal/path'", "https"),
            (TCP % "'tls://svc.internal'", "tcp"),
            (HALT_OR_NOT.replace("continue", "pray"), "https"),
        ):
            error = self.assertRaises(InvalidConfig, parse_policy, text, proto)
            self.assertIn(error.problems[0].code, (2203, 2204))
        self.assertRaises(InvalidConfig, parse_policy, TCP % "'http://svc.internal'", "http")


class ConnectionTests(SynchronousTestCase):
    """Connections are taken by internal endpoints."""

    def setUp(self) -> None:
        self.endpoints = Endpoints()

    def connect(self, text: str = TCP % "'tcp://svc.internal:5'") -> Any:
        """What is built for a connection."""
        return chain(text, "tcp", self.endpoints).around_factory(Inner()).buildProtocol(Address())

    def test_found(self) -> None:
        """The endpoint's factory gets the visitor's address."""
        self.endpoints.add(Inner(), proto="tcp", port=5)
        what, address = self.connect()
        self.assertEqual((what, address.host, address.port, address.server_name), ("served", "192.0.2.1", 1, None))

    def test_offline(self) -> None:
        """Without anybody online the connection is closed, or goes on."""
        self.assertIsNone(self.connect())
        goes_on = (
            "on_tcp_connect:\n- type: forward-internal\n  config: {url: 'tcp://a.internal:1', on_error: continue}\n"
        )
        self.assertEqual(self.connect(goes_on)[0], "served")

    def test_loop(self) -> None:
        """A ring is closed."""
        text = TCP % "'tcp://svc.internal:5'"
        self.endpoints.add(chain(text, "tcp", self.endpoints).around_factory(Inner()), proto="tcp", port=5)
        self.assertIsNone(self.connect())
