"""
Tests of `ngrok_twisted.crew.relay`.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ngrok_twisted.crew import relay as module
from ngrok_twisted.crew.relay import RelayStream, dial
from ngrok_twisted.errors import TunnelLost, UpstreamTimeout
from ngrok_twisted.interfaces import IBatchReceiver, IBatchTransport, IFillable
from tests.net.loop import LoopCase, Recorder
from tests.net.test_eager import BIG, HalfCloseable, Pushing


@implementer(IBatchReceiver)
class Batches(HalfCloseable):
    """Takes several buffers in one call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def batchReceived(self, buffers: Any) -> None:
        self.calls += 1
        for data in buffers:
            self.received += data


class Building(Factory):
    """Builds what it was given."""

    noisy = False

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol

    def buildProtocol(self, addr: Any) -> Any:
        return self.protocol


class RelayCase(LoopCase):
    """
    A stream between ``self.near``, who dials, and ``self.far``.
    """

    make: Any = HalfCloseable

    def setUp(self) -> None:
        super().setUp()
        self.near, self.far = self.make(), self.make()
        self.opening = dial(Building(self.near), self.reactor, self.come)
        self.lost: list[Any] = []
        self.opening.addErrback(self.lost.append)

    def come(self, descriptor: int) -> None:
        """The descriptor is in the other process."""
        self.there = RelayStream(socket.socket(fileno=descriptor), self.reactor)

    def open(self) -> None:
        """Let the tunnel be connected."""
        self.there.carry(self.far)
        self.there.opened()
        self.until(lambda: self.near.transport)


class OpeningTests(RelayCase):
    """How a stream begins."""

    def test_interfaces(self) -> None:
        """A stream is a protocol to the pipe and a transport to others."""
        for interface in (IBatchTransport, IFillable, IHalfCloseableProtocol):
            verifyObject(interface, self.there)

    def test_opened(self) -> None:
        """Whoever dialled gets its protocol as soon as the tunnel is connected, and not before."""
        self.turn()
        self.assertIsNone(self.near.transport)
        self.open()
        self.assertIs(self.successResultOf(self.opening), self.near)

    def test_with_bytes(self) -> None:
        """What the tunnel says at once comes behind."""
        self.there.carry(self.far)
        self.there.opened()
        self.there.write(b"hello")
        self.until(lambda: self.near.received == b"hello")

    def test_refused(self) -> None:
        """An error of the other process arrives as it is."""
        self.there.refuse(UpstreamTimeout("Too slow.", code=8099))
        self.until(lambda: self.lost)
        error = self.lost[0].value
        self.assertIsInstance(error, UpstreamTimeout)
        self.assertEqual((error.sentence, error.code, error.status), ("Too slow.", 8099, 504))
        self.assertIsNone(self.near.transport)

    def test_gone(self) -> None:
        """Where the other process is gone, so is the tunnel."""
        self.there.abortConnection()
        self.until(lambda: self.lost)
        self.assertTrue(self.lost[0].check(TunnelLost))

    def test_given_up(self) -> None:
        """Whoever does not want to wait any longer breaks the stream, and the other side sees that."""
        self.there.carry(self.far)
        self.opening.cancel()
        self.until(lambda: self.far.lost)
        self.assertFalse(self.far.lost.check(ConnectionDone))
        self.assertEqual(len(self.lost), 1)

    def test_unwanted(self) -> None:
        """A factory that builds nothing breaks the stream."""
        opening = dial(Building(None), self.reactor, self.come)
        self.there.carry(self.far)
        self.there.opened()
        self.until(lambda: self.far.lost)
        self.failureResultOf(opening, TunnelLost)

    def test_no_descriptors(self) -> None:
        """Where no socket can be made the caller is told."""

        def none_left() -> Any:
            raise OSError(24, "Too many open files")

        self.patch(module.socket, "socketpair", none_left)
        self.assertRaises(OSError, dial, Building(self.near), self.reactor, self.come)


class BytesTests(RelayCase):
    """What is written arrives, and ends are what they are."""

    def setUp(self) -> None:
        super().setUp()
        self.open()

    def test_both_ways(self) -> None:
        """Bytes go both ways, in whatever pieces."""
        pieces = [os.urandom(size) for size in (1, 3, 4, 5, 1000, 300000, 1)]
        self.near.transport.writeSequence([BIG, b"", b"end"])
        for piece in pieces:
            self.there.write(piece)
        self.until(lambda: len(self.far.received) == len(BIG) + 3)
        self.until(lambda: len(self.near.received) == sum(map(len, pieces)))
        self.assertEqual(bytes(self.far.received), BIG + b"end")
        self.assertEqual(bytes(self.near.received), b"".join(pieces))

    def test_any_pieces(self) -> None:
        """However the kernel cuts what is sent, it is put together again."""
        recorder = Recorder()
        stream = RelayStream(socket.socketpair()[0], self.reactor)
        stream.carry(recorder)
        sent = b"".join(module._WORD.pack(len(data) << 2) + data for data in (b"a", b"bcd", b"efghijk"))
        for at in range(len(sent)):
            stream.dataReceived(memoryview(sent)[at : at + 1])
        self.assertEqual(bytes(recorder.received), b"abcdefghijk")

    def test_end(self) -> None:
        """A FIN is a FIN; the other direction goes on."""
        self.near.transport.write(b"question")
        self.near.transport.loseWriteConnection()
        self.until(lambda: self.far.read_ended)
        self.assertEqual(bytes(self.far.received), b"question")
        self.assertIsNone(self.far.lost)
        self.there.write(b"answer")
        self.there.loseConnection()
        self.until(lambda: self.near.read_ended and self.far.lost)
        self.assertEqual(bytes(self.near.received), b"answer")
        self.assertTrue(self.far.lost.check(ConnectionDone))
        self.near.transport.loseConnection()
        self.until(lambda: self.near.lost)
        self.assertTrue(self.near.lost.check(ConnectionDone))

    def test_nothing_behind_the_end(self) -> None:
        """What is written behind the FIN is dropped."""
        self.near.transport.loseWriteConnection()
        self.near.transport.write(b"late")
        self.near.transport.writeBatch([b"late"])
        self.until(lambda: self.far.read_ended)
        self.turn()
        self.assertEqual(bytes(self.far.received), b"")

    def test_reset(self) -> None:
        """A reset is no FIN, though a socket of the family has no resets."""
        self.near.transport.write(b"half")
        self.near.transport.abortConnection()
        self.until(lambda: self.far.lost)
        self.assertFalse(self.far.read_ended)
        self.assertTrue(self.far.lost.check(ConnectionLost, ConnectionAborted))
        self.assertFalse(self.far.lost.check(ConnectionDone))

    def test_reset_behind_a_full_pipe(self) -> None:
        """Nor is one that comes while the other end does not read."""
        self.there.pauseProducing()
        self.near.transport.write(BIG)
        self.near.transport.abortConnection()
        self.until(lambda: self.near.lost)
        self.there.resumeProducing()
        self.until(lambda: self.far.lost)
        self.assertFalse(self.far.read_ended)
        self.assertFalse(self.far.lost.check(ConnectionDone))
        self.assertLess(len(self.far.received), len(BIG))

    def test_back_pressure(self) -> None:
        """A writer is paused while the other end does not read, and goes on when it does."""
        producer = Pushing()
        self.near.transport.registerProducer(producer, True)
        self.there.pauseProducing()
        self.near.transport.write(BIG)
        self.assertEqual(producer.calls, ["pause"])
        self.assertGreater(self.near.transport.unsent, 0)
        self.turn()
        self.assertEqual(producer.calls, ["pause"])
        self.there.resumeProducing()
        self.until(lambda: "resume" in producer.calls)
        self.near.transport.unregisterProducer()
        self.until(lambda: len(self.far.received) == len(BIG))


class BatchTests(RelayCase):
    """Between protocols that take several buffers at once."""

    make = Batches

    def test_batches(self) -> None:
        """They get views, without a copy in between."""
        self.open()
        self.near.transport.writeBatch([b"a" * 10, b"b" * 10])
        self.near.transport.write(b"c")
        self.until(lambda: len(self.far.received) == 21)
        self.assertEqual(bytes(self.far.received), b"a" * 10 + b"b" * 10 + b"c")
        self.assertLessEqual(self.far.calls, 2)


class WholeTests(RelayCase):
    """Between protocols that know of no half ends."""

    make = Recorder

    def test_end(self) -> None:
        """A FIN ends the whole stream, in order."""
        self.open()
        self.near.transport.write(b"bye")
        self.near.transport.loseConnection()
        self.until(lambda: self.far.lost and self.near.lost)
        self.assertEqual(bytes(self.far.received), b"bye")
        self.assertTrue(self.far.lost.check(ConnectionDone))
        self.assertTrue(self.near.lost.check(ConnectionDone))
