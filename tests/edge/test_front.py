"""
Tests for `ngrok_twisted.edge.front`.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.byte_transports import ITakesSocket
from ngrok_twisted.edge.front import CLIENT_HELLO_TIMEOUT, PlainFront, TLSFront
from ngrok_twisted.edge.visitors import VisitorChannel, Visitors
from ngrok_twisted.net.clienthello import MAX_WIRE_BYTES
from tests.edge.doubles import Edge, endpoint, get, hello
from tests.edge.wire import RecordingSite, Render, Wire, statuses
from tests.net.loop import LoopCase

HELLO = hello("app.example.com")


class Owner(Protocol):
    """What an edge makes of a connection."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def connectionMade(self) -> None:
        self.events.append("made")

    def dataReceived(self, data: bytes) -> None:
        self.events.append(bytes(data))

    def connectionLost(self, reason: Any = None) -> None:
        self.events.append("lost")


class OnePlane:
    """A plane with one owner, who may turn visitors away."""

    returning = None

    def __init__(self) -> None:
        self.asked: list[str | None] = []
        self.addresses: list[Any] = []
        self.owner: Owner | None = Owner()

    def secure_owner(self, server_name: str | None) -> Any:
        self.asked.append(server_name)
        return self

    def buildProtocol(self, addr: Any) -> Owner | None:
        self.addresses.append(addr)
        return self.owner


class GlanceTests(LoopCase):
    """Real connections, whose ClientHello is there when they are accepted, or is not."""

    def setUp(self) -> None:
        super().setUp()
        self.plane = OnePlane()
        self.front = TLSFront(self.plane, self.reactor)
        self.port = self.reactor.listenTCP(0, self.front, interface="127.0.0.1")
        self.visitor = socket.create_connection(("127.0.0.1", self.port.getHost().port), 5)
        self.addCleanup(self.visitor.close)

    def come(self, data: bytes) -> None:
        """The visitor says something before it is accepted."""
        self.visitor.sendall(data)
        self.turn()

    def owned(self, data: bytes) -> None:
        """The owner has all the bytes, and gets what comes then."""
        owner = self.plane.owner
        assert owner is not None
        self.until(lambda: b"".join(owner.events[1:]) == data)
        self.assertEqual(owner.events[0], "made")
        self.visitor.sendall(b"later")
        self.until(lambda: owner.events[-1] == b"later")
        (address,) = self.plane.addresses
        self.assertEqual((address.host, address.port), self.visitor.getsockname())
        self.assertEqual(address.server_name, "app.example.com")

    def test_interface(self) -> None:
        """What the front makes can do without a transport."""
        verifyObject(ITakesSocket, self.front.buildProtocol(None))

    def test_at_once(self) -> None:
        """The owner of the name has the connection at once, with all that was read."""
        self.come(HELLO + b"early data")
        self.assertEqual(self.plane.asked, ["app.example.com"])
        self.owned(HELLO + b"early data")

    def test_later(self) -> None:
        """A visitor who says nothing at first is waited for."""
        self.turn()
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        self.visitor.sendall(HELLO)
        self.owned(HELLO)

    def test_in_pieces(self) -> None:
        """So is one whose ClientHello comes in pieces."""
        self.come(HELLO[:30])
        self.assertEqual(self.plane.asked, [])
        self.visitor.sendall(HELLO[30:])
        self.owned(HELLO)

    def test_not_tls(self) -> None:
        """Plain HTTP is told what is wrong."""
        self.come(get("app.example.com"))
        self.assertIn(b" 400 ", self.visitor.recv(100))
        self.assertEqual(self.plane.asked, [])

    def test_turned_away(self) -> None:
        """A visitor whom the owner does not want is cut off."""
        self.plane.owner = None
        self.come(HELLO)
        self.assertRaises(ConnectionResetError, self.visitor.recv, 1)

    def test_no_certificate(self) -> None:
        """One for whom no certificate can be read is closed, and that is logged once."""

        class Full:
            def buildProtocol(self, addr: Any) -> Any:
                raise OSError(24, "Too many open files")

        self.patch(self.plane, "secure_owner", lambda name: Full())
        self.come(HELLO)
        self.assertEqual(self.visitor.recv(1), b"")

    def test_returning(self) -> None:
        """Where agents are expected back, visitors may be held for them, which takes a transport."""
        held: list[Any] = []

        class Returning:
            def hold_name(self, name: str | None, owner: Any, go_on: Any) -> bool:
                held.append(go_on)
                return len(held) < 2

        self.plane.returning = Returning()  # type: ignore[assignment]
        self.come(HELLO)
        self.assertEqual((len(held), self.plane.addresses), (1, []))
        held[0]()
        self.owned(HELLO)


class TLSFrontTests(SynchronousTestCase):
    """One ClientHello is read, then the connection is somebody else's."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.plane = OnePlane()
        self.front = TLSFront(self.plane, self.clock)
        self.wire = Wire()
        self.wire.protocol = self.peek = self.front.buildProtocol(None)
        self.peek.makeConnection(self.wire)

    def send(self, data: bytes) -> None:
        """The transport gives bytes to whoever has the connection now."""
        self.wire.protocol.dataReceived(data)

    def assertRefused(self, answer: bytes) -> None:
        """The connection is closed after this answer, nobody else has seen it, and no timer is left."""
        self.assertEqual(self.wire.value(), answer)
        self.assertTrue(self.wire.disconnecting)
        self.assertEqual((self.plane.asked, self.clock.getDelayedCalls()), ([], []))

    def test_interface(self) -> None:
        """The front is a factory."""
        verifyObject(IProtocolFactory, self.front)

    def test_one_piece(self) -> None:
        """The owner of the name gets the connection, with all the bytes that were read."""
        self.send(HELLO)
        self.assertEqual(self.plane.asked, ["app.example.com"])
        assert self.plane.owner is not None
        self.assertEqual(self.plane.owner.events, ["made", HELLO])
        self.assertIs(self.wire.protocol, self.plane.owner)
        self.assertIs(self.plane.owner.transport, self.wire)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_byte_by_byte(self) -> None:
        """However the bytes arrive, they are handed over once and in one piece."""
        for number in range(len(HELLO)):
            self.assertEqual(self.plane.asked, [])
            self.send(HELLO[number : number + 1])
        assert self.plane.owner is not None
        self.assertEqual(self.plane.owner.events, ["made", HELLO])

    def test_more_than_the_hello(self) -> None:
        """What came with the hello is handed over too, and what comes later goes to the owner."""
        self.send(HELLO + b"early data")
        self.send(b"later")
        assert self.plane.owner is not None
        self.assertEqual(self.plane.owner.events, ["made", HELLO + b"early data", b"later"])

    def test_address(self) -> None:
        """The owner is told where the visitor comes from and what it asked for."""
        self.send(HELLO)
        (address,) = self.plane.addresses
        peer = self.wire.getPeer()
        self.assertEqual((address.host, address.port, address.server_name), (peer.host, peer.port, "app.example.com"))

    def test_without_name(self) -> None:
        """A visitor without a name is somebody's, too."""
        self.send(hello(None))
        self.assertEqual(self.plane.asked, [None])

    def test_turned_away(self) -> None:
        """A visitor whom the owner does not want is cut off."""
        self.plane.owner = None
        self.send(HELLO)
        self.assertTrue(self.wire.aborted)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_garbage(self) -> None:
        """What is not TLS is closed without an answer, and what follows is not looked at."""
        self.send(b"\x00\x01\x02")
        self.send(HELLO)
        self.assertRefused(b"")
        self.assertEqual(self.peek._seen, b"\x00\x01\x02")

    def test_other_protocol(self) -> None:
        """SSH to the TLS port gets no answer."""
        self.send(b"SSH-2.0-OpenSSH_10.0\r\n")
        self.assertRefused(b"")

    def test_plain_http(self) -> None:
        """Plain HTTP is told in its own language what is wrong."""
        self.send(get("app.example.com"))
        answer = self.wire.value()
        self.assertEqual(statuses(answer), [400])
        self.assertIn(b"This port speaks HTTPS, but the request came as plain HTTP.", answer)
        self.assertRefused(answer)

    def test_malformed(self) -> None:
        """A broken hello gets the alert decode_error."""
        self.send(b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00")
        self.assertRefused(b"\x15\x03\x01\x00\x02\x02\x32")

    def test_oversized(self) -> None:
        """A hello that never ends is refused, within the bound on what is kept."""
        record = b"\x16\x03\x01\x40\x00" + b"\x01\x00\xff\xff" + bytes(0x4000 - 4)
        more = b"\x16\x03\x01\x00\x01\x00"
        sent = 0
        self.send(record)
        while not self.wire.disconnecting and sent < 2 * MAX_WIRE_BYTES:
            self.send(more)
            sent += len(more)
        self.assertRefused(b"\x15\x03\x01\x00\x02\x02\x32")

    def test_timeout(self) -> None:
        """A visitor that does not say whom it wants is not waited for, however often a byte comes."""
        for number in range(CLIENT_HELLO_TIMEOUT - 1):
            self.clock.advance(1)
            self.send(HELLO[number : number + 1])
        self.assertFalse(self.wire.disconnecting)
        self.clock.pump([1, 1, 1])
        self.assertRefused(b"")

    def test_lost(self) -> None:
        """A visitor that leaves before its hello leaves nothing behind."""
        self.send(HELLO[:20])
        self.peek.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((self.plane.asked, self.clock.getDelayedCalls()), ([], []))


class ThroughTheFrontTests(SynchronousTestCase):
    """The front with a real plane behind it."""

    def setUp(self) -> None:
        self.edge = Edge()

    def test_nobody(self) -> None:
        """A name that nobody has is answered over TLS with the offline page, which tells the name."""
        answer = self.edge.visit("nobody.example.com").send(get("nobody.example.com"))
        self.assertEqual(statuses(answer), [404])
        self.assertIn(b"The endpoint nobody.example.com is offline.", answer)
        self.assertIn(b"ERR_NGROK_3200", answer)

    def test_nobody_at_all(self) -> None:
        """So is a visitor without a name."""
        self.assertEqual(self.edge.visit(None).ask("nobody.example.com"), 404)

    def test_passthrough(self) -> None:
        """A tls endpoint's agent gets the very ClientHello."""
        self.edge.serve(endpoint("ep_1", "tls"))
        tunnel = self.edge.online("ep_1")
        wire = Wire()
        wire.protocol = peek = self.edge.plane.secure_front.buildProtocol(None)
        peek.makeConnection(wire)
        peek.dataReceived(HELLO[:50])
        peek.dataReceived(HELLO[50:])
        self.assertEqual(tunnel.connection.take(), HELLO)
        tunnel.connection.send(b"ServerHello")
        self.assertEqual(wire.value(), b"ServerHello")


class PlainFrontTests(SynchronousTestCase):
    """HTTP at once."""

    def test_channel(self) -> None:
        """A connection is an HTTP channel that is counted."""
        visitors = Visitors()
        site = RecordingSite(Render(lambda request: b"hello"), Clock(), proto="http")
        channel = PlainFront(site, visitors).buildProtocol(None)
        self.assertIsInstance(channel, VisitorChannel)
        wire = Wire()
        channel.makeConnection(wire)
        self.assertEqual(len(visitors), 1)
        channel.dataReceived(get("a.example"))
        self.assertEqual(statuses(wire.value()), [200])
        channel.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(len(visitors), 0)

    def test_tls(self) -> None:
        """TLS on the plain port is refused at its first byte."""
        channel = PlainFront(RecordingSite(None, Clock(), proto="http"), Visitors()).buildProtocol(None)
        wire = Wire()
        channel.makeConnection(wire)
        channel.dataReceived(HELLO[:1])
        self.assertEqual(statuses(wire.value()), [400])
        self.assertTrue(wire.ended)
