"""
`Channel`: the windows and the ends of one channel; `ForwardedChannel`: an `ITransport` to the client's local service.

Nothing is buffered without a bound. The client gets credit only for bytes that the protocol has taken, so a slow
visitor slows the service down through the window; and while the client's window or the socket is full, the protocol's
producer is paused. Source: RFC 4254 section 5.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import TYPE_CHECKING, Any, Iterable, Sequence

from zope.interface import implementer

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IHalfCloseableProtocol,
    IProtocolFactory,
    IPushProducer,
    ITCPTransport,
)
from twisted.logger import Logger
from twisted.python.failure import Failure

from ngrok_twisted.errors import TunnelLost, UpstreamTimeout, UpstreamUnreachable
from ngrok_twisted.interfaces import IBatchReceiver, IBatchTransport
from ngrok_twisted.transports.ssh.ciphers import PROTOCOL_ERROR, PacketError
from ngrok_twisted.transports.ssh.packets import MSG_CHANNEL_DATA, PACKET_DATA
from ngrok_twisted.transports.ssh.publickey import Fields

if TYPE_CHECKING:
    from ngrok_twisted.transports.ssh.connection import Connection

MSG_WINDOW_ADJUST = 93
MSG_CHANNEL_EOF = 96
MSG_CHANNEL_CLOSE = 97

# Writes up to this many bytes go out together with others at the end of the turn, larger ones at once.
SMALL = 8 * 1024

# Bytes that a protocol without a producer may leave with us. One that writes more has to be told when to stop.
MAX_OUTGOING = 16 * 1024 * 1024

# Characters of a client's text that are kept.
MAX_DETAIL = 200


class OpenRefused(UpstreamUnreachable):
    """
    The client refused a channel.

    :ivar reason: RFC 4254 section 5.1; 2 is a failed connection to the local service.
    :ivar detail: the client's words, such as ``Connection refused``.
    """

    def __init__(self, reason: int, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__()


class Channel:
    """
    :ivar number: our number.
    :ivar remote: the client's.
    :ivar confirmed: both sides know it.
    :ivar receive_window: bytes the client may still send.
    :ivar send_window: bytes we may still send.
    :ivar batch: buffers of the current read, see `Connection.deliver`.
    """

    # Bytes. Half of it is always on its way while the consumer keeps up (performance.md A.3).
    WINDOW = 2 * 1024 * 1024

    def __init__(self, connection: Connection, number: int) -> None:
        self.connection = connection
        self.number = number
        self.remote = 0
        self.confirmed = False
        self.receive_window = self.WINDOW
        self.send_window = 0
        self.packet_limit = 0
        self.batch: list[memoryview] = []
        self.got_eof = self.got_close = False
        self.sent_eof = self.sent_close = False
        self._owed = 0

    def confirm(self, remote: int, window: int, limit: int) -> None:
        """
        Both sides know the channel.

        :param limit: the most data the client takes in one packet.
        :raises PacketError: it cannot take any.
        """
        if not limit:
            raise PacketError(PROTOCOL_ERROR, "a channel without room for data")
        self.remote = remote
        self.send_window = window
        self.packet_limit = min(limit, PACKET_DATA)
        self.confirmed = True

    def credit(self, size: int) -> None:
        """So many bytes were taken; tell the client when half of its window is due."""
        self._owed += size
        if self._owed >= self.WINDOW // 2 and not self.sent_close and not self.got_eof:
            owed, self._owed = self._owed, 0
            self.receive_window += owed
            self.connection.transport.send(struct.pack(">BII", MSG_WINDOW_ADJUST, self.remote, owed))

    def send_eof(self) -> None:
        """No more data will follow."""
        if not self.sent_eof and not self.sent_close:
            self.sent_eof = True
            self.connection.transport.send(struct.pack(">BI", MSG_CHANNEL_EOF, self.remote))

    def send_close(self) -> None:
        """The channel is over for us."""
        if self.sent_close:
            return
        self.sent_close = True
        self.connection.waiting.pop(self, None)
        if self.confirmed:
            self.connection.transport.send(struct.pack(">BI", MSG_CHANNEL_CLOSE, self.remote))

    # What kinds of channels do with it.

    def received(self, batch: list[memoryview]) -> None:
        """Data. The buffers are valid during the call only."""

    def eof_received(self) -> None:
        """The client sends no more."""

    def close_received(self) -> None:
        """The client has closed the channel, and its number is free."""

    def requested(self, name: bytes, fields: Fields) -> bool:
        """:return: whether a channel request is granted."""
        return False

    def request_answered(self) -> None:
        """The answer to `requested` is on its way."""

    def drain(self) -> None:
        """There may be room for what waits."""

    def check_linger(self) -> None:
        """Called every few seconds while bytes wait."""

    def abort(self) -> None:
        """It failed on our side."""

    def connection_lost(self, reason: Failure) -> None:
        """The whole connection is gone."""


@implementer(IBatchTransport, ITCPTransport, IConsumer, IPushProducer)
class ForwardedChannel(Channel):
    """
    A byte stream to the client's local service, once the client has confirmed it.

    :ivar disconnecting: `loseConnection` was called.
    :ivar connected: 1 while the protocol may write.
    """

    _log = Logger()

    disconnecting = False
    disconnected = False
    connected = 0
    producer: Any = None
    streamingProducer = False

    def __init__(self, connection: Connection, number: int, factory: IProtocolFactory) -> None:
        super().__init__(connection, number)
        self._factory: IProtocolFactory | None = factory
        self._opening: Deferred[Any] | None = None
        self._timeout: Any = None
        self._protocol: Any = None
        self._batches = False
        self._paused = False
        self._producer_paused = False
        self._incoming: list[bytes] = []
        self._outgoing: deque[bytes] = deque()
        self._outgoing_size = 0
        self._eof_wanted = False
        self._linger_from = 0.0
        self._releasing = False

    # -- opening -------------------------------------------------------------------------------------------------------

    def opening(self, timeout: float) -> Deferred[Any]:
        """
        :param timeout: seconds to wait for the client.
        :return: see `Connection.open_forwarded`.
        """
        self._opening = Deferred(lambda deferred: self._give_up(None))
        self._timeout = self.connection.clock.callLater(timeout, self._give_up, UpstreamTimeout())
        return self._opening

    def _give_up(self, error: Exception | None) -> None:
        """Nobody waits any more; if the client confirms after all, it is told to close."""
        opening = self._opened()
        self._factory = None
        if error is not None and opening is not None:
            opening.errback(error)

    def _opened(self) -> Deferred[Any] | None:
        if self._timeout is not None and self._timeout.active():
            self._timeout.cancel()
        self._timeout = None
        opening, self._opening = self._opening, None
        return opening

    def confirm(self, remote: int, window: int, limit: int) -> None:
        """`Channel`: the service is there; build the protocol."""
        super().confirm(remote, window, limit)
        opening, factory = self._opened(), self._factory
        self._factory = None
        if opening is None or factory is None:
            self.send_close()
            return
        try:
            protocol: Any = factory.buildProtocol(self.getPeer())
            if protocol is None:
                raise TunnelLost("The connection was refused.")
            self.connected = 1
            self.protocol = protocol
            protocol.makeConnection(self)
        except Exception:
            failure = Failure()
            self.connected = 0
            self.disconnected = True
            self._protocol = None
            self.send_close()
            opening.errback(failure)
            return
        opening.callback(protocol)

    def refused(self, reason: int, text: bytes) -> None:
        """The client could not, or would not, connect to its service."""
        detail = text[:MAX_DETAIL].decode("utf-8", "replace")
        detail = "".join(character if character.isprintable() else " " for character in detail)
        opening = self._opened()
        self._factory = None
        if opening is not None:
            opening.errback(OpenRefused(reason, detail))

    # -- from the client -----------------------------------------------------------------------------------------------

    @property
    def protocol(self) -> Any:
        """The protocol that owns the stream; it may be replaced."""
        return self._protocol

    @protocol.setter
    def protocol(self, protocol: Any) -> None:
        self._protocol = protocol
        self._batches = IBatchReceiver.providedBy(protocol)

    def received(self, batch: list[memoryview]) -> None:
        """`Channel`."""
        if self.disconnected or self.sent_close:
            return
        if self._paused or self._incoming:
            self._incoming.extend(bytes(view) for view in batch)
        else:
            self._hand_over(batch)

    def _hand_over(self, batch: Sequence[Any]) -> None:
        size = 0
        for view in batch:
            size += len(view)
        if self._batches:
            self._protocol.batchReceived(batch)
        else:
            self._protocol.dataReceived(b"".join(batch))
        if self._paused:
            self._owed += size
        else:
            self.credit(size)

    def pauseProducing(self) -> None:
        """`IPushProducer`: the protocol cannot take more; the client gets no more credit."""
        self._paused = True

    def resumeProducing(self) -> None:
        """`IPushProducer`."""
        if not self._paused or self.disconnected:
            self._paused = False
            return
        self._paused = False
        if not self._incoming:
            self.credit(0)
        if (self._incoming or self.got_eof or self.got_close) and not self._releasing:
            self._releasing = True
            self.connection.later(self._release)

    def stopProducing(self) -> None:
        """`IPushProducer`."""
        self.loseConnection()

    def _release(self) -> None:
        """Hand over what came while the protocol was paused, and then the end."""
        self._releasing = False
        if self._paused or self.disconnected:
            return
        incoming, self._incoming = self._incoming, []
        if incoming:
            try:
                self._hand_over(incoming)
            except Exception:
                self._log.failure("ssh: a protocol failed on its data")
                self.abort()
                return
        if self.got_close:
            self.close_received()
        elif self.got_eof:
            self.eof_received()

    def eof_received(self) -> None:
        """`Channel`: half-closed, if the protocol can; else it is closed when what it wrote is out."""
        if self._incoming or self._paused or self.disconnected:
            return
        half = IHalfCloseableProtocol(self._protocol, None)
        if half is None:
            self.loseConnection()
        else:
            half.readConnectionLost()
            if self.sent_eof:
                self._finish()

    def close_received(self) -> None:
        """`Channel`."""
        self.got_close = True
        self.send_close()
        if not self.disconnected and not self._incoming:
            self._lost(Failure(ConnectionDone() if self.got_eof or self.disconnecting else ConnectionLost()))

    def connection_lost(self, reason: Failure) -> None:
        """`Channel`."""
        self.sent_close = True
        opening = self._opened()
        self._factory = None
        if opening is not None:
            opening.errback(TunnelLost())
        self._lost(Failure(ConnectionLost("the SSH connection was lost")))

    def _lost(self, reason: Failure) -> None:
        if self.disconnected:
            return
        self.disconnected = True
        self.connected = 0
        self._incoming.clear()
        self._outgoing.clear()
        self._outgoing_size = 0
        self.connection.waiting.pop(self, None)
        producer, self.producer = self.producer, None
        protocol, self._protocol = self._protocol, None
        if producer is not None:
            producer.stopProducing()
        if protocol is not None:
            protocol.connectionLost(reason)

    # -- to the client -------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """`ITransport`."""
        self.writeBatch((data,))

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """`ITransport`."""
        self.writeBatch(tuple(data))

    def writeBatch(self, buffers: Sequence[Any]) -> None:
        """`IBatchTransport`."""
        if self.disconnected or self.sent_close or self.sent_eof or self._eof_wanted:
            return
        total = 0
        for buffer in buffers:
            total += len(buffer)
        if not total:
            return
        if self._outgoing or self.connection.blocked or total > self.send_window:
            self._hold(buffers, total)
        else:
            self._emit(buffers, total)

    def _emit(self, buffers: Sequence[Any], total: int) -> None:
        self.send_window -= total
        if total <= SMALL and total <= self.packet_limit:
            head = struct.pack(">BII", MSG_CHANNEL_DATA, self.remote, total)
            self.connection.transport.send(b"".join((head, *buffers)))
        else:
            self.connection.transport.writer.send_data(self.remote, self.packet_limit, buffers)

    def _hold(self, buffers: Sequence[Any], total: int) -> None:
        if not self._outgoing:
            self._linger_from = self.connection.clock.seconds()
        self._outgoing.extend(bytes(buffer) for buffer in buffers if len(buffer))
        self._outgoing_size += total
        self.connection.waiting[self] = None
        if self._outgoing_size > MAX_OUTGOING:
            self._log.warn("ssh: a protocol wrote on while its channel was full; the channel is aborted")
            self.abortConnection()
            return
        self.drain()
        if self._outgoing and self.producer is not None and self.streamingProducer and not self._producer_paused:
            self._producer_paused = True
            self.producer.pauseProducing()

    def drain(self) -> None:
        """`Channel`: send what waits, as far as there is room."""
        connection = self.connection
        while self._outgoing and self.send_window and not connection.blocked:
            pieces, total = self._cut(self.send_window)
            self._outgoing_size -= total
            self._linger_from = connection.clock.seconds()
            self._emit(pieces, total)
        if not self._outgoing:
            connection.waiting.pop(self, None)
            self._drained()

    def _cut(self, limit: int) -> tuple[list[Any], int]:
        """:return: buffers from the front of what waits, and their size, at most ``limit``."""
        pieces: list[Any] = []
        total = 0
        while self._outgoing and total < limit:
            piece = self._outgoing.popleft()
            if total + len(piece) > limit:
                view = memoryview(piece)
                self._outgoing.appendleft(bytes(view[limit - total :]))
                piece = bytes(view[: limit - total])
            pieces.append(piece)
            total += len(piece)
        return pieces, total

    def _drained(self) -> None:
        if self.producer is not None:
            if not self.streamingProducer:
                self.connection.later(self._pull)
                return
            if self._producer_paused:
                self._producer_paused = False
                self.producer.resumeProducing()
            if self.disconnecting:
                # As a TCP transport does: a push producer that has no more to say does not keep it open.
                self.connection.later(self._finish)
        elif self.disconnecting:
            self._finish()
        elif self._eof_wanted:
            self._end_writing()

    def _pull(self) -> None:
        if self.producer is not None and not self.streamingProducer and not self._outgoing:
            self.producer.resumeProducing()
            if not self._outgoing and self.producer is not None:
                self.connection.later(self._pull)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """`IConsumer`."""
        if self.producer is not None:
            raise RuntimeError("a producer is registered already")
        if self.disconnected:
            producer.stopProducing()
            return
        self.producer = producer
        self.streamingProducer = streaming
        self._producer_paused = False
        if not streaming:
            self.connection.later(self._pull)
        elif self._outgoing:
            self._producer_paused = True
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        """`IConsumer`."""
        self.producer = None
        if not self._outgoing:
            if self.disconnecting:
                self.connection.later(self._finish)
            elif self._eof_wanted:
                self._end_writing()

    # -- the ends ------------------------------------------------------------------------------------------------------

    def loseWriteConnection(self) -> None:
        """`IHalfCloseableDescriptor`: FIN, as ``SSH_MSG_CHANNEL_EOF``, when what was written is out."""
        if self.disconnected or self.disconnecting or self._eof_wanted or self.sent_eof:
            return
        self._eof_wanted = True
        if not self._outgoing:
            self._end_writing()

    def _end_writing(self) -> None:
        if self.sent_eof or self.disconnected:
            return
        self.send_eof()
        half = IHalfCloseableProtocol(self._protocol, None)
        if half is not None:
            half.writeConnectionLost()
        if self.got_eof and not self._incoming:
            self.connection.later(self._finish)

    def loseConnection(self) -> None:
        """`ITransport`: close, when what was written is out."""
        if self.disconnected or self.disconnecting:
            return
        self.disconnecting = True
        if not self._outgoing:
            self.connection.later(self._finish)

    def _finish(self) -> None:
        if self.disconnected or self._outgoing:
            return
        self.send_eof()
        self.send_close()
        self._lost(Failure(ConnectionDone()))

    def abortConnection(self) -> None:
        """`ITCPTransport`: RST, as ``SSH_MSG_CHANNEL_CLOSE`` without an end of file; what waits is dropped."""
        if self.disconnected:
            return
        self.disconnecting = True
        self._outgoing.clear()
        self._outgoing_size = 0
        self.send_close()
        self.connection.later(self.abort)

    def abort(self) -> None:
        """`Channel`."""
        self.send_close()
        self._lost(Failure(ConnectionAborted()))

    def check_linger(self) -> None:
        """`Channel`: the last bytes of a closed stream do not wait for ever."""
        waited = self.connection.clock.seconds() - self._linger_from
        if self.disconnecting and waited > self.connection.limits.close_linger:
            self.abortConnection()

    # -- what a TCP transport has --------------------------------------------------------------------------------------

    def getPeer(self) -> IAddress:
        """`ITransport`: the client, behind which the service is."""
        host, port = self.connection.peer_host, self.connection.peer_port
        return IPv6Address("TCP", host, port) if ":" in host else IPv4Address("TCP", host, port)

    def getHost(self) -> IAddress:
        """`ITransport`: our end of the SSH connection."""
        return self.connection.transport.transport.getHost()

    def getTcpNoDelay(self) -> bool:
        """`ITCPTransport`."""
        return True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """`ITCPTransport`: nothing waits for more here."""

    def getTcpKeepAlive(self) -> bool:
        """`ITCPTransport`."""
        return True

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """`ITCPTransport`: the connection has keepalives of its own."""
