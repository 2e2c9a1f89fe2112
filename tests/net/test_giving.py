"""
Tests of `ngrok_twisted.net.giving`.
"""

from __future__ import annotations

import socket
from typing import Any

from zope.interface.verify import verifyObject

from ngrok_twisted.byte_transports import ITakesSocket
from ngrok_twisted.crew.departures import _Elsewhere, _FirstBytes
from ngrok_twisted.net.eager import EagerServer
from ngrok_twisted.net.giving import give, give_transport, reset
from ngrok_twisted.upstream.stream import StreamFactory
from tests.net.loop import LoopCase, Recorder


class Taking(Recorder):
    """Takes sockets."""

    taken: tuple[Any, Any, bytes] | None = None

    def take_socket(self, sock: Any, client: Any, data: bytes) -> None:
        self.taken = sock, client, data


class GivingTests(LoopCase):
    """An accepted socket finds its protocol."""

    def setUp(self) -> None:
        super().setUp()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.visitor = socket.create_connection(listening.getsockname(), 5)
            self.accepted, self.client = listening.accept()
        self.addCleanup(self.visitor.close)
        self.accepted.setblocking(False)

    def test_transport(self) -> None:
        """Most protocols get a transport, what was read already, and then what comes."""
        protocol = Recorder()
        give(protocol, self.accepted, self.client, self.reactor, b"hel")
        self.assertIsInstance(protocol.transport, EagerServer)
        self.assertEqual((protocol.connected_times, bytes(protocol.received)), (1, b"hel"))
        self.visitor.sendall(b"lo")
        self.until(lambda: protocol.received == b"hello")
        peer = protocol.transport.getPeer()  # type: ignore[union-attr]
        self.assertEqual((peer.host, peer.port), self.visitor.getsockname())

    def test_socket(self) -> None:
        """Who takes a socket gets just that, and the reactor knows nothing of it."""
        self.addCleanup(self.accepted.close)
        protocol = Taking()
        give(protocol, self.accepted, self.client, self.reactor, b"hello")
        self.assertEqual(protocol.taken, (self.accepted, self.client, b"hello"))
        self.assertEqual((protocol.transport, self.reactor.getReaders()), (None, [*self.reactor._internalReaders]))

    def test_all_the_same(self) -> None:
        """It may be given a transport as well."""
        protocol = Taking()
        give_transport(protocol, self.accepted, self.client, self.reactor)
        self.assertEqual((protocol.taken, protocol.connected_times), (None, 1))

    def test_replaced(self) -> None:
        """What was read goes to the protocol that stands there when the first is set up."""
        second = Recorder()

        class First(Recorder):
            def connectionMade(self) -> None:
                transport: Any = self.transport
                transport.protocol = second

        first = First()
        give(first, self.accepted, self.client, self.reactor, b"hello")
        self.assertEqual((bytes(first.received), bytes(second.received)), (b"", b"hello"))

    def test_broken(self) -> None:
        """A protocol that fails has its connection reset."""

        class Broken(Recorder):
            def connectionMade(self) -> None:
                raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, give, Broken(), self.accepted, self.client, self.reactor)
        self.turn()
        self.assertRaises(ConnectionResetError, self.visitor.recv, 1)

    def test_reset(self) -> None:
        """A reset is no orderly end; one of a connection that is broken already changes nothing."""
        reset(self.accepted)
        self.assertRaises(ConnectionResetError, self.visitor.recv, 1)
        reset(self.accepted)

    def test_takers(self) -> None:
        """Those who take sockets provide the interface."""
        visitor = StreamFactory(None, "tcp", self.reactor).buildProtocol(None)
        leaving = _Elsewhere(None, 1, "port", 1, None).buildProtocol(None)  # type: ignore[arg-type]
        for protocol in (visitor, leaving, _FirstBytes(None, None)):  # type: ignore[arg-type]
            verifyObject(ITakesSocket, protocol)
