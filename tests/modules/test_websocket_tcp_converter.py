"""
Tests for `ngrok_twisted.modules.websocket_tcp_converter`; what follows the handshake is in ``tests/net/test_conversion.py``.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionRefusedError
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted import schema
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.interfaces import IHTTPModule, IModuleKind
from ngrok_twisted.modules.circuit_breaker import CircuitBreaker, CircuitBreakerConfig
from ngrok_twisted.modules.websocket_tcp_converter import (
    WebSocketTCPConverter,
    WebSocketTCPConverterConfig,
    from_flags,
)
from ngrok_twisted.records.edge import module_types
from ngrok_twisted.records.endpoint import Upstream
from ngrok_twisted.wrapper import Answer
from tests.edge.wire import Backend, Service, Visitor, statuses
from tests.modules.requests import Route, context

UPGRADE = (b"Connection: keep-alive, Upgrade", b"Upgrade: WebSocket")
VERSION = b"Sec-WebSocket-Version: 13"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
GOOD = (*UPGRADE, VERSION, KEY)


class ConfigTests(SynchronousTestCase):
    """What can be said."""

    def test_kind(self) -> None:
        """It stands on routes only, and there is nothing to set."""
        verifyObject(IModuleKind, WebSocketTCPConverter)
        made = schema.parse(module_types("route")["websocket_tcp_converter"], {})
        self.assertEqual(made.config, WebSocketTCPConverterConfig())
        self.assertRaises(InvalidConfig, schema.parse, module_types("route")["websocket_tcp_converter"], {"a": 1})
        self.assertNotIn("websocket_tcp_converter", module_types("tcp"))
        self.assertEqual(from_flags({"websocket-tcp-converter": True}), made.config)


class HandshakeTests(SynchronousTestCase):
    """Which requests become connections (RFC 6455 section 4.2)."""

    def setUp(self) -> None:
        self.route = Route(WebSocketTCPConverter, WebSocketTCPConverterConfig())

    def said(self, *lines: bytes, method: bytes = b"GET", version: bytes = b"HTTP/1.1") -> bytes:
        """The answer to a request."""
        self.visitor = self.route.visitor()
        self.visitor.send(b"\r\n".join([method + b" / " + version, b"Host: a.example", *lines, b"", b""]))
        return self.visitor.take()

    def test_face(self) -> None:
        """It is a module for requests."""
        verifyObject(IHTTPModule, self.route.module)

    def test_accepted(self) -> None:
        """The service is reached first; then the visitor gets the answer that belongs to its key, and no extension."""
        said = self.said(*GOOD, b"Sec-WebSocket-Extensions: permessage-deflate")
        self.assertEqual(
            said,
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nConnection: Upgrade\r\n\r\n",
        )
        self.assertEqual(self.route.service.connection.take(), b"")

    def test_subprotocol(self) -> None:
        """``binary`` is spoken where it is offered, and nothing else."""
        for offered in (b"binary", b"mqtt, binary", b"mqtt\r\nSec-WebSocket-Protocol: binary"):
            self.assertIn(
                b"\r\nSec-WebSocket-Protocol: binary\r\n", self.said(*GOOD, b"Sec-WebSocket-Protocol: " + offered)
            )
        for offered in (b"base64", b"Binary", b"binary2"):
            self.assertNotIn(b"Protocol:", self.said(*GOOD, b"Sec-WebSocket-Protocol: " + offered))

    def test_no_upgrade(self) -> None:
        """Everything that does not begin a WebSocket is refused with ngrok's code, and nobody is dialled."""
        for lines, more in (
            ((), {}),
            ((VERSION, KEY), {}),
            ((b"Upgrade: websocket", VERSION, KEY), {}),
            ((b"Connection: Upgrade", b"Upgrade: something", VERSION, KEY), {}),
            (GOOD, {"method": b"POST"}),
            (GOOD, {"version": b"HTTP/1.0"}),
            ((*UPGRADE, VERSION), {}),
            ((*UPGRADE, VERSION, b"Sec-WebSocket-Key: short"), {}),
            ((*UPGRADE, VERSION, KEY, KEY), {}),
        ):
            said = self.said(*lines, **more)
            self.assertTrue(said.startswith(b"HTTP/1.1 400 "), said)
            self.assertIn(b"\r\nngrok-error-code: ERR_NGROK_3206\r\n", said)
        self.assertEqual(self.route.service.connections, [])

    def test_version(self) -> None:
        """Another version is answered with the one that is spoken (section 4.4)."""
        for lines in ((), (b"Sec-WebSocket-Version: 8",), (VERSION, VERSION)):
            said = self.said(*UPGRADE, KEY, *lines)
            self.assertTrue(said.startswith(b"HTTP/1.1 426 "), said)
            self.assertIn(b"\r\nSec-WebSocket-Version: 13\r\n", said)

    def test_decision_of_others(self) -> None:
        """A service that upgrades by itself is not asked to: it never sees HTTP."""
        self.said(*GOOD)
        self.route.service.connection.send(b"HTTP/1.1 101 Go\r\n\r\n")
        self.assertEqual(self.visitor.take(), b"\x82\x13HTTP/1.1 101 Go\r\n\r\n")


class TargetTests(SynchronousTestCase):
    """Who is reached."""

    def visit(self, *targets: Any, resource: Any = None) -> Visitor:
        route = Route(WebSocketTCPConverter, WebSocketTCPConverterConfig())
        route.forward.backend = Backend(*targets)
        visitor = Visitor(route.resource if resource is None else resource(route), clock=route.clock)
        visitor.send(b"\r\n".join([b"GET / HTTP/1.1", b"Host: a.example", *GOOD, b"", b""]))
        return visitor

    def test_next(self) -> None:
        """A target that cannot be reached makes way for the next, as with HTTP; the flow knows both."""
        first, second = Service(error=ConnectionRefusedError()), Service()
        visitor = self.visit(first, second)
        self.assertEqual(statuses(visitor.take()), [101])
        self.assertEqual(visitor.request.flow.tried, (first,))
        self.assertEqual(len(second.connections), 1)

    def test_nobody(self) -> None:
        """Who cannot be reached is answered for like any other service."""
        self.assertEqual(statuses(self.visit(Service(error=ConnectionRefusedError())).take()), [502])
        self.assertEqual(statuses(self.visit().take()), [404])

    def test_fixed_answer(self) -> None:
        """What answers by itself does so."""
        self.assertEqual(statuses(self.visit(Answer(503, [])).take()), [503])

    def test_proxy_protocol(self) -> None:
        """A service that wants to know the visitor's address is told it first."""
        service = Service(Upstream(proxy_protocol=1))
        self.visit(service)
        self.assertTrue(service.connection.take().startswith(b"PROXY TCP4 192.168.1.1 "))

    def test_not_pooled(self) -> None:
        """Each visitor has a connection of its own."""
        service = Service()
        self.visit(service), self.visit(service)
        self.assertEqual(len(service.connections), 2)

    def test_behind_a_breaker(self) -> None:
        """For a circuit breaker, a service that is reached has succeeded, and a request that is none counts for nothing."""
        breaker = CircuitBreaker(CircuitBreakerConfig(), context())
        around = lambda route: breaker.wrap_resource(route.resource)
        for targets, counts in ((Service(), (1, 0)), (Service(error=ConnectionRefusedError()), (2, 1))):
            self.visit(targets, resource=around)
            self.assertEqual((breaker._circuit.total, breaker._circuit.errors), counts)
        route = Route(WebSocketTCPConverter, WebSocketTCPConverterConfig())
        visitor = Visitor(breaker.wrap_resource(route.resource), clock=route.clock)
        visitor.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        self.assertEqual(statuses(visitor.take()), [400])
        self.assertEqual(breaker._circuit.total, 2)
