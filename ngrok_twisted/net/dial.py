"""
`AddressEndpoint`: connections to an IP address, made in few steps.

Twisted's way to one leads through an endpoint, a wrapped factory and protocol, a connector, a resolver and a second
``connect(2)``: half of what a short connection through the edge costs. Here a socket becomes a transport when it is writable.
"""

from __future__ import annotations

import os
import socket
from errno import EINPROGRESS
from typing import Any

from twisted.internet import abstract, tcp
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectingCancelledError, NoProtocol, TimeoutError as ConnectTimeout, getConnectError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.posixbase import PosixReactorBase
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.interfaces import IBatchTransport
from ngrok_twisted.net.eager import EagerTransport, plain_address


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
    """See the module."""

    def __init__(self, reactor: Any, host: str, port: int, timeout: float) -> None:
        """As `address_endpoint`."""
        self._reactor = reactor
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._address = (host, port)
        self._timeout = timeout

    def connect(self, factory: Any) -> Deferred[Any]:
        """
        IStreamClientEndpoint.

        :return: a Deferred that fires with the factory's protocol; fails with a `twisted.internet.error.ConnectError`, with
            `NoProtocol`, or with what the factory or the protocol raises. It can be cancelled.
        """
        try:
            sock = socket.socket(self._family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as error:
            return fail(_connect_error(error.errno or 0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = sock.connect_ex(self._address)
        if code not in (0, EINPROGRESS):
            sock.close()
            return fail(_connect_error(code))
        return Dialled(sock, self._address, factory, self._reactor).connecting(self._timeout)


@implementer(IBatchTransport)
class Dialled(EagerTransport, tcp.Connection):
    """A connection that we made, from the moment it is asked for."""

    _tlsClientDefault = True
    reactor: Any
    _made: Deferred[Any] | None = None
    _timer: Any = None

    def __init__(self, sock: socket.socket, address: tuple[str, int], factory: Any, reactor: Any) -> None:
        """
        :param sock: it does not block, and is being connected.
        """
        abstract.FileDescriptor.__init__(self, reactor)
        self.socket = sock
        self.fileno = sock.fileno
        self.protocol: Any = None
        self._address = address
        self._factory = factory

    def connecting(self, timeout: float) -> Deferred[Any]:
        """
        Wait for the connection.

        :param timeout: seconds.
        :return: see `AddressEndpoint.connect`.
        """
        self._made = Deferred(self._cancelled)
        self._timer = self.reactor.callLater(timeout, self._give_up, ConnectTimeout())
        self.doWrite = self._established  # type: ignore[method-assign]
        self.startWriting()
        return self._made

    def _established(self) -> Exception | None:
        """IWriteDescriptor.doWrite of a socket that is being connected: it is, or cannot be."""
        code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            return _connect_error(code)
        self._settled()
        self.connected = 1
        self.startReading()
        self.stopWriting()
        made, self._made = self._made, None
        factory, self._factory = self._factory, None
        assert made is not None
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
        return None

    def connectionLost(self, reason: Any) -> None:
        """IReadDescriptor."""
        if self._made is None:
            if self.protocol is None:
                self.protocol = _Nobody
            self._lost(reason)
            return
        code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self._give_up(_connect_error(code) if code else reason.value)

    def _cancelled(self, made: Deferred[Any]) -> None:
        self._give_up(ConnectingCancelledError(plain_address(self._address)))

    def _give_up(self, error: BaseException) -> None:
        """There is no connection, and will be none."""
        self._settled()
        made, self._made = self._made, None
        self._factory = None
        self.stopWriting()
        self.socket.close()
        del self.socket, self.fileno
        if made is not None:
            made.errback(Failure(error))

    def _settled(self) -> None:
        """Nothing is waited for any more."""
        self.__dict__.pop("doWrite", None)
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

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
