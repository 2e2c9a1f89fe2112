"""
Tests for `ngrok_twisted.edge.streams`.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.address import VisitorAddress
from tests.edge.doubles import Edge, Tunnel, endpoint
from tests.edge.wire import Wire


class StreamEdgeTests(SynchronousTestCase):
    """A public TCP port with a tunnel behind it."""

    def setUp(self) -> None:
        self.edge = Edge()
        self.edge.serve(endpoint("ep_1", "tcp", "tcp.example.com", 20001))
        self.wire = Wire()

    def visit(self) -> None:
        """Somebody connects to the port."""
        factory = self.edge.reactor.tcpServers[0][1]
        self.visitor = factory.buildProtocol(VisitorAddress("192.0.2.9", 4711, None))
        self.visitor.makeConnection(self.wire)

    def online(self) -> Tunnel:
        """An agent serves it."""
        return self.edge.online("ep_1")

    def test_bytes(self) -> None:
        """Bytes go both ways, and the flow knows what it was."""
        tunnel = self.online()
        self.visit()
        self.visitor.dataReceived(b"question")
        self.assertEqual(tunnel.connection.take(), b"question")
        tunnel.connection.send(b"answer!")
        self.assertEqual(self.wire.value(), b"answer!")
        self.visitor.connectionLost(Failure(ConnectionDone()))
        tunnel.connection.close()
        (flow,) = self.edge.flows
        self.assertEqual((flow.proto, flow.edge.name), ("tcp", "tcp://tcp.example.com:20001"))
        self.assertEqual((flow.peer_host, flow.peer_port), ("192.0.2.9", 4711))
        self.assertEqual((flow.bytes_in, flow.bytes_out, flow.tunnel), (8, 7, tunnel))
        self.assertEqual(tunnel.seen, [flow])

    def test_counted(self) -> None:
        """A stream is counted among the visitors from its beginning to its end."""
        self.online()
        self.visit()
        self.assertEqual(len(self.edge.plane.visitors), 1)
        self.visitor.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(len(self.edge.plane.visitors), 0)

    def test_drain(self) -> None:
        """A drain leaves a stream alone; an abort ends it."""
        self.online()
        self.visit()
        self.edge.plane.visitors.drain()
        self.assertFalse(self.wire.ended)
        self.edge.plane.visitors.abort()
        self.assertTrue(self.wire.aborted)

    def test_offline(self) -> None:
        """Without a tunnel the visitor is reset, and not counted any more once it is gone."""
        self.visit()
        self.assertTrue(self.wire.aborted)
        self.visitor.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(len(self.edge.plane.visitors), 0)
        self.assertEqual(self.edge.flows[0].error.code, 3200)

    def test_idle(self) -> None:
        """A stream on which nothing moves is closed after the configured time."""
        self.edge = Edge(stream_idle=20.0)
        self.edge.serve(endpoint("ep_1", "tcp", "tcp.example.com", 20001))
        self.online()
        self.visit()
        self.edge.reactor.pump([1] * 19)
        self.assertFalse(self.wire.ended)
        self.edge.reactor.pump([1] * 5)
        self.assertTrue(self.wire.ended)
