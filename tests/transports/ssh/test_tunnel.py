"""
Tests for `ngrok_twisted.transports.ssh.tunnel`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ngrok_twisted.errors import TunnelLost, UpstreamUnreachable
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IFlowFactory
from tests.transports.ssh.doubles import PTY, World


@implementer(IFlowFactory)
class FlowFactory(Factory):
    """A factory that was made for one flow."""

    protocol = Protocol
    noisy = False

    def __init__(self, flow: Flow) -> None:
        self.flow = flow


class TunnelTests(SynchronousTestCase):
    """`SSHTunnel`."""

    def tunnel(self, address: bytes = b"App.Example.com", port: int = 443, command: bytes = b"http") -> Any:
        """A tunnel that is online."""
        self.world = World()
        self.world.forward(address, port)
        self.session = self.world.run(command, PTY)
        (tunnel,) = self.world.tunnels
        return tunnel

    def test_values(self) -> None:
        """It tells whose it is and what it serves."""
        tunnel = self.tunnel(command=b"http --host-header x")
        self.assertEqual((tunnel.account_id, tunnel.url, tunnel.labels), ("ac_1", "https://app.example.com", {}))
        self.assertEqual((tunnel.endpoint_id, tunnel.session_id), ("ep_1", self.world.gateway.id))
        self.assertEqual((tunnel.upstream.host_header, tunnel.principal), ("x", self.world.connection.principal))
        self.assertTrue(tunnel.id.startswith("tn_"))

    def test_labelled(self) -> None:
        """A labelled tunnel has no endpoint and no URL, and is found by its labels."""
        tunnel = self.tunnel(command=b"tunnel --label a=b --label c=d")
        self.assertEqual((tunnel.endpoint_id, tunnel.url), (None, ""))
        self.assertEqual(self.world.tunnels.matching("ac_1", {"a": "b"}), (tunnel,))
        self.assertIn(b"Forwarding  labels a=b,c=d\r\n", self.session.out)

    def test_address_is_echoed(self) -> None:
        """The client is told the address it asked for, byte for byte, and the visitor's own."""
        tunnel = self.tunnel()
        flow = Flow("2001:db8::1", 5555, "https", 0)
        self.successResultOf(tunnel.connect(FlowFactory(flow)))
        self.assertEqual(self.world.connection.opened, [(b"App.Example.com", 443, "2001:db8::1", 5555)])

    def test_nobody(self) -> None:
        """Without a visitor the originator is nobody."""
        tunnel = self.tunnel()
        self.successResultOf(tunnel.connect(Factory.forProtocol(Protocol)))
        self.assertEqual(self.world.connection.opened[0][2:], ("0.0.0.0", 0))

    def test_stream_log(self) -> None:
        """The beginning of a TCP stream is in the log."""
        tunnel = self.tunnel(b"", 0, b"tcp")
        self.successResultOf(tunnel.connect(FlowFactory(Flow("192.0.2.1", 5555, "tcp", 0))))
        self.assertIn(b"open  192.0.2.1:5555", self.session.out)

    def test_refused(self) -> None:
        """A failed dial fails the connect, and the user reads why."""
        tunnel = self.tunnel()
        self.world.connection.answer = fail(UpstreamUnreachable("Connection refused"))
        self.failureResultOf(tunnel.connect(Factory.forProtocol(Protocol)), UpstreamUnreachable)
        self.assertIn(b"Connection refused", self.session.out)

    def test_offline(self) -> None:
        """After its end a tunnel opens no stream."""
        tunnel = self.tunnel()
        self.world.gateway.disconnected(Failure(ConnectionError()))
        self.failureResultOf(tunnel.connect(Factory.forProtocol(Protocol)), TunnelLost)

    def test_cancel(self) -> None:
        """Cancelling the connect cancels the opening of the channel."""
        cancelled: list[Any] = []
        tunnel = self.tunnel()
        self.world.connection.answer = Deferred(cancelled.append)
        dialled = tunnel.connect(Factory.forProtocol(Protocol))
        dialled.cancel()
        self.failureResultOf(dialled)
        self.assertEqual(len(cancelled), 1)

    def test_observe_never_raises(self) -> None:
        """An observer that fails is logged, and the flow ends all the same."""
        tunnel = self.tunnel()
        tunnel.when_ended = lambda *_: 1 / 0
        tunnel.observe(Flow("192.0.2.1", 1, "https", 0))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
