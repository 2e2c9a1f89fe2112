"""Tests of the TCP transports that write at once."""

from __future__ import annotations

import os
import socket
import struct
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IPullProducer, IPushProducer, ITCPTransport
from twisted.internet.protocol import ClientFactory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ngrok_twisted.interfaces import IBatchTransport, IFillable
from ngrok_twisted.net import eager
from ngrok_twisted.net.eager import plain_address
from tests.net.loop import LoopCase, Recorder

BIG = os.urandom(8 << 20)


@implementer(IFillable)
class Filling(Recorder):
    """Owns its buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = bytearray(100)
        self.fills: list[int] = []

    def fillable(self) -> memoryview:
        return memoryview(self.buffer)

    def filled(self, count: int) -> None:
        self.fills.append(count)
        self.received += self.buffer[:count]


@implementer(IHalfCloseableProtocol)
class HalfCloseable(Recorder):
    """Notes the ends of both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.read_ended = self.write_ended = False

    def readConnectionLost(self) -> None:
        self.read_ended = True

    def writeConnectionLost(self) -> None:
        self.write_ended = True


@implementer(IPushProducer)
class Pushing:
    """Notes what its consumer tells it."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


@implementer(IPullProducer)
class Pulling:
    """Writes one piece whenever it is asked."""

    def __init__(self, consumer: Any, pieces: list[bytes]) -> None:
        self.consumer = consumer
        self.pieces = pieces
        self.depth = self.deepest = 0

    def resumeProducing(self) -> None:
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)
        if self.pieces:
            self.consumer.write(self.pieces.pop(0))
        else:
            self.consumer.unregisterProducer()
        self.depth -= 1

    def stopProducing(self) -> None:
        self.pieces.clear()


class EagerCase(LoopCase):
    """One accepted eager connection, ``self.server``, whose other end is a plain blocking socket, ``self.peer``."""

    protocol: Any = Recorder

    def setUp(self) -> None:
        super().setUp()
        self.port, self.built = self.listen(self.protocol)
        self.peer = socket.create_connection(("127.0.0.1", self.port.getHost().port))
        self.peer.settimeout(5)
        self.addCleanup(self.peer.close)
        self.until(lambda: self.built and self.built[0].transport)
        self.server = self.built[0]
        self.transport = self.server.transport

    def read_all(self, size: int) -> bytes:
        """What the peer gets, while the reactor turns."""
        self.peer.setblocking(False)
        got = bytearray()

        def more() -> bool:
            try:
                data = self.peer.recv(1 << 20)
            except BlockingIOError:
                return False
            got.extend(data)
            return not data or len(got) >= size

        self.until(more)
        self.peer.settimeout(5)
        return bytes(got)


class WriteTests(EagerCase):
    """Writing."""

    def test_interfaces(self) -> None:
        """The transport is an ordinary ITCPTransport, and takes batches."""
        verifyObject(ITCPTransport, self.transport)
        verifyObject(IBatchTransport, self.transport)

    def test_written_at_once(self) -> None:
        """What is written has left before the reactor turns again."""
        self.transport.write(b"now")
        self.assertEqual(self.peer.recv(100), b"now")
        self.assertEqual(self.reactor.getWriters(), [])

    def test_write_takes_only_bytes(self) -> None:
        """Like the stock transport it refuses what is not bytes."""
        self.assertRaises(TypeError, self.transport.write, "text")
        self.assertRaises(TypeError, self.transport.writeSequence, [b"a", "text"])

    def test_more_than_the_kernel_takes(self) -> None:
        """What the kernel refuses follows in order, with later writes behind it."""
        self.transport.write(BIG)
        self.assertGreater(self.transport.unsent, 0)
        self.transport.write(b"more")
        self.transport.writeBatch([b"and", memoryview(b"more")])
        self.transport.writeSequence([b"the", b"end"])
        expected = BIG + b"moreandmoretheend"
        self.assertEqual(self.read_all(len(expected)), expected)
        self.turn()
        self.assertEqual(self.transport.unsent, 0)
        self.assertEqual(self.reactor.getWriters(), [])

    def test_batch_leaves_at_once(self) -> None:
        """A batch of any bytes-like buffers leaves in one piece, before the reactor turns."""
        self.transport.writeBatch([b"a", bytearray(b"bc"), memoryview(b"xdefx")[1:4], b""])
        self.assertEqual(self.peer.recv(100), b"abcdef")

    def test_batch_is_free_for_reuse(self) -> None:
        """Buffers may be overwritten as soon as writeBatch returns."""
        buffers = [bytearray(BIG[start : start + 65536]) for start in range(0, len(BIG), 65536)]
        self.transport.writeBatch(buffers)
        for buffer in buffers:
            buffer[:] = bytes(len(buffer))
        self.assertEqual(self.read_all(len(BIG)), BIG)

    def test_more_buffers_than_the_kernel_takes_at_once(self) -> None:
        """A batch longer than IOV_MAX arrives whole."""
        pieces = [b"%d," % number for number in range(eager.IOV_MAX * 3 + 7)]
        self.transport.writeBatch(pieces)
        expected = b"".join(pieces)
        self.assertEqual(self.read_all(len(expected)), expected)

    def test_error_is_left_for_the_reactor(self) -> None:
        """A broken connection is met by the reactor: write neither raises nor calls connectionLost."""
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.peer.close()
        self.transport.pauseProducing()  # so that only writing can find out
        for _ in range(3):
            self.transport.write(b"x")
            self.transport.writeBatch([b"x", b"y"])
            self.assertIsNone(self.server.lost)
        self.until(lambda: self.server.lost)
        self.server.lost.trap(ConnectionLost)
        self.transport.write(b"after")
        self.transport.writeBatch([b"after"])

    def test_no_delay(self) -> None:
        """Nagle's algorithm is off."""
        self.assertTrue(self.transport.getTcpNoDelay())

    def test_lose_connection_flushes(self) -> None:
        """Everything written before loseConnection arrives, then the end."""
        self.transport.write(BIG)
        self.transport.loseConnection()
        self.assertEqual(self.read_all(len(BIG) + 1), BIG)
        self.until(lambda: self.server.lost)
        self.server.lost.trap(ConnectionDone)

    def test_abort(self) -> None:
        """An abort resets the connection and drops what is written afterwards."""
        self.transport.abortConnection()
        self.transport.write(b"lost")
        self.transport.writeBatch([b"lost"])
        self.until(lambda: self.server.lost)
        self.server.lost.trap(ConnectionAborted)
        self.assertRaises(ConnectionResetError, self.peer.recv, 10)

    def test_push_producer(self) -> None:
        """A push producer is paused while much is unsent and resumed when it is gone."""
        producer = Pushing()
        self.transport.registerProducer(producer, True)
        self.transport.write(b"small")
        self.assertEqual(producer.calls, [])
        self.transport.write(BIG)
        self.assertEqual(producer.calls, ["pause"])
        self.read_all(len(BIG) + 5)
        self.until(lambda: producer.calls == ["pause", "resume"])

    def test_pull_producer(self) -> None:
        """A pull producer is asked again after each piece, from the reactor and not from its own write."""
        pieces = [b"1", b"2", BIG, b"3"]
        expected = b"".join(pieces)
        producer = Pulling(self.transport, pieces)
        self.transport.registerProducer(producer, False)
        self.assertEqual(self.read_all(len(expected)), expected)
        self.until(lambda: self.transport.producer is None)
        self.assertEqual(producer.deepest, 1)

    def test_names_itself(self) -> None:
        """Logs name the protocol and the peer, also after the end."""
        self.assertIn("127.0.0.1", self.transport.logPrefix())
        self.assertIn("Recorder", repr(self.transport))
        self.transport.abortConnection()
        self.until(lambda: self.server.lost)
        self.assertIn("127.0.0.1", self.transport.logPrefix())
        self.assertIn("127.0.0.1", repr(self.transport))


class HalfCloseTests(EagerCase):
    """Half-close."""

    protocol = HalfCloseable

    def test_peer_ends_first(self) -> None:
        """A FIN is told as readConnectionLost, and writing goes on."""
        self.peer.sendall(b"question")
        self.peer.shutdown(socket.SHUT_WR)
        self.until(lambda: self.server.read_ended)
        self.assertEqual(bytes(self.server.received), b"question")
        self.transport.write(b"answer")
        self.assertEqual(self.peer.recv(100), b"answer")
        self.assertIsNone(self.server.lost)

    def test_we_end_first(self) -> None:
        """loseWriteConnection sends what is left, then a FIN; reading goes on."""
        self.transport.write(BIG)
        self.transport.loseWriteConnection()
        self.assertEqual(self.read_all(len(BIG) + 1), BIG)
        self.until(lambda: self.server.write_ended)
        self.transport.write(b"dropped")
        self.peer.sendall(b"still heard")
        self.until(lambda: self.server.received)
        self.assertEqual(bytes(self.server.received), b"still heard")


class EndTests(EagerCase):
    """Ends without asking the kernel first."""

    protocol = HalfCloseable

    def quiet(self) -> None:
        """Whoever is not waited for is not watched for room."""
        self.assertNotIn(self.transport, self.reactor.getWriters())
        self.assertNotIn(self.transport, self.reactor.getReaders())

    def test_next_turn(self) -> None:
        """With nothing to send the end comes in the next turn, not from inside loseConnection, and once."""
        self.transport.loseConnection()
        self.transport.loseConnection()
        self.quiet()
        self.assertIsNone(self.server.lost)
        self.turn(2)
        self.server.lost.trap(ConnectionDone)
        self.assertEqual(self.peer.recv(1), b"")
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_last_words(self) -> None:
        """What is written before the end comes leaves first, much of it too."""
        self.transport.loseConnection()
        self.transport.write(BIG)
        self.assertEqual(self.read_all(len(BIG) + 1), BIG)
        self.until(lambda: self.server.lost)

    def test_paused_producer(self) -> None:
        """A producer that is paused, since the kernel is full, is waited for as ever."""
        producer = Pushing()
        self.transport.registerProducer(producer, True)
        self.transport.write(BIG)
        self.transport.loseConnection()
        self.turn(3)
        self.assertIsNone(self.server.lost)
        self.assertEqual(self.read_all(len(BIG)), BIG)
        self.until(lambda: "resume" in producer.calls)
        self.assertIsNone(self.server.lost)
        self.transport.unregisterProducer()
        self.until(lambda: self.server.lost)

    def test_half_and_whole(self) -> None:
        """A half-close is told in the next turn; the end may follow at any time."""
        self.transport.loseWriteConnection()
        self.transport.loseWriteConnection()
        self.assertNotIn(self.transport, self.reactor.getWriters())
        self.assertFalse(self.server.write_ended)
        self.turn(2)
        self.assertTrue(self.server.write_ended)
        self.assertEqual(self.peer.recv(1), b"")
        self.transport.loseConnection()
        self.until(lambda: self.server.lost)
        self.server.lost.trap(ConnectionDone)

    def test_half_overtaken(self) -> None:
        """An end that follows at once takes the place of the half-close."""
        self.transport.loseWriteConnection()
        self.transport.loseConnection()
        self.turn(2)
        self.server.lost.trap(ConnectionDone)
        self.assertFalse(self.server.write_ended)

    def test_aborted(self) -> None:
        """An abort before the end has come resets the connection."""
        self.transport.loseConnection()
        self.transport.abortConnection()
        self.turn(3)
        self.server.lost.trap(ConnectionAborted)
        self.assertRaises(ConnectionResetError, self.peer.recv, 1)


class FillTests(EagerCase):
    """Reading into the protocol's buffer."""

    protocol = Filling

    def test_fills(self) -> None:
        """A protocol with a buffer of its own is read into it, at most its size at a time."""
        self.peer.sendall(b"x" * 250)
        self.until(lambda: len(self.server.received) == 250)
        self.assertTrue(all(count <= 100 for count in self.server.fills))

    def test_several(self) -> None:
        """Several buffers are filled in their order."""
        buffers = [bytearray(10), bytearray(90)]
        self.server.fillable = lambda: [memoryview(buffer) for buffer in buffers]
        self.peer.sendall(b"a" * 10 + b"b" * 5)
        self.until(lambda: bool(self.server.fills))
        self.assertEqual((self.server.fills, buffers[0], buffers[1][:6]), ([15], b"a" * 10, b"b" * 5 + b"\0"))

    def test_wake_at(self) -> None:
        """What is not worth a look stays with the kernel until enough has come, or the end."""
        self.transport.wake_at(90)
        self.peer.sendall(b"x" * 89)
        self.turn(50)
        self.assertEqual(self.server.fills, [])
        self.peer.sendall(b"x")
        self.until(lambda: len(self.server.received) == 90)
        self.peer.sendall(b"y")
        self.peer.close()
        self.until(lambda: self.server.lost)
        self.assertEqual(bytes(self.server.received), b"x" * 90 + b"y")

    def test_follows_the_protocol(self) -> None:
        """When another protocol takes the transport over, reading follows its ways."""
        plain = Recorder()
        self.transport.give_to(plain)
        self.peer.sendall(b"plain")
        self.until(lambda: plain.received)
        self.transport.give_to(self.server)
        self.peer.sendall(b"filled")
        self.until(lambda: self.server.received)
        self.assertEqual(self.server.fills, [6])

    def test_end(self) -> None:
        """The end of the stream is told as ever, and the protocol is let go."""
        self.peer.close()
        self.until(lambda: self.server.lost)
        self.server.lost.trap(ConnectionDone)
        self.assertIsNone(self.transport._filled_protocol)


class ClientTests(LoopCase):
    """Connections that we make."""

    def test_eager_client(self) -> None:
        """A made connection writes at once, without Nagle, and knows both ends."""
        port, built = self.listen(Recorder)
        client = Recorder()
        factory = ClientFactory()
        factory.noisy = False
        factory.buildProtocol = lambda addr: client  # type: ignore[method-assign,assignment,return-value]
        self.reactor.connectTCP("127.0.0.1", port.getHost().port, factory)
        self.until(lambda: client.transport and built and built[0].transport)
        self.assertIsInstance(client.transport, eager.EagerClient)
        self.assertTrue(client.transport.getTcpNoDelay())
        client.transport.write(b"hello")
        self.assertEqual(self.reactor.getWriters(), [])
        self.until(lambda: built[0].received == b"hello")
        self.assertEqual(client.transport.getHost(), built[0].transport.getPeer())
        client.transport.loseConnection()
        self.until(lambda: client.lost and built[0].lost)

    def test_refused(self) -> None:
        """A refused connection is told to the factory."""
        port, _ = self.listen(Recorder)
        number = port.getHost().port
        self.successResultOf_later(port.stopListening())
        failures: list[Any] = []
        factory = ClientFactory()
        factory.noisy = False
        factory.clientConnectionFailed = lambda connector, reason: failures.append(reason)  # type: ignore
        self.reactor.connectTCP("127.0.0.1", number, factory)
        self.until(lambda: failures)

    def successResultOf_later(self, deferred: Any) -> None:
        done: list[Any] = []
        deferred.addCallback(done.append)
        self.until(lambda: done)


class RestTests(SynchronousTestCase):
    """`_after`, the part of a batch that is left."""

    def test_every_split(self) -> None:
        """Whatever was sent, the rest is what follows it."""
        buffers = [b"ab", b"", memoryview(b"cde"), bytearray(b"f")]
        for sent in range(6):
            self.assertEqual(eager._after(buffers, 0, sent), b"abcdef"[sent:])
        self.assertEqual(eager._after(buffers, 2, 1), b"def")


class AddressTests(SynchronousTestCase):
    """Where a peer is."""

    def test_mapped(self) -> None:
        """An IPv4 peer of an IPv6 listener is an IPv4 peer."""
        self.assertEqual(plain_address(("::ffff:192.0.2.1", 5, 0, 0)), IPv4Address("TCP", "192.0.2.1", 5))

    def test_others(self) -> None:
        """Other addresses stay what they are."""
        self.assertEqual(plain_address(("192.0.2.1", 5)), IPv4Address("TCP", "192.0.2.1", 5))
        self.assertEqual(plain_address(("2001:db8::1", 5, 0, 0)), IPv6Address("TCP", "2001:db8::1", 5))
        self.assertEqual(plain_address(("::ffff:1", 5, 0, 0)), IPv6Address("TCP", "::ffff:1", 5))
