"""Tests of `ngrok_twisted.transports.ssh.channels`."""

from __future__ import annotations

import struct
from typing import Any

from twisted.conch.ssh.common import getNS
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ngrok_twisted.interfaces import IBatchReceiver, IBatchTransport
from tests.transports.ssh.client import ScriptedClient, data

WINDOW = 2 * 1024 * 1024
EOF, CLOSE = 96, 97


class Service(Protocol):
    """Writes down what happens to it."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def dataReceived(self, data: bytes) -> None:
        self.events.append(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.events.append(reason.type)


@implementer(IHalfCloseableProtocol)
class HalfService(Service):
    """One that can be half-closed."""

    def readConnectionLost(self) -> None:
        self.events.append("read lost")

    def writeConnectionLost(self) -> None:
        self.events.append("write lost")


@implementer(IBatchReceiver)
class BatchService(Service):
    """One that takes several buffers at once."""

    def batchReceived(self, buffers: list[memoryview]) -> None:
        self.events.append([bytes(buffer) for buffer in buffers])


class Source:
    """A push producer."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def pauseProducing(self) -> None:
        self.events.append("pause")

    def resumeProducing(self) -> None:
        self.events.append("resume")

    def stopProducing(self) -> None:
        self.events.append("stop")


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
        """The window is given back by halves as the protocol takes the bytes."""
        self.open()
        for _ in range(31):
            self.client.send(data(self.number, bytes(32768)))
        self.assertEqual(self.client.take(), [])
        self.client.send(data(self.number, bytes(32768)))
        self.assertEqual(self.client.take(), [struct.pack(">BII", 93, 9, WINDOW // 2)])

    def test_slow_reader(self) -> None:
        """A protocol that pauses gets nothing, and the client no credit; on resuming, all of it."""
        protocol = self.open()
        protocol.transport.pauseProducing()
        for _ in range(64):
            self.client.send(data(self.number, bytes(32768)))
        self.assertEqual((protocol.events, self.client.take()), ([], []))
        protocol.transport.resumeProducing()
        self.client.clock.advance(0)
        self.assertEqual(sum(map(len, protocol.events)), WINDOW)
        self.assertEqual(self.client.take(), [struct.pack(">BII", 93, 9, WINDOW)])

    def test_beyond_the_window(self) -> None:
        """A client that sends to a paused protocol beyond its window is dropped: the memory is bounded."""
        protocol = self.open()
        protocol.transport.pauseProducing()
        for _ in range(64):
            self.client.send(data(self.number, bytes(32768)))
        self.client.send(data(self.number, b"x"))
        self.assertIn("does not allow", self.client.disconnect_text())

    def test_pause_within(self) -> None:
        """A protocol that pauses on its data is given credit for them when it goes on."""
        protocol = self.open()
        transport = protocol.transport
        protocol.dataReceived = lambda data: transport.pauseProducing()
        for _ in range(32):
            self.client.send(data(self.number, bytes(32768)))
        self.assertEqual(self.client.take(), [])
        del protocol.dataReceived
        transport.resumeProducing()
        self.assertEqual(self.client.take(93), [struct.pack(">BII", 93, 9, WINDOW // 2)])

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
