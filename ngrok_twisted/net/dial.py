"""
Connections to an IP address, made in few steps: `dial` gives a socket, `AddressEndpoint` a transport around one.

Twisted's way to one leads through an endpoint, a wrapped factory and protocol, a connector, a resolver and a second
``connect(2)``: half of what a short connection through the edge costs. Here the kernel is asked a second time at once: a service
on the same machine has answered by then, and nothing has to be waited for.
"""

from __future__ import annotations

import os
import socket
from errno import EALREADY, EINPROGRESS, EISCONN
from typing import Any, Callable

from twisted.internet import abstract, tcp
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectingCancelledError, NoProtocol, TimeoutError as ConnectTimeout, getConnectError
from twisted.internet.interfaces import IStreamClientEndpoint, IWriteDescriptor
from twisted.internet.posixbase import PosixReactorBase
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.interfaces import IBatchTransport
from ngrok_twisted.net.eager import EagerTransport, plain_address

#: ``done(socket, None)`` or ``done(None, exception)``.
Done = Callable[[Any, "Exception | None"], object]

_UNDER_WAY = frozenset({EINPROGRESS, EALREADY})
_MADE = frozenset({0, EISCONN})


def dial(reactor: Any, address: tuple[str, int], timeout: float, done: Done) -> Dialling | None:
    """
    Connect a socket that does not block.

    :param address: an IP address without a scope, and a port.
    :param timeout: seconds that it may take.
    :param done: called once: with the socket, which is the caller's, or with a `twisted.internet.error.ConnectError`.
    :return: what can be cancelled; ``None`` if ``done`` was called already.
    """
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    try:
        # The type beneath the socket module's own, which costs a quarter of it to make and has all that is used here.
        sock = socket.SocketType(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    except OSError as error:
        done(None, _connect_error(error.errno or 0))
        return None
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    code = sock.connect_ex(address)
    if code == EINPROGRESS:
        code = sock.connect_ex(address)
    if code in _MADE:
        done(sock, None)
    elif code in _UNDER_WAY:
        return Dialling(reactor, sock, timeout, done)
    else:
        sock.close()
        done(None, _connect_error(code))
    return None


@implementer(IWriteDescriptor)
class Dialling:
    """A socket that is being connected."""

    __slots__ = ("fileno", "_reactor", "_socket", "_done", "_timer")

    def __init__(self, reactor: Any, sock: Any, timeout: float, done: Done) -> None:
        """As `dial`."""
        self.fileno = sock.fileno
        self._reactor = reactor
        self._socket = sock
        self._done: Done | None = done
        self._timer = reactor.callLater(timeout, self._give_up, ConnectTimeout())
        reactor.addWriter(self)

    def cancel(self) -> None:
        """It is not wanted any more: ``done`` is not called."""
        self._done = None
        self._settle().close()

    def doWrite(self) -> None:
        """IWriteDescriptor: it is connected, or cannot be."""
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._give_up(_connect_error(code))
            return
        try:
            self._socket.getpeername()
        except OSError:
            return  # not yet: the event was for the socket that had this number earlier in the turn
        sock, done = self._settle(), self._done
        assert done is not None
        done(sock, None)

    def connectionLost(self, reason: Any) -> None:
        """IFileDescriptor."""
        if self._socket is not None:
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self._give_up(_connect_error(code) if code else reason.value)

    def logPrefix(self) -> str:
        """ILoggingContext."""
        return "dialling"

    def _give_up(self, error: Exception) -> None:
        self._settle().close()
        done, self._done = self._done, None
        if done is not None:
            done(None, error)

    def _settle(self) -> Any:
        """Nothing is waited for any more: the socket is out of the reactor."""
        self._reactor.removeWriter(self)
        if self._timer.active():
            self._timer.cancel()
        sock, self._socket = self._socket, None
        return sock


def address_endpoint(reactor: Any, host: str, port: int, timeout: float) -> Any:
    """
    :param host: an IP address.
    :param timeout: seconds that an attempt may take.
    :return: an `IStreamClientEndpoint`: Twisted's own where the reactor is none of POSIX, or the address has a scope.
    """
    if isinstance(reactor, PosixReactorBase) and "%" not in host:
        return AddressEndpoint(reactor, host, port, timeout)
    return (TCP6ClientEndpoint if ":" in host else TCP4ClientEndpoint)(reactor, host, port, timeout)


@implementer(IStreamClientEndpoint)
class AddressEndpoint:
    """
    :ivar address: the host and port, as `dial` takes them.
    :ivar timeout: seconds that an attempt may take.
    """

    def __init__(self, reactor: Any, host: str, port: int, timeout: float) -> None:
        """As `address_endpoint`."""
        self._reactor = reactor
        self.address = (host, port)
        self.timeout = timeout

    def dial(self, done: Done) -> Dialling | None:
        """As the function of this name."""
        return dial(self._reactor, self.address, self.timeout, done)

    def connect(self, factory: Any) -> Deferred[Any]:
        """
        IStreamClientEndpoint.

        :return: a Deferred that fires with the factory's protocol; fails with a `twisted.internet.error.ConnectError`, with
            `NoProtocol`, or with what the factory or the protocol raises. It can be cancelled.
        """
        dialling: Dialling | None = None

        def cancelled(_: Any) -> None:
            if dialling is not None:
                dialling.cancel()
            made.errback(Failure(ConnectingCancelledError(plain_address(self.address))))

        def done(sock: Any, error: Exception | None) -> None:
            if error is not None:
                made.errback(Failure(error))
            else:
                Dialled(sock, self.address, self._reactor).serve(factory, made)

        made: Deferred[Any] = Deferred(cancelled)
        dialling = self.dial(done)
        return made


@implementer(IBatchTransport)
class Dialled(EagerTransport, tcp.Connection):
    """A connection that we made."""

    _tlsClientDefault = True
    reactor: Any

    def __init__(self, sock: Any, address: tuple[str, int], reactor: Any) -> None:
        """
        :param sock: as `dial` gives it.
        """
        abstract.FileDescriptor.__init__(self, reactor)
        self.socket = sock
        self.fileno = sock.fileno
        self.protocol: Any = _Nobody
        self._address = address
        self.connected = 1
        self.startReading()

    def serve(self, factory: Any, made: Deferred[Any]) -> None:
        """
        Give the connection to a protocol.

        :param made: fires with it: see `AddressEndpoint.connect`.
        """
        try:
            protocol = factory.buildProtocol(self.getPeer())
            if protocol is None:
                raise NoProtocol()
            self.protocol = protocol
            protocol.makeConnection(self)
        except Exception:
            failure = Failure()
            self.abortConnection()
            made.errback(failure)
        else:
            made.callback(protocol)

    connectionLost = EagerTransport._lost

    def getPeer(self) -> IPv4Address | IPv6Address:
        """ITCPTransport."""
        return plain_address(self._address)

    def getHost(self) -> IPv4Address | IPv6Address:
        """ITCPTransport."""
        return plain_address(self.socket.getsockname())

    def logPrefix(self) -> str:
        """ILoggingContext."""
        return f"{self._getLogPrefix(getattr(self, 'protocol', None))},client"


class _Nobody:
    """In the place of a protocol that could not be made."""

    @staticmethod
    def connectionLost(reason: Any) -> None:
        """There is nobody to be told."""


def _connect_error(code: int) -> Exception:
    """
    :param code: an errno.
    """
    error: Exception = getConnectError((code, os.strerror(code)))
    return error
