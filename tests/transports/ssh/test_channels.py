"""Tests of `ngrok_twisted.transports.ssh.channels`."""

from __future__ import annotations

import struct
from typing import Any

from twisted.conch.ssh.common import getNS
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.byte_transports import ILanding
from ngrok_twisted.interfaces import IBatchTransport
from ngrok_twisted.net.substream_output import MAX_OUTGOING
from tests.net.substreams import BatchService, HalfService, Service, Source
from tests.transports.ssh.client import ScriptedClient, data

WINDOW = 256 * 1024
PACKET = 32 * 1024
EOF, CLOSE = 96, 97


class ChannelTestCase(SynchronousTestCase):
    """An open channel: ours is ``number``, the client's 9."""

    def open(self, kind: type[Service] = Service, window: int = WINDOW, limit: int = 32768, **limits: Any) -> Any:
        """The protocol."""
        self.client = ScriptedClient(**limits).login()
        self.client.take()
        connection = self.client.gateway.connection
        opened = connection.open_forwarded(b"", 443, "198.51.100.9", 1, Factory.forProtocol(kind))
        self.number = self.client.confirm(self.client.take()[0], 9, window, limit)
        self.channel = connection.channels[self.number]
        return self.successResultOf(opened)

    def say(self, kind: int) -> None:
        """EOF or CLOSE from the client."""
        self.client.send(struct.pack(">BI", kind, self.number))

    def kinds(self) -> list[int]:
        """The kinds of messages that have come."""
        return [message[0] for message in self.client.take()]

    def sent(self) -> bytes:
        """The data that have come."""
        return b"".join(getNS(message[5:])[0] for message in self.client.take(94))


class IncomingTests(ChannelTestCase):
    """From the client."""

    def test_interface(self) -> None:
        """It is a transport."""
        protocol = self.open()
        verifyObject(IBatchTransport, protocol.transport)
        self.assertEqual(protocol.transport.getPeer().host, "192.0.2.7")
        protocol.transport.getHost()

    def test_joined(self) -> None:
        """All of one read arrives in one call."""
        protocol = self.open()
        self.client.send(data(self.number, b"one "), data(self.number, b"two"))
        self.assertEqual(protocol.events, [b"one two"])

    def test_batch(self) -> None:
        """A batch receiver gets the buffers as they are."""
        protocol = self.open(BatchService)
        self.client.send(data(self.number, b"one"), data(self.number, b"two"))
        self.assertEqual(protocol.events, [[b"one", b"two"]])

    def test_protocol_replaced(self) -> None:
        """Another protocol may take over."""
        first = self.open()
        second = BatchService()
        first.transport.protocol = second
        self.client.send(data(self.number, b"x"))
        self.assertEqual((first.events, second.events), ([], [[b"x"]]))

    def test_order_with_close(self) -> None:
        """Data in the same read as the end arrive before it."""
        protocol = self.open()
        self.client.send(data(self.number, b"last"), struct.pack(">BI", EOF, self.number))
        self.say(CLOSE)
        self.assertEqual(protocol.events, [b"last", ConnectionDone])

    def test_credit(self) -> None:
        """The window is given back by quarters as the protocol takes the bytes."""
        self.open()
        self.client.clock.advance(1)
        self.client.send(data(self.number, bytes(PACKET)))
        self.assertEqual(self.client.take(), [])
        self.client.send(data(self.number, bytes(PACKET)))
        self.assertEqual(self.client.take(), [struct.pack(">BII", 93, 9, WINDOW // 4)])

    def test_fast_reader(self) -> None:
        """The window of a channel whose bytes are taken fast doubles with each credit, up to the most."""
        self.open(window_most=1024 * 1024)
        credits = []
        for _ in range(29):
            self.client.clock.advance(0.001)
            self.client.send(data(self.number, bytes(PACKET)))
            credits += [int.from_bytes(message[5:], "big") for message in self.client.take(93)]
        self.assertEqual(credits, [WINDOW // 4 + WINDOW, WINDOW // 2 + 2 * WINDOW, WINDOW, WINDOW])

    def test_no_longer_fast(self) -> None:
        """A window that is too large for its reader shrinks, by not being given back."""
        self.open(window_start=64 * 1024)
        for _ in range(32):
            self.client.send(data(self.number, bytes(PACKET)))
        grown = self.channel.window
        for _ in range(64):
            self.client.clock.advance(1)
            self.client.send(data(self.number, bytes(PACKET)))
        self.assertGreater(grown, 512 * 1024)
        self.assertEqual((self.channel.window, self.channel.receive_window <= 64 * 1024), (64 * 1024, True))

    def test_total(self) -> None:
        """Channels share a total: with many of them new ones have small windows, and what ended leaves room."""
        self.open(windows_total=1024 * 1024)
        connection = self.client.gateway.connection
        for _ in range(20):
            connection.open_forwarded(b"", 443, "198.51.100.9", 1, Factory.forProtocol(Service))
        sizes = [channel.window for channel in connection.channels.values()]
        self.assertEqual((sizes[0], sizes[-1]), (128 * 1024, PACKET))
        self.say(CLOSE)
        self.client.take()
        self.assertEqual(connection.windows.left, 1024 * 1024 - sum(sizes[1:]))

    def test_slow_reader(self) -> None:
        """A protocol that pauses gets nothing, and the client no credit; on resuming, all of it."""
        protocol = self.open()
        protocol.transport.pauseProducing()
        self.client.clock.advance(1)
        for _ in range(8):
            self.client.send(data(self.number, bytes(PACKET)))
        self.assertEqual((protocol.events, self.client.take()), ([], []))
        protocol.transport.resumeProducing()
        self.client.clock.advance(0)
        self.assertEqual(sum(map(len, protocol.events)), WINDOW)
        self.assertEqual(self.client.take(), [struct.pack(">BII", 93, 9, WINDOW)])

    def test_beyond_the_window(self) -> None:
        """A client that sends to a paused protocol beyond its window is dropped: the memory is bounded."""
        protocol = self.open()
        protocol.transport.pauseProducing()
        for _ in range(8):
            self.client.send(data(self.number, bytes(PACKET)))
        self.client.send(data(self.number, b"x"))
        self.assertIn("does not allow", self.client.disconnect_text())

    def test_pause_within(self) -> None:
        """A protocol that pauses on its data is given credit for them when it goes on."""
        protocol = self.open()
        transport = protocol.transport
        self.client.clock.advance(1)
        protocol.dataReceived = lambda data: transport.pauseProducing()
        for _ in range(2):
            self.client.send(data(self.number, bytes(PACKET)))
        self.assertEqual(self.client.take(), [])
        del protocol.dataReceived
        transport.resumeProducing()
        self.assertEqual(self.client.take(93), [struct.pack(">BII", 93, 9, WINDOW // 4)])

    def test_paused_end(self) -> None:
        """The end waits behind data that the protocol has not taken; a gone client changes nothing of that."""
        protocol = self.open(HalfService)
        protocol.transport.pauseProducing()
        self.client.send(data(self.number, b"last"), struct.pack(">BI", EOF, self.number))
        self.say(CLOSE)
        self.assertEqual(protocol.events, [])
        self.assertEqual(self.client.gateway.connection.channels, {})
        protocol.transport.resumeProducing()
        self.client.clock.advance(0)
        self.assertEqual(protocol.events, [b"last", ConnectionDone])

    def test_half_close(self) -> None:
        """EOF reaches a protocol that can be half-closed; it may go on writing, and then the channel is over."""
        protocol = self.open(HalfService)
        self.client.send(data(self.number, b"request"), struct.pack(">BI", EOF, self.number))
        protocol.transport.write(b"answer")
        self.assertEqual(self.sent(), b"answer")
        protocol.transport.loseWriteConnection()
        self.client.clock.advance(0)
        self.assertEqual(self.kinds(), [EOF, CLOSE])
        self.assertEqual(protocol.events, [b"request", "read lost", "write lost", ConnectionDone])

    def test_half_close_while_paused(self) -> None:
        """Without data, too, EOF waits for the protocol to go on."""
        protocol = self.open(HalfService)
        protocol.transport.pauseProducing()
        self.say(EOF)
        self.assertEqual(protocol.events, [])
        protocol.transport.resumeProducing()
        self.client.clock.advance(0)
        self.assertEqual(protocol.events, ["read lost"])

    def test_eof_of_others(self) -> None:
        """A protocol that cannot be half-closed is closed, after what it wrote."""
        protocol = self.open(window=3)
        protocol.transport.write(b"answer")
        self.say(EOF)
        self.assertEqual(protocol.events, [])
        self.client.send(struct.pack(">BII", 93, self.number, 100))
        self.assertEqual(protocol.events, [ConnectionDone])
        self.assertEqual([94, 94, EOF, CLOSE], self.kinds())

    def test_reset(self) -> None:
        """CLOSE without EOF is a lost connection."""
        protocol = self.open()
        self.say(CLOSE)
        self.assertEqual(protocol.events, [ConnectionLost])
        self.assertEqual(self.kinds(), [CLOSE])

    def test_protocol_fails(self) -> None:
        """A protocol that raises loses its channel."""
        protocol = self.open()
        protocol.dataReceived = lambda data: 1 // 0
        self.client.send(data(self.number, b"x"))
        self.assertEqual(protocol.events, [ConnectionAborted])
        self.assertEqual(self.kinds(), [CLOSE])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_connection_lost(self) -> None:
        """With the SSH connection all is lost."""
        protocol = self.open()
        source = Source()
        protocol.transport.registerProducer(source, True)
        self.client.lose()
        self.assertEqual(protocol.events, [ConnectionLost])
        self.assertEqual(source.events, ["stop"])
        protocol.transport.write(b"x")
        protocol.transport.loseConnection()


class OutgoingTests(ChannelTestCase):
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

    def test_landing(self) -> None:
        """What is read to where it is sealed leaves from there, as much as the window takes."""
        protocol = self.open(window=3 * PACKET + 5)
        verifyObject(ILanding, protocol.transport)
        places = protocol.transport.landing()
        self.assertEqual([len(place) for place in places], [PACKET] * 3)
        for letter, place in zip(b"abc", places):
            place[:] = bytes((letter,)) * PACKET
        protocol.transport.landed(2 * PACKET + 9)
        self.assertEqual(self.sent(), b"a" * PACKET + b"b" * PACKET + b"c" * 9)
        self.assertIsNone(protocol.transport.landing())  # a packet less four bytes is left of the window

    def test_no_landing(self) -> None:
        """Nothing is read there while something waits, for packets of another size, and after the end."""
        transport = self.open().transport
        self.client.server.pauseProducing()
        self.assertIsNone(transport.landing())
        transport.write(b"one")
        self.client.server.resumeProducing()
        self.assertIsNotNone(transport.landing())
        self.channel.send_window = 0
        transport.write(b"two")
        self.channel.send_window = WINDOW
        self.assertIsNone(transport.landing())
        transport.abortConnection()
        self.assertIsNone(transport.landing())
        self.assertIsNone(self.open(limit=PACKET - 1).transport.landing())

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
        for _ in range(10):
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
