"""
Tests for `ngrok_twisted.net.announced`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.net.announced import HEADER_TIMEOUT, Announced
from ngrok_twisted.net.proxy_header import SIGNATURE
from ngrok_twisted.networks import NetworkSet, parse_network
from ngrok_twisted.upstream.proxy_protocol import encode_v1, encode_v2

BALANCER = IPv4Address("TCP", "10.0.0.7", 40000)
VISITOR, PLACE = ("192.0.2.1", 50000), ("198.51.100.2", 443)
V6 = ("2001:db8::1", 50000), ("2001:db8::2", 443)


class Served(Protocol):
    """Notes what becomes of it."""

    def __init__(self, address: Any) -> None:
        self.address = address
        self.events: list[Any] = []

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.events.append(("made", self.transport.getPeer(), self.transport.getHost()))

    def dataReceived(self, data: bytes) -> None:
        self.events.append(data)

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:
        self.events.append("lost")


class Inner(Factory):
    """Makes `Served`, or turns everybody away."""

    def __init__(self) -> None:
        self.made: list[Served] = []
        self.full = False

    def buildProtocol(self, addr: Any) -> Served | None:
        if self.full:
            return None
        self.made.append(Served(addr))
        return self.made[-1]


class Socket(StringTransport):
    """A transport that hands what it gets to whoever owns it at the time."""

    protocol: Any
    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True

    def send(self, data: bytes) -> None:
        self.protocol.dataReceived(data)


class AnnouncedTests(SynchronousTestCase):
    """Connections from a load balancer, and from others."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.inner = Inner()
        trusted = NetworkSet(parse_network(text, bare=True) for text in ("10.0.0.0/24", "2001:db8:7::1"))
        self.factory = Announced(self.inner, trusted, self.clock)

    def connect(self, peer: Any = BALANCER) -> Socket:
        """Somebody comes."""
        socket = Socket(peerAddress=peer)
        socket.protocol = self.factory.buildProtocol(peer)
        socket.protocol.makeConnection(socket)
        return socket

    def test_factory(self) -> None:
        """It is a factory, and lets the one inside know when a listener starts and stops."""
        verifyObject(IProtocolFactory, self.factory)
        self.factory.doStart()
        self.assertEqual(self.inner.numPorts, 1)
        self.factory.doStop()
        self.assertEqual(self.inner.numPorts, 0)

    def test_announced(self) -> None:
        """Who is announced is the visitor of the header for all that follows, whichever way the bytes were cut."""
        for encode in (encode_v1, encode_v2):
            data = encode(VISITOR, PLACE) + b"GET"
            for cut in range(1, len(data)):
                socket = self.connect()
                self.assertEqual(self.inner.made, [])
                socket.send(data[:cut])
                socket.send(data[cut:])
                (served,) = self.inner.made
                self.inner.made.clear()
                peer = IPv4Address("TCP", *VISITOR)
                self.assertEqual((served.address, served.events[0]), (peer, ("made", peer, IPv4Address("TCP", *PLACE))))
                self.assertEqual(b"".join(served.events[1:]), b"GET")
                self.assertIs(socket.protocol, served)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_ipv6(self) -> None:
        """A visitor over IPv6 may come over a balancer's IPv4, and the balancer over IPv6."""
        self.connect(IPv6Address("TCP", "2001:db8:7::1", 40000)).send(encode_v2(*V6))
        self.connect().send(encode_v1(*V6))
        self.assertEqual([served.address for served in self.inner.made], [IPv6Address("TCP", *V6[0])] * 2)

    def test_silent_server(self) -> None:
        """Where the server speaks first, the end of the header is all that it waits for."""
        self.connect().send(encode_v1(VISITOR, PLACE))
        self.assertEqual(len(self.inner.made[0].events), 1)

    def test_for_itself(self) -> None:
        """A balancer that looks whether we are well is itself."""
        for data in (SIGNATURE + b"\x20\0\0\0", b"PROXY UNKNOWN\r\n"):
            self.connect().send(data + b"GET")
            served = self.inner.made[-1]
            self.assertEqual((served.address, served.events[1:]), (BALANCER, [b"GET"]))

    def test_others(self) -> None:
        """From anywhere else a header is bytes like any others."""
        for peer in (
            IPv4Address("TCP", "10.0.1.7", 1),
            IPv6Address("TCP", "2001:db8:7::2", 1),
            UNIXAddress("/x"),
            None,
        ):
            socket = self.connect(peer)
            data = encode_v1(VISITOR, PLACE)
            socket.send(data)
            served = self.inner.made[-1]
            self.assertEqual((served.address, served.events[1:]), (peer, [data]))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bad(self) -> None:
        """A balancer that sends none is cut off at once, and so is one that sends a wrong one; nobody behind hears of it."""
        for data in (b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", b"PROXY TCP4 x y 1 2\r\n", b"PROXY " + b"x" * 200):
            socket = self.connect()
            socket.send(data)
            self.assertTrue(socket.aborted, data)
            socket.send(encode_v1(VISITOR, PLACE))
            socket.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((self.inner.made, self.clock.getDelayedCalls()), ([], []))

    def test_timeout(self) -> None:
        """A header that does not come in time is not waited for, however many of its bytes came."""
        socket = self.connect()
        for byte in encode_v1(VISITOR, PLACE)[:HEADER_TIMEOUT]:
            self.assertFalse(socket.aborted)
            socket.send(bytes([byte]))
            self.clock.advance(1)
        self.assertTrue(socket.aborted)
        self.assertEqual((self.inner.made, self.clock.getDelayedCalls()), ([], []))

    def test_leaves(self) -> None:
        """One that leaves before leaves nothing behind."""
        socket = self.connect()
        socket.send(b"PROXY ")
        socket.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((self.inner.made, self.clock.getDelayedCalls()), ([], []))

    def test_turned_away(self) -> None:
        """Where the factory inside wants nobody, the connection ends."""
        self.inner.full = True
        socket = self.connect()
        socket.send(encode_v1(VISITOR, PLACE))
        self.assertTrue(socket.aborted)
