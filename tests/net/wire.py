"""Two transports that lead to each other, in memory, moved by hand."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IHalfCloseableProtocol, IPushProducer, ITransport
from twisted.python.failure import Failure
from zope.interface import implementer

HIGH_WATER = 65536


@implementer(ITransport, IConsumer, IPushProducer)
class End:
    """
    One end. What is written waits in ``outbox`` until `Wire.step` takes it to the other end.

    :ivar stuck: nothing leaves, as with a peer who does not read.
    """

    def __init__(self, name: str, protocol: Any) -> None:
        self.address = IPv4Address("TCP", "192.0.2.1" if name == "client" else "192.0.2.2", 1000)
        self.protocol = protocol
        self.outbox = bytearray()
        self.writes: list[bytes] = []
        self.other: End
        self.paused = self.stuck = self.closed = self.fin = self.fin_sent = self.aborted = self.read_closed = False
        self.disconnecting = False
        self.producer: Any = None
        self.streaming = self.producer_paused = False

    def write(self, data: bytes) -> None:
        assert type(data) is bytes, data
        if self.closed or self.fin or self.aborted:
            return
        self.writes.append(data)
        self.outbox += data
        if self.producer is not None and self.streaming and len(self.outbox) > HIGH_WATER and not self.producer_paused:
            self.producer_paused = True
            self.producer.pauseProducing()

    def writeSequence(self, iovec: Any) -> None:
        self.write(b"".join(iovec))

    def loseConnection(self) -> None:
        self.disconnecting = True

    def loseWriteConnection(self) -> None:
        self.fin = True

    def abortConnection(self) -> None:
        self.aborted = True
        self.outbox.clear()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert self.producer is None
        self.producer, self.streaming = producer, streaming
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        self.producer = None
        self.producer_paused = False

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def stopProducing(self) -> None:
        self.loseConnection()

    def getPeer(self) -> IPv4Address:
        return self.other.address

    def getHost(self) -> IPv4Address:
        return self.address

    def lost(self, error: Exception) -> None:
        """This end is gone."""
        if self.closed:
            return
        self.closed = True
        producer, self.producer = self.producer, None
        if producer is not None:
            producer.stopProducing()
        self.protocol.connectionLost(Failure(error))

    def move(self, most: int) -> bool:
        """Take up to so many bytes to the other end; say whether anything happened."""
        if self.closed:
            return False
        if self.aborted:
            self.lost(ConnectionAborted())
            self.other.lost(ConnectionLost())
            return True
        if self.outbox and self.disconnecting and self.other.closed:
            self.outbox.clear()
        if self.outbox and not self.stuck and not self.other.paused:
            data = bytes(self.outbox[:most])
            del self.outbox[:most]
            if not self.other.closed:
                self.other.protocol.dataReceived(data)
            return True
        if not self.outbox and self.producer is not None and (self.producer_paused or not self.streaming):
            self.producer_paused = False
            self.producer.resumeProducing()
            return True
        if not self.outbox and (self.fin or self.disconnecting) and not self.fin_sent and not self.other.paused:
            self.fin_sent = True
            self.other.receive_fin()
            if self.disconnecting:
                self.lost(ConnectionDone())
            return True
        if self.disconnecting and self.fin_sent:
            self.lost(ConnectionDone())
            return True
        return False

    def receive_fin(self) -> None:
        """The other end will not write any more."""
        if self.closed or self.disconnecting:
            return
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.read_closed = True
            self.protocol.readConnectionLost()
        else:
            self.lost(ConnectionDone())


class Wire:
    """Connects a client's and a server's protocol."""

    def __init__(self, client: Any, server: Any) -> None:
        self.client, self.server = End("client", client), End("server", server)
        self.client.other, self.server.other = self.server, self.client
        server.makeConnection(self.server)
        client.makeConnection(self.client)

    def run(self, most: int = 1 << 20) -> None:
        """Move everything there is, at most so many bytes at a time."""
        while self.client.move(most) | self.server.move(most):
            pass
