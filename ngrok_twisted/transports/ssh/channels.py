"""
`ForwardedChannel`: an `ITransport` to the client's local service.

Nothing is buffered without a bound. The client gets credit only for bytes that the protocol has taken, so a slow
visitor slows the service down through the window; and while the client's window or the socket is full, the protocol's
producer is paused. Source: RFC 4254 section 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Sequence

from zope.interface import implementer

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
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
from ngrok_twisted.transports.ssh.outgoing import Outgoing

if TYPE_CHECKING:
    from ngrok_twisted.transports.ssh.connection import Connection

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


@implementer(IBatchTransport, ITCPTransport, IConsumer, IPushProducer)
class ForwardedChannel(Outgoing):
    """
    A byte stream to the client's local service, once the client has confirmed it.

    :ivar connected: 1 while the protocol may write.
    """

    _log = Logger()

    connected = 0

    def __init__(self, connection: Connection, number: int, factory: IProtocolFactory) -> None:
        super().__init__(connection, number)
        self._factory: IProtocolFactory | None = factory
        self._opening: Deferred[Any] | None = None
        self._timeout: Any = None
        self._protocol: Any = None
        self._batches = False
        self._paused = False
        self._incoming: list[bytes] = []
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

    def getPeer(self) -> IPv4Address | IPv6Address:
        """`ITransport`: the client, behind which the service is."""
        host, port = self.connection.peer_host, self.connection.peer_port
        return IPv6Address("TCP", host, port) if ":" in host else IPv4Address("TCP", host, port)

    def getHost(self) -> IPv4Address | IPv6Address:
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
