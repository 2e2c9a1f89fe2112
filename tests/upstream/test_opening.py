"""
Tests for ``ngrok_twisted.upstream.opening``.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.flow import Flow
from ngrok_twisted.records.endpoint import Upstream
from ngrok_twisted.upstream.opening import ConnectionFactory, opened
from tests.edge.wire import Connection, Service


class Request:
    """As much of a request as an opening needs."""

    def __init__(self) -> None:
        self.flow = Flow("192.0.2.1", 4000, "https", 1.0)
        self.flow.host = "a.example"

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "198.51.100.1", 443)


class Talker:
    """A protocol that speaks first, and remembers."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport
        transport.write(b"hello")

    def dataReceived(self, data: bytes) -> None:
        self.events.append(data)

    def connectionLost(self, reason: Any) -> None:
        self.events.append("lost")


class OpeningTests(SynchronousTestCase):
    """What is sent before anything else."""

    def connect(self, upstream: Upstream) -> tuple[Connection, Talker, Service]:
        service, request, talker = Service(upstream), Request(), Talker()
        endpoint = opened(service, upstream, request, Clock())
        self.connecting = endpoint.connect(ConnectionFactory(request.flow, talker))
        return service.connection, talker, service

    def test_nothing_special(self) -> None:
        """A plain service is connected to as it is."""
        service = Service()
        self.assertIs(opened(service, service.upstream, Request(), Clock()), service)

    def test_proxy_header(self) -> None:
        """The PROXY header comes before the protocol's first word, and the flow is still told to the target."""
        connection, talker, service = self.connect(Upstream(proxy_protocol=1))
        self.assertEqual(connection.take(), b"PROXY TCP4 192.0.2.1 198.51.100.1 4000 443\r\nhello")
        self.assertIs(self.successResultOf(self.connecting), talker)
        self.assertEqual(service.factories[0].flow.peer_host, "192.0.2.1")

    def test_version_2(self) -> None:
        """Version 2 starts with its signature."""
        connection, _, _ = self.connect(Upstream(proxy_protocol=2))
        self.assertTrue(connection.take().startswith(b"\r\n\r\n\0\r\nQUIT\n\x21\x11"))

    def test_out_of_the_way(self) -> None:
        """After the header the protocol hears everything."""
        connection, talker, _ = self.connect(Upstream(proxy_protocol=1))
        connection.send(b"data")
        connection.protocol.readConnectionLost()
        self.assertTrue(connection.wire.disconnecting)  # it knows no half-closed connections
        connection.reset()
        self.assertEqual(talker.events, [b"data", "lost"])

    def test_tls(self) -> None:
        """TLS starts with a ClientHello that names the endpoint's host; the PROXY header stands before it."""
        connection, _, _ = self.connect(Upstream(tls=True))
        hello = connection.take()
        self.assertEqual(hello[:2], b"\x16\x03")
        self.assertIn(b"a.example", hello)
        connection, _, _ = self.connect(Upstream(tls=True, tls_name="inside.example", proxy_protocol=1))
        first, _, hello = connection.take().partition(b"\r\n")
        self.assertTrue(first.startswith(b"PROXY "))
        self.assertIn(b"inside.example", hello)
