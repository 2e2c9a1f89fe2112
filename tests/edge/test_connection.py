"""
Tests for `ngrok_twisted.edge.connection`.
"""

from __future__ import annotations

from types import SimpleNamespace

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.http1 import HTTPChannel
from tests.edge.doubles import Edge, endpoint
from tests.edge.wire import RecordingSite, Wire


class VisitorConnectionTests(SynchronousTestCase):
    """What a connection tells."""

    def channel(self, transport: Wire, proto: str = "https") -> HTTPChannel:
        """A connection that came 7 seconds after the start of the clock."""
        clock = Clock()
        clock.advance(7)
        channel = HTTPChannel(RecordingSite(None, clock, proto=proto))
        channel.makeConnection(transport)
        clock.advance(3)
        return channel

    def test_plain(self) -> None:
        """A plain connection has addresses and a beginning, and nothing of TLS."""
        channel = self.channel(Wire(), "http")
        self.assertEqual((channel.opened(), channel.clock().seconds()), (7.0, 10.0))
        self.assertEqual((channel.is_secure(), channel.server_name()), (False, ""))
        self.assertEqual((channel.get_tls(), channel.get_peer_certificate()), (None, None))
        self.assertEqual((channel.get_peer().host, channel.get_host().host), ("192.168.1.1", "10.0.0.1"))

    def test_secure(self) -> None:
        """Over TLS the name, the handshake and the certificate are known."""
        transport = Wire()
        transport.cipher = lambda: "X"  # type: ignore[attr-defined]
        transport.getPeerCertificate = lambda: b"DER"  # type: ignore[attr-defined]
        channel = self.channel(transport)
        channel.site = SimpleNamespace(server_name="a.example", proto="https")  # type: ignore[assignment]
        self.assertEqual((channel.is_secure(), channel.server_name()), (True, "a.example"))
        self.assertEqual((channel.get_tls(), channel.get_peer_certificate()), (transport, b"DER"))

    def test_server_name(self) -> None:
        """Behind the TLS front it is the name in the ClientHello."""
        edge = Edge()
        edge.serve(endpoint("ep_1"))
        tunnel = edge.online("ep_1")
        visitor = edge.visit("app.example.com")
        visitor.send(b"GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n")
        request = tunnel.connection.protocol.request
        self.assertEqual(request.channel.server_name(), "app.example.com")
        self.assertEqual(request.channel.get_tls().version(), "TLSv1.3")
