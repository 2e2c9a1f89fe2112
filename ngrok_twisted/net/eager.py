"""
TCP transports that write at once.

Twisted's own transports queue what is written and send it in the next turn of the reactor, at the price of two
``epoll_ctl`` calls and a wake-up. These try ``send`` inside `write`, and queue only what the kernel refuses; they also take
lists of buffers (`IBatchTransport`) and read into the protocol's own buffer (`IFillable`).

Where the reactor is busy (`ngrok_twisted.net.reactor`), small writes leave together when the events of a turn are served. To
wake a peer that sleeps takes the kernel as long as all the rest of a ``send``; of many in a row only the first has to, since the
peer is awake then. A request between 64 visitors and their service takes a sixth less.

They stay ordinary `ITCPTransport` objects: an error in an early ``send`` is never raised to the writer and never calls
``connectionLost`` from inside ``write``. The data is queued instead, and the reactor meets the error in its own time.
"""

from __future__ import annotations

import os
from errno import EAGAIN, EWOULDBLOCK
from functools import lru_cache
from socket import SO_RCVLOWAT, SOL_SOCKET
from typing import Any, Iterable, Sequence

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.interfaces import IBatchTransport, IFillable
from ngrok_twisted.net.turn import soon_of

# The most buffers that one sendmsg(2) takes.
IOV_MAX = os.sysconf("SC_IOV_MAX")

# What a peer is sent in a turn leaves at its end up to this many bytes; more is worth a wake-up of its own.
SMALL = 4 * 1024

_WOULD_BLOCK = frozenset({EAGAIN, EWOULDBLOCK})

# How the socket module writes an IPv4 peer of an IPv6 listener.
_MAPPED = "::ffff:"

# One for all, as the reactor has it: what a failure tells of where it was made is of no use here.
_DONE = Failure(CONNECTION_DONE)


class EagerTransport:
    """
    What `EagerServer` and `EagerClient` share. Mixed in before a `tcp.Connection`.

    Whatever is written after the peer is gone, after the write side was closed, or after an abort is dropped, as the stock
    transports do.
    """

    TLS: bool
    streamingProducer: bool
    connected: Any
    disconnecting: Any

    _filled_protocol: Any = None
    _fills = False

    def write(self: Any, data: bytes) -> None:
        """ITransport."""
        if self.TLS:
            super().write(data)  # type: ignore[misc]
            return
        if data.__class__ is not bytes and not isinstance(data, bytes):
            raise TypeError(f"data must be bytes, not {type(data).__name__}")
        if not data or not self.connected or self._writeDisconnected or self._aborting:
            return
        if self._tempDataLen or self.dataBuffer:
            self._keep(data)
            return
        burst = getattr(self.reactor, "burst", None)
        if burst is not None:
            if self in burst:
                data = burst.pop(self) + data
            if len(data) <= SMALL:
                burst[self] = data
                return
        self.send_now(data)

    def send_now(self: Any, data: bytes) -> None:
        """
        Give to the kernel what was written, and keep what it refuses.

        :param data: nothing was written before it that has not left.
        """
        try:
            sent = self.socket.send(data)
        except OSError:
            sent = 0
        if sent != len(data):
            self._keep(data[sent:])
        elif self.producer is not None and not self.streamingProducer:
            self.startWriting()  # a pull producer is asked for more from the reactor, as always

    def hurry(self: Any) -> None:
        """What waits for the end of the turn leaves now: something else is to follow it."""
        burst = getattr(self.reactor, "burst", None)
        if burst and self in burst:
            self.send_now(burst.pop(self))

    def writeSequence(self: Any, iovec: Iterable[bytes]) -> None:
        """ITransport."""
        buffers = list(iovec)
        for data in buffers:
            if not isinstance(data, bytes):
                raise TypeError(f"data must be bytes, not {type(data).__name__}")
        self.writeBatch(buffers)

    def writeBatch(self: Any, buffers: Sequence[Any]) -> None:
        """IBatchTransport."""
        if self.TLS:
            super().write(b"".join(buffers))  # type: ignore[misc]
            return
        if not self.connected or self._writeDisconnected or self._aborting:
            return
        self.hurry()
        if self._tempDataLen or self.dataBuffer:
            rest = b"".join(buffers)
        else:
            rest = self._send_all(buffers)
        if rest:
            self._keep(rest)
        elif self.producer is not None and not self.streamingProducer:
            self.startWriting()

    @property
    def unsent(self: Any) -> int:
        """How many bytes were written and wait for the kernel to take them, now that it has been asked."""
        self.hurry()
        return len(self.dataBuffer) - self.offset + self._tempDataLen

    def doRead(self: Any) -> ConnectionDone | ConnectionLost | None:
        """IReadDescriptor."""
        protocol = self.protocol
        if protocol is not self._filled_protocol:  # asked once a protocol, since it may be replaced on the way
            self._filled_protocol = protocol
            self._fills = IFillable.providedBy(protocol)
        try:
            if self._fills:
                room, sock = protocol.fillable(), self.socket
                data = sock.recv_into(room) if room.__class__ is memoryview else sock.recvmsg_into(room)[0]
            else:
                data = self.socket.recv(self.bufferSize)
        except OSError as error:
            return None if error.errno in _WOULD_BLOCK else CONNECTION_LOST
        if not data:
            return CONNECTION_DONE
        if self._fills:
            protocol.filled(data)
        else:
            protocol.dataReceived(data)
        return None

    def loseConnection(self: Any) -> None:
        """ITransport. With nothing to wait for it comes with the next turn, without a look for room: three system calls less."""
        if self.TLS or self._is_waited_for():
            super().loseConnection()  # type: ignore[misc]
        elif not self.connected or self.disconnecting:
            pass
        elif self._writeDisconnected:
            self.connectionLost(_DONE)
        else:
            self.disconnecting = 1
            self.reactor.removeReader(self)
            soon_of(self.reactor)(self._close)

    def loseWriteConnection(self: Any) -> None:
        """IHalfCloseableDescriptor. As `loseConnection`."""
        if self.TLS or self._is_waited_for():
            super().loseWriteConnection()  # type: ignore[misc]
        elif self.connected and not self._writeDisconnecting:
            self._writeDisconnecting = True
            soon_of(self.reactor)(self._close)

    def _close(self: Any) -> None:
        """The end that was asked for, unless something was written, or is still to be, that has to leave first."""
        if not self.connected or self._aborting:
            return
        self.hurry()
        if self._is_waited_for():
            self.startWriting()
        elif self.disconnecting:
            self.connectionLost(_DONE)
        elif not self._writeDisconnected:
            self._writeDisconnected = True
            self._closeWriteConnection()

    def doWrite(self: Any) -> Any:
        """IWriteDescriptor. It may be the last time, and what waits for the end of the turn has to be seen before that."""
        self.hurry()
        why = super().doWrite()  # type: ignore[misc]
        if self._writeDisconnecting and self.streamingProducer and self.connected and not self._writeDisconnected:
            self.startWriting()  # a paused producer was resumed in the place of the half-close, which comes next
        return why

    def _closeWriteConnection(self: Any) -> None:
        self.hurry()
        super()._closeWriteConnection()  # type: ignore[misc]

    def abortConnection(self: Any) -> None:
        """ITCPTransport. What waits for the end of the turn goes first: the beginning of an answer that then breaks off."""
        self.hurry()
        super().abortConnection()  # type: ignore[misc]

    def _is_waited_for(self: Any) -> bool:
        """Whether something has to leave before the connection may end."""
        return bool(self._tempDataLen or self.dataBuffer) or self.producer is not None

    def registerProducer(self: Any, producer: Any, streaming: bool) -> None:
        """IConsumer. As Twisted's, in one call in the place of three."""
        if self.TLS or self.producer is not None or self.disconnected or not streaming:
            super().registerProducer(producer, streaming)  # type: ignore[misc]
        else:
            self.producer = producer
            self.streamingProducer = streaming

    def unregisterProducer(self: Any) -> None:
        """IConsumer. Likewise."""
        if self.TLS or self.disconnecting:
            super().unregisterProducer()  # type: ignore[misc]
        else:
            self.producer = None

    def _lost(self: Any, reason: Any) -> None:
        """
        As ``tcp.Connection.connectionLost``, whose question for the kind of end takes longer than all the rest. There is no
        shutdown(2) before the end: no other process has the socket.
        """
        if not hasattr(self, "socket"):
            return
        self.hurry()
        self.disconnected = 1
        self.connected = 0
        producer = self.producer
        if producer is not None:
            producer.stopProducing()
            self.producer = None
        forget = getattr(self.reactor, "forget", None)
        if forget is not None:
            forget(self)
        else:
            self.reactor.removeReader(self)
            self.reactor.removeWriter(self)
        if isinstance(reason.value, ConnectionAborted):
            self._closeSocket(False)
        else:
            self.socket.close()
        protocol = self.protocol
        del self.protocol, self.socket, self.fileno
        self._filled_protocol = None
        protocol.connectionLost(reason)

    def wake_at(self: Any, count: int) -> None:
        """
        Have nothing read before so many bytes are there, or the end, or the kernel's buffer is full.

        :param count: 1 for all there is, as ever.
        """
        self.socket.setsockopt(SOL_SOCKET, SO_RCVLOWAT, count)

    def give_to(self: Any, protocol: Any) -> None:
        """
        Make ``protocol`` the direct receiver of what arrives, past any wrapper that stands between: one call less for each
        read. Its ``makeConnection`` is not called.
        """
        if not self.TLS:
            self.protocol = protocol

    def _keep(self: Any, data: bytes) -> None:
        """Queue what the kernel did not take."""
        self._tempDataBuffer.append(data)
        self._tempDataLen += len(data)
        self._maybePauseProducer()
        self.startWriting()

    def _send_all(self: Any, buffers: Sequence[Any]) -> bytes:
        """
        Give buffers to the kernel.

        :return: a copy of what it refused.
        """
        for start in range(0, len(buffers), IOV_MAX):
            chunk = buffers[start : start + IOV_MAX]
            try:
                sent = self.socket.sendmsg(chunk)
            except OSError:
                sent = 0
            if sent != sum(map(len, chunk)):
                return _after(buffers, start, sent)
        return b""


def _after(buffers: Sequence[Any], start: int, sent: int) -> bytes:
    """
    :param start: the index of the first buffer that was offered.
    :param sent: how many bytes, counted from there, were taken.
    :return: a copy of all that follows.
    """
    for index in range(start, len(buffers)):
        size = len(buffers[index])
        if sent < size:
            return b"".join([memoryview(buffers[index])[sent:], *buffers[index + 1 :]])
        sent -= size
    return b""


# Those of visitors who are arriving, whose address is asked for some three times: it takes as long to make as to read a line.
@lru_cache(maxsize=256)
def plain_address(address: Any) -> IPv4Address | IPv6Address:
    """
    :param address: as the socket module has it.
    :return: the address; that of an IPv4 peer on an IPv6 listener (``::ffff:192.0.2.1``, RFC 4291 section 2.5.5.2) as IPv4.
    """
    if len(address) == 2:
        plain = IPv4Address.__new__(IPv4Address)  # to ask whether "TCP" is a protocol takes longer than all the rest
        plain.type, plain.host, plain.port = "TCP", address[0], address[1]
        return plain
    if address[0].startswith(_MAPPED) and "." in address[0]:
        return IPv4Address("TCP", address[0][len(_MAPPED) :], address[1])
    return IPv6Address("TCP", *address)


@implementer(IBatchTransport)
class EagerServer(EagerTransport, tcp.Server):
    """An accepted connection."""

    def __init__(self, sock: Any, protocol: Any, client: Any, server: Any, sessionno: int, reactor: Any) -> None:
        """:param sock: does not block, if it came from a ``server``."""
        # As tcp.Server, without texts for logs and the calls of three bases. Whatever most connections set is set here:
        # what is set later costs each of them a dictionary of its own.
        self.reactor = reactor
        self._tempDataBuffer: list[bytes] = []
        self._tempDataLen = 0
        self.socket = sock
        self.fileno = sock.fileno
        self.protocol = protocol
        self._filled_protocol = None
        self._fills = False
        self.server = server
        self.client = client
        self.sessionno = sessionno
        if server is None:
            sock.setblocking(False)
            self.setTcpNoDelay(True)  # otherwise inherited from the listening socket
        self.connected = 1
        reactor.addReader(self)

    connectionLost = EagerTransport._lost

    @property  # Twisted makes a string for each connection
    def hostname(self) -> str:  # type: ignore[override]
        """The peer's IP address, for logs."""
        return self.getPeer().host

    def getHost(self) -> IPv4Address | IPv6Address:
        """ITCPTransport."""
        return plain_address(self.socket.getsockname())

    def getPeer(self) -> IPv4Address | IPv6Address:
        """ITCPTransport."""
        return plain_address(self.client)

    def logPrefix(self) -> str:
        """ILoggingContext."""
        protocol = getattr(self, "protocol", None)
        return f"{self._getLogPrefix(protocol)},{self.sessionno},{self.hostname}"

    def __repr__(self) -> str:
        protocol = type(getattr(self, "protocol", None)).__name__
        return f"<{type(self).__name__} {protocol} #{self.sessionno} from {self.hostname}>"


@implementer(IBatchTransport)
class EagerClient(EagerTransport, tcp.Client):
    """A connection that we made."""

    def _connectDone(self) -> None:
        self.setTcpNoDelay(True)
        super()._connectDone()

    def connectionLost(self, reason: Any) -> None:
        """IReadDescriptor."""
        if self.connected:
            self._lost(reason)
            self.connector.connectionLost(reason)
        else:
            super().connectionLost(reason)


class EagerConnector(tcp.Connector):
    """Makes `EagerClient` transports."""

    def _makeTransport(self) -> EagerClient:
        return EagerClient(self.host, self.port, self.bindAddress, self, self.reactor)
