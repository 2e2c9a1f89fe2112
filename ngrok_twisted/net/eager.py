"""
TCP transports that write at once.

Twisted's own transports queue what is written and send it in the next turn of the reactor, at the price of two
``epoll_ctl`` calls and a wake-up. These try ``send`` inside `write`, and queue only what the kernel refuses; they also take
lists of buffers (`IBatchTransport`) and read into the protocol's own buffer (`IFillable`).

They stay ordinary `ITCPTransport` objects: an error in an early ``send`` is never raised to the writer and never calls
``connectionLost`` from inside ``write``. The data is queued instead, and the reactor meets the error in its own time.
"""

from __future__ import annotations

import os
import socket
from errno import EAGAIN, ECONNABORTED, EPERM, EWOULDBLOCK, errorcode
from typing import Any, Iterable, Sequence

from twisted.internet import abstract, tcp
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.interfaces import IBatchTransport, IFillable

SECONDS = 1.0

# The most buffers that one sendmsg(2) takes.
IOV_MAX = os.sysconf("SC_IOV_MAX")

# How long a port stops accepting when the process or the system has no descriptor left. A listening socket stays readable
# meanwhile, so that without a pause the reactor would spin.
ACCEPT_PAUSE = 1 * SECONDS

# Exhaustion that comes back within this time belongs to the same episode and is not logged again.
EXHAUSTION_EPISODE = 60 * SECONDS

_NOTHING_TO_ACCEPT = frozenset({EAGAIN, EWOULDBLOCK})
# How the socket module writes an IPv4 peer of an IPv6 listener.
_MAPPED = "::ffff:"
_VISITOR_LEFT = frozenset({ECONNABORTED, EPERM})

# How many more connections a port accepts in one go once it has reached its limit; the limit adapts to the traffic. Each
# takes some 0.1 ms, in which nobody else is served, and another go costs a hundredth of that.
_ACCEPT_STEP = 8
_ACCEPT_MOST = 32

# One for all, as the reactor has it: what a failure tells of where it was made is of no use here.
_DONE = Failure(CONNECTION_DONE)


class EagerTransport:
    """
    What `EagerServer` and `EagerClient` share. Mixed in before a `tcp.Connection`.

    Whatever is written after the peer is gone, after the write side was closed, or after an abort is dropped, as the stock
    transports do.
    """

    TLS: bool
    connected: Any
    disconnecting: Any
    #: Somebody else writes to the socket as well, and stands in the place of ``doWrite`` to say when it may be closed.
    shared = False

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
        try:
            sent = self.socket.send(data)
        except OSError:
            sent = 0
        if sent != len(data):
            self._keep(data[sent:])
        elif self.producer is not None and not self.streamingProducer:
            self.startWriting()  # a pull producer is asked for more from the reactor, as always

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
        """How many bytes were written and wait for the kernel to take them."""
        return len(self.dataBuffer) - self.offset + self._tempDataLen

    def doRead(self: Any) -> ConnectionDone | ConnectionLost | None:
        """IReadDescriptor."""
        protocol = self.protocol
        if protocol is not self._filled_protocol:  # asked once a protocol, since it may be replaced on the way
            self._filled_protocol = protocol
            self._fills = IFillable.providedBy(protocol)
        try:
            if self._fills:
                data = self.socket.recv_into(protocol.fillable())
            else:
                data = self.socket.recv(self.bufferSize)
        except OSError as error:
            return None if error.errno in _NOTHING_TO_ACCEPT else CONNECTION_LOST
        if not data:
            return CONNECTION_DONE
        if self._fills:
            protocol.filled(data)
        else:
            protocol.dataReceived(data)
        return None

    def loseConnection(self: Any) -> None:
        """
        ITransport. With nothing to wait for, the end comes with the reactor's next turn, without asking the kernel first
        whether the socket is writable: three system calls less for each connection.
        """
        if self.TLS or self._is_waited_for():
            super().loseConnection()  # type: ignore[misc]
        elif self.connected and not self.disconnecting:
            self.disconnecting = 1
            self.stopReading()
            self.reactor.callLater(0, self._close)

    def _close(self: Any) -> None:
        """The end that was asked for, unless something was written, or is still to be, that has to leave first."""
        if not self.connected:
            return
        if self._is_waited_for():
            self.startWriting()
        else:
            self.connectionLost(_DONE)

    def _is_waited_for(self: Any) -> bool:
        """Whether something has to leave before the connection may end."""
        unsent = self._tempDataLen or self.dataBuffer
        return bool(unsent or self.shared or self.producer is not None or self._writeDisconnecting)

    def _lost(self: Any, reason: Any) -> None:
        """As ``tcp.Connection.connectionLost``, whose question for the kind of end takes longer than all the rest."""
        if not hasattr(self, "socket"):
            return
        abstract.FileDescriptor.connectionLost(self, reason)
        self._closeSocket(not isinstance(reason.value, ConnectionAborted))
        protocol = self.protocol
        del self.protocol, self.socket, self.fileno
        self._filled_protocol = None
        protocol.connectionLost(reason)

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


def plain_address(address: Any) -> IPv4Address | IPv6Address:
    """
    :param address: as the socket module has it.
    :return: the address; that of an IPv4 peer on an IPv6 listener (``::ffff:192.0.2.1``, RFC 4291 section 2.5.5.2) as IPv4.
    """
    if len(address) == 2:
        return IPv4Address("TCP", *address)
    if address[0].startswith(_MAPPED) and "." in address[0]:
        return IPv4Address("TCP", address[0][len(_MAPPED) :], address[1])
    return IPv6Address("TCP", *address)


@implementer(IBatchTransport)
class EagerServer(EagerTransport, tcp.Server):
    """An accepted connection."""

    def __init__(self, sock: Any, protocol: Any, client: Any, server: Any, sessionno: int, reactor: Any) -> None:
        # As tcp.Server, without its three formatted strings and the address, which are for logs and are made there.
        tcp.Connection.__init__(self, sock, protocol, reactor)
        self.server = server
        self.client = client
        self.sessionno = sessionno
        if server is None:
            self.setTcpNoDelay(True)  # otherwise inherited from the listening socket
        self.startReading()
        self.connected = 1

    connectionLost = EagerTransport._lost

    @property
    def hostname(self) -> str:
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


class EagerPort(tcp.Port):
    """
    A listening port whose connections are `EagerServer` transports.

    When descriptors run out the port rests for `ACCEPT_PAUSE` seconds; visitors wait in the kernel's queue. (The stock port
    accepts and drops them with three log lines each when the process has none left, and spins when the system has none.)
    """

    transport = EagerServer
    _log = Logger()
    factory: Any
    reactor: Any
    _exhausted_at: float | None = None
    _resting: Any = None

    def startListening(self) -> None:
        """IListeningPort."""
        super().startListening()
        self.numberAccepts = _ACCEPT_MOST
        # Linux hands the option down to accepted sockets: one system call for all of them.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def doRead(self) -> None:
        """IReadDescriptor."""
        accepted = 0
        for accepted in range(1, self.numberAccepts + 1):
            try:
                sock, address = self.socket.accept()
            except OSError as error:
                if error.errno in _VISITOR_LEFT:
                    continue
                if error.errno not in _NOTHING_TO_ACCEPT:
                    self._rest(error)
                self.numberAccepts = max(1, accepted - 1)
                return
            try:
                self._welcome(sock, address)
            except Exception:
                self._log.failure("a connection from {peer} could not be set up", peer=address[0])
            if self.disconnecting or not self.connected:
                return
        self.numberAccepts = min(accepted + _ACCEPT_STEP, _ACCEPT_MOST)

    def loseConnection(self, connDone: Any = CONNECTION_DONE) -> Deferred[None] | None:
        """
        IListeningPort.

        The address is free when this returns. (The stock port keeps it for another turn, and whoever wants it back in that
        turn cannot have it.)
        """
        if not self.connected:
            return None
        self.disconnecting = True
        self.connectionLost(Failure(connDone))
        return succeed(None)

    stopListening = loseConnection

    def stopReading(self) -> None:
        """IReadDescriptor: nobody is accepted until `startReading`, not after a rest either."""
        self._stop_resting()
        super().stopReading()

    def connectionLost(self, reason: Any) -> None:
        """IReadDescriptor."""
        self._stop_resting()
        super().connectionLost(reason)

    def _welcome(self, sock: Any, address: Any) -> None:
        """Build the protocol and the transport of one accepted socket."""
        if len(address) == 4 and address[3]:  # link-local: the scope belongs to the host's name
            host = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0]
            address = (host, *address[1:])
        transport = None
        try:
            protocol = self.factory.buildProtocol(plain_address(address))
            if protocol is None:
                sock.close()
                return
            self.sessionno += 1
            transport = self.transport(sock, protocol, address, self, self.sessionno, self.reactor)
            protocol.makeConnection(transport)
        except Exception:
            if transport is None:
                sock.close()
            else:
                transport.abortConnection()
            raise

    def _rest(self, error: OSError) -> None:
        """Stop accepting for a while."""
        now = self.reactor.seconds()
        if self._exhausted_at is None or now - self._exhausted_at > EXHAUSTION_EPISODE:
            self._log.warn(
                "port {port} cannot accept ({error}); it tries again every {pause} s",
                port=self._realPortNumber,
                error=errorcode.get(error.errno or 0, str(error)),
                pause=ACCEPT_PAUSE,
            )
        self._exhausted_at = now
        self.stopReading()
        self._resting = self.reactor.callLater(ACCEPT_PAUSE, self._go_on)

    def _go_on(self) -> None:
        self._resting = None
        if self.connected and not self.disconnecting:
            self.startReading()

    def _stop_resting(self) -> None:
        resting, self._resting = self._resting, None
        if resting is not None:
            resting.cancel()
