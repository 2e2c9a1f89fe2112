"""Tests of `ngrok_twisted.transports.ssh.outgoing`."""

from __future__ import annotations

import struct

from twisted.conch.ssh.common import getNS
from twisted.internet.error import ConnectionAborted, ConnectionDone

from ngrok_twisted.transports.ssh.outgoing import MAX_OUTGOING
from tests.transports.ssh import test_channels
from tests.transports.ssh.client import data
from tests.transports.ssh.test_channels import CLOSE, EOF, HalfService, Source


class OutgoingTests(test_channels.ChannelTestCase):
    """To the client."""

    def test_small_and_bulk(self) -> None:
        """Small writes and bulk arrive in order, in packets the client takes."""
        protocol = self.open(limit=10_000)
        protocol.transport.write(b"a" * 100)
        protocol.transport.writeSequence([b"b" * 30_000, b"", b"c" * 5])
        protocol.transport.write(b"d")
        messages = self.client.take(94)
        self.assertEqual(b"".join(getNS(m[5:])[0] for m in messages), b"a" * 100 + b"b" * 30_000 + b"c" * 5 + b"d")
        self.assertTrue(all(len(message) - 9 <= 10_000 for message in messages))

    def test_window(self) -> None:
        """What the window does not take waits; the producer is paused meanwhile."""
        protocol = self.open(window=50_000)
        source = Source()
        protocol.transport.registerProducer(source, True)
        protocol.transport.writeBatch([b"a" * 40_000, memoryview(b"b" * 40_000)])
        self.assertEqual(self.sent(), b"a" * 40_000 + b"b" * 10_000)
        self.assertEqual(source.events, ["pause"])
        self.client.send(struct.pack(">BII", 93, self.number, 20_000))
        self.assertEqual(self.sent(), b"b" * 20_000)
        self.assertEqual(source.events, ["pause"])
        self.client.send(struct.pack(">BII", 93, self.number, 20_000))
        self.assertEqual(self.sent(), b"b" * 10_000)
        self.assertEqual(source.events, ["pause", "resume"])

    def test_socket_full(self) -> None:
        """While the socket is full the channel holds its bytes; afterwards they go on in order."""
        protocol = self.open()
        source = Source()
        protocol.transport.registerProducer(source, True)
        self.client.server.pauseProducing()
        protocol.transport.write(b"one")
        protocol.transport.write(b"two")
        self.assertEqual((self.sent(), source.events), (b"", ["pause"]))
        self.client.server.resumeProducing()
        self.assertEqual((self.sent(), source.events), (b"onetwo", ["pause", "resume"]))

    def test_rekey(self) -> None:
        """A channel held back by an exchange of keys is woken behind it."""
        protocol = self.open()
        source = Source()
        protocol.transport.registerProducer(source, True)
        self.client.send(self.client.kexinit())
        protocol.transport.write(b"x" * 20_000)
        self.assertEqual(source.events, ["pause"])
        self.client.send(self.client.init())
        self.client.finish_exchange()
        self.client.send(b"\x15")
        self.assertEqual((self.sent(), source.events), (b"x" * 20_000, ["pause", "resume"]))

    def test_without_a_producer(self) -> None:
        """Who writes on and on to a client that does not read is stopped at a bound."""
        protocol = self.open(window=0)
        for _ in range(MAX_OUTGOING // 65536 + 1):
            protocol.transport.write(bytes(65536))
        self.client.clock.advance(0)
        self.assertEqual(protocol.events, [ConnectionAborted])

    def test_pull_producer(self) -> None:
        """A pull producer is asked once for each write, while there is room."""
        protocol = self.open(window=5)

        class Pull:
            left = [b"abc", b"def", b"ghi"]

            def resumeProducing(self) -> None:
                if self.left:
                    protocol.transport.write(self.left.pop(0))
                else:
                    protocol.transport.unregisterProducer()

            def stopProducing(self) -> None:
                """`IPullProducer`."""

        protocol.transport.registerProducer(Pull(), False)
        for _ in range(5):
            self.client.clock.advance(0)
        self.assertEqual((self.sent(), len(Pull.left)), (b"abcde", 1))
        self.client.send(struct.pack(">BII", 93, self.number, 100))
        for _ in range(5):
            self.client.clock.advance(0)
        self.assertEqual(self.sent(), b"fghi")
        self.assertIsNone(protocol.transport.producer)

    def test_two_producers(self) -> None:
        """There is one producer at a time."""
        transport = self.open().transport
        transport.registerProducer(Source(), True)
        self.assertRaises(RuntimeError, transport.registerProducer, Source(), True)

    def test_late_producer(self) -> None:
        """A producer that comes when the channel is full is paused, and one that comes too late is stopped."""
        protocol = self.open(window=0)
        protocol.transport.write(b"x")
        source = Source()
        protocol.transport.registerProducer(source, True)
        self.assertEqual(source.events, ["pause"])
        protocol.transport.unregisterProducer()
        self.say(CLOSE)
        late = Source()
        protocol.transport.registerProducer(late, True)
        self.assertEqual(late.events, ["stop"])

    def test_lose_connection(self) -> None:
        """What was written goes out first; then EOF and CLOSE; the protocol hears of it in a later turn."""
        protocol = self.open()
        protocol.transport.write(b"bye")
        protocol.transport.loseConnection()
        self.assertEqual(protocol.events, [])
        self.client.clock.advance(0)
        self.assertEqual(protocol.events, [ConnectionDone])
        self.assertEqual(self.kinds(), [94, EOF, CLOSE])
        self.client.send(data(self.number, b"too late"))
        self.say(CLOSE)
        self.assertEqual(self.client.gateway.connection.channels, {})

    def test_lose_connection_with_producer(self) -> None:
        """A producer that unregisters after the loss does not keep the channel open."""
        protocol = self.open(window=2)
        source = Source()
        protocol.transport.registerProducer(source, True)
        protocol.transport.write(b"bye")
        protocol.transport.loseConnection()
        protocol.transport.unregisterProducer()
        self.client.send(struct.pack(">BII", 93, self.number, 100))
        self.client.clock.advance(0)
        self.assertEqual(protocol.events, [ConnectionDone])
        self.assertEqual(self.kinds(), [94, 94, EOF, CLOSE])

    def test_lose_connection_with_held_and_producer(self) -> None:
        """Nor does one that stays registered."""
        protocol = self.open(window=2)
        protocol.transport.registerProducer(Source(), True)
        protocol.transport.write(b"bye")
        protocol.transport.loseConnection()
        self.client.send(struct.pack(">BII", 93, self.number, 100))
        self.client.clock.advance(0)
        self.assertEqual(protocol.events, [ConnectionDone])

    def test_linger(self) -> None:
        """A closed channel whose client takes nothing more is aborted after a minute."""
        protocol = self.open(window=0)
        protocol.transport.write(b"bye")
        protocol.transport.loseConnection()
        for _ in range(9):
            self.client.send(b"\x02\0\0\0\0")
            self.client.clock.advance(7.5)
        self.client.clock.advance(0)
        self.assertEqual(protocol.events, [ConnectionAborted])

    def test_abort(self) -> None:
        """An abort drops what waits and closes without EOF; the protocol hears of it in a later turn."""
        protocol = self.open(window=0)
        protocol.transport.write(b"bye")
        protocol.transport.abortConnection()
        self.assertEqual(protocol.events, [])
        self.client.send(data(self.number, b"too late"))
        self.client.clock.advance(0)
        self.assertEqual(protocol.events, [ConnectionAborted])
        self.assertEqual(self.kinds(), [CLOSE])

    def test_write_after(self) -> None:
        """What is written after the write side was closed is dropped."""
        protocol = self.open(HalfService)
        protocol.transport.write(b"a")
        protocol.transport.loseWriteConnection()
        protocol.transport.write(b"b")
        self.assertEqual(self.kinds(), [94, EOF])
        self.client.send(data(self.number, b"still open"))
        self.assertEqual(protocol.events, ["write lost", b"still open"])

    def test_half_close_waits(self) -> None:
        """EOF goes behind what waits for the window."""
        protocol = self.open(HalfService, window=1)
        protocol.transport.write(b"ab")
        protocol.transport.loseWriteConnection()
        self.assertEqual(self.kinds(), [94])
        self.client.send(struct.pack(">BII", 93, self.number, 5))
        self.assertEqual(self.kinds(), [94, EOF])

    def test_adjust_after_close(self) -> None:
        """Credit for a channel that we have closed does no harm."""
        protocol = self.open(window=0)
        protocol.transport.abortConnection()
        self.client.send(struct.pack(">BII", 93, self.number, 5))
        self.assertFalse(self.client.socket.disconnecting)
