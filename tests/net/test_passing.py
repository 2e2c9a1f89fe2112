"""
Tests of `ngrok_twisted.net.passing`.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from ngrok_twisted.interfaces import IBatchTransport
from ngrok_twisted.net.announced import rename
from ngrok_twisted.net.passing import EagerPipe, Ends, can_let_go, let_go, take_up
from tests.net.loop import LoopCase, Recorder
from tests.net.test_eager import BIG, HalfCloseable


class Echo(Recorder):
    """Sends back what it gets."""

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        self.transport.write(data)  # type: ignore[union-attr]


class PassingTests(LoopCase):
    """A connection leaves one reactor and comes into another, which here is the same."""

    def setUp(self) -> None:
        super().setUp()
        port, built = self.listen(Recorder)
        self.visitor = socket.create_connection(("127.0.0.1", port.getHost().port), 5)
        self.addCleanup(self.visitor.close)
        self.visitor.sendall(b"first ")
        self.until(lambda: built and built[0].received)
        self.before = built[0]
        self.transport: Any = self.before.transport

    def pass_on(self, protocol: Any, data: bytes = b"") -> Ends:
        """Let the connection go, and take it up with another protocol, as another process does."""
        descriptor, ends = let_go(self.transport)
        copy = os.dup(descriptor)
        os.close(descriptor)
        take_up(self.reactor, copy, ends, protocol, data)
        return ends

    def test_goes_on(self) -> None:
        """The next protocol gets what was read already and what comes later; the one before hears nothing more."""
        after = Echo()
        self.visitor.sendall(b"second")
        self.pass_on(after, bytes(self.before.received))
        self.until(lambda: after.received == b"first second")
        self.assertEqual(self.visitor.recv(6), b"first ")
        self.assertEqual((bytes(self.before.received), self.before.lost), (b"first ", None))
        self.assertEqual(after.connected_times, 1)

    def test_ends(self) -> None:
        """The next transport tells the same ends as the one before."""
        peer, host = self.transport.getPeer(), self.transport.getHost()
        after = Recorder()
        self.pass_on(after)
        transport: Any = after.transport
        self.assertEqual((transport.getPeer(), transport.getHost()), (peer, host))
        self.assertIn("127.0.0.1", repr(transport))

    def test_announced(self) -> None:
        """What a load balancer has announced goes along."""
        rename(self.transport, ("192.0.2.7", 7), ("2001:db8::1", 443))
        after = Recorder()
        self.pass_on(after)
        transport: Any = after.transport
        self.assertEqual((transport.getPeer().host, transport.getPeer().port), ("192.0.2.7", 7))
        self.assertEqual((transport.getHost().host, transport.getHost().port), ("2001:db8::1", 443))

    def test_nothing_is_left(self) -> None:
        """The transport that was let go is dead: it sends nothing, closes nothing, and the reactor has forgotten it."""
        transport = self.transport
        after = Recorder()
        self.pass_on(after)
        transport.write(b"lost")
        transport.loseConnection()
        transport.abortConnection()
        self.turn()
        self.assertNotIn(transport, self.reactor.getReaders())
        self.assertEqual(transport.fileno(), -1)
        self.visitor.sendall(b"alive")
        self.until(lambda: after.received == b"alive")
        self.visitor.setblocking(False)
        self.assertRaises(BlockingIOError, self.visitor.recv, 1)

    def test_in_the_midst_of_a_read(self) -> None:
        """A protocol may let its connection go while it is given bytes."""
        after = Recorder()
        case = self

        class Leaving(Recorder):
            def dataReceived(self, data: bytes) -> None:
                case.pass_on(after, data)

        self.transport.protocol = Leaving()
        self.visitor.sendall(b"go")
        self.until(lambda: after.received == b"go")
        self.visitor.shutdown(socket.SHUT_RDWR)
        self.until(lambda: after.lost)
        self.assertTrue(after.lost.check(ConnectionDone))

    def test_nobody(self) -> None:
        """Where nobody wants the connection it is closed."""
        self.pass_on(None)
        self.visitor.settimeout(5)
        self.assertEqual(self.visitor.recv(1), b"")

    def test_broken_set_up(self) -> None:
        """A protocol that cannot begin ends the connection, and the error goes to the caller."""

        class Broken(Recorder):
            def connectionMade(self) -> None:
                raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, self.pass_on, Broken())
        self.turn()
        self.visitor.settimeout(5)
        self.assertRaises(ConnectionResetError, self.visitor.recv, 1)

    def test_who_stays(self) -> None:
        """What has unsent bytes, is closing or gone, or is no connection that was accepted here, stays."""
        self.assertTrue(can_let_go(self.transport))
        self.transport.dataBuffer = b"unsent"
        self.assertFalse(can_let_go(self.transport))
        self.transport.dataBuffer = b""
        self.transport.loseConnection()
        self.assertFalse(can_let_go(self.transport))
        self.assertFalse(can_let_go(object()))
        ours, theirs = socket.socketpair()
        self.addCleanup(theirs.close)
        self.assertFalse(can_let_go(EagerPipe(ours, Recorder(), self.reactor)))


class PipeTests(LoopCase):
    """A transport over one end of a socket pair."""

    def setUp(self) -> None:
        super().setUp()
        self.near, self.far = HalfCloseable(), HalfCloseable()
        for end, protocol in zip(socket.socketpair(), (self.near, self.far)):
            protocol.makeConnection(EagerPipe(end, protocol, self.reactor))
        self.pipe: Any = self.near.transport

    def test_interfaces(self) -> None:
        """It is a transport that takes several buffers."""
        verifyObject(IBatchTransport, self.pipe)
        self.assertTrue(IAddress.providedBy(self.pipe.getPeer()) and IAddress.providedBy(self.pipe.getHost()))
        self.assertIn("another process", repr(self.pipe))

    def test_bytes(self) -> None:
        """However much is written arrives."""
        self.pipe.write(b"small")
        self.pipe.writeBatch([BIG, b"end"])
        self.until(lambda: len(self.far.received) == 5 + len(BIG) + 3)
        self.assertEqual(bytes(self.far.received), b"small" + BIG + b"end")

    def test_half_close(self) -> None:
        """One direction ends, the other goes on."""
        self.pipe.write(b"last")
        self.pipe.loseWriteConnection()
        self.until(lambda: self.far.read_ended)
        self.assertEqual(bytes(self.far.received), b"last")
        self.far.transport.write(b"answer")  # type: ignore[union-attr]
        self.until(lambda: self.near.received == b"answer")

    def test_abort(self) -> None:
        """An abort ends both."""
        self.pipe.abortConnection()
        self.until(lambda: self.near.lost and self.far.read_ended)
        self.far.transport.write(b"into nothing")  # type: ignore[union-attr]
        self.until(lambda: self.far.lost)
        self.assertIsInstance(self.far.lost, Failure)
        self.assertTrue(self.far.lost.check(ConnectionLost))
