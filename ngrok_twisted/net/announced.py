"""
`Announced`: connections that a load balancer passes on, and announces with a PROXY header.

It stands around the factory of a listener. A connection from one of the networks that are trusted must begin with a header,
and is then what the header says it is, for everyone behind: its transport's ``getPeer`` and ``getHost`` are the visitor's
address and the one that the visitor connected to. From anywhere else no header is looked for: whoever could send one could be
anybody.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocolFactory
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.net.proxy_header import Address, BadProxyHeader, ProxyHeader, read_header
from ngrok_twisted.networks import NetworkSet, parse_host

SECONDS = 1

#: A header is the first thing that its sender sends; this allows for a lost packet, as the protocol's text asks for ("at
#: least 3 seconds", section 2).
HEADER_TIMEOUT = 5 * SECONDS


@implementer(IProtocolFactory)
class Announced:
    """
    The factory around another one.
    """

    noisy = False

    def __init__(self, inner: Any, trusted: NetworkSet, clock: Any) -> None:
        """
        :param inner: the factory that serves the connections.
        :param trusted: who must announce them.
        :param clock: an ``IReactorTime``.
        """
        self.inner = inner
        self.clock = clock
        self._trusted = trusted

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """IProtocolFactory."""
        peer = parse_host(getattr(addr, "host", ""))
        if peer is not None and peer in self._trusted:
            return _Waiting(self)
        return self.inner.buildProtocol(addr)

    def doStart(self) -> None:
        """IProtocolFactory."""
        self.inner.doStart()

    def doStop(self) -> None:
        """IProtocolFactory."""
        self.inner.doStop()


class _Waiting(Protocol):
    """
    Reads the header, then is gone.

    :ivar arriving: it is not known yet what the visitor wants.
    """

    arriving = True
    _log = Logger()
    _timeout: IDelayedCall | None = None

    def __init__(self, factory: Announced) -> None:
        self._factory = factory
        self._seen = b""
        self._done = False

    def connectionMade(self) -> None:
        """Start the clock."""
        self._timeout = self._factory.clock.callLater(HEADER_TIMEOUT, self._too_slow)

    def dataReceived(self, data: bytes) -> None:
        """Read on until the header is whole. It is bounded, and so is what is kept of it."""
        if self._done:
            return
        self._seen += data
        try:
            header = read_header(self._seen)
        except BadProxyHeader as error:
            self._refuse(str(error))
        else:
            if header is not None:
                self._step_aside(header)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It left before it said whose connection it is."""
        self._stop()

    def _step_aside(self, header: ProxyHeader) -> None:
        self._stop()
        transport: Any = self.transport
        rest, self._seen = self._seen[header.size :], b""
        if header.source is not None and header.destination is not None:
            rename(transport, header.source, header.destination)
        protocol = self._factory.inner.buildProtocol(transport.getPeer())
        if protocol is None:
            transport.abortConnection()
            return
        transport.protocol = protocol
        protocol.makeConnection(transport)
        if rest:
            protocol.dataReceived(rest)

    def _refuse(self, why: str) -> None:
        self._stop()
        transport: Any = self.transport
        self._log.warn(
            "refused {peer}, which must send PROXY headers (proxy_protocol.trusted): {why}",
            peer=transport.getPeer().host,
            why=why,
        )
        self._seen = b""
        transport.abortConnection()

    def _too_slow(self) -> None:
        self._timeout = None
        self._refuse("none came in time")

    def _stop(self) -> None:
        self._done = True
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None


def rename(transport: Any, source: Address, destination: Address) -> None:
    """
    Let the transport tell the ends of the connection that was announced. It stays the transport that it is: whoever looks for
    a certain kind of them, such as the one that joins sockets in the kernel, still finds it.
    """
    peer, host = _address(source), _address(destination)
    transport.getPeer = lambda: peer
    transport.getHost = lambda: host


def announced_ends(transport: Any) -> tuple[Address, Address] | None:
    """The source and destination that a connection was announced with, or ``None`` where it was not."""
    if "getPeer" not in transport.__dict__:
        return None
    peer, host = transport.getPeer(), transport.getHost()
    return (peer.host, peer.port), (host.host, host.port)


def _address(address: Address) -> IPv4Address | IPv6Address:
    return (IPv6Address if ":" in address[0] else IPv4Address)("TCP", *address)
