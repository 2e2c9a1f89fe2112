"""
What stands at the start of a connection to a target: a PROXY header, TLS.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.interfaces import IFlowFactory


@implementer(IFlowFactory)
class ConnectionFactory:
    """
    Hands one prepared protocol to an `IStreamClientEndpoint`.

    :ivar flow: whose request it is for.
    """

    noisy = False

    def __init__(self, flow: Any, protocol: Any) -> None:
        self.flow = flow
        self._protocol = protocol

    def doStart(self) -> None:
        """IProtocolFactory."""

    def doStop(self) -> None:
        """IProtocolFactory."""

    def buildProtocol(self, addr: Any) -> Any:
        """IProtocolFactory."""
        return self._protocol


@implementer(IHalfCloseableProtocol)
class Announced:
    """
    Sends the first bytes of a connection before the protocol inside may, and is in nobody's way afterwards.
    """

    def __init__(self, inner: Any, first_bytes: bytes) -> None:
        self._inner = inner
        self._first_bytes = first_bytes
        self._halves = IHalfCloseableProtocol.providedBy(inner)
        self._transport: Any = None

    def makeConnection(self, transport: Any) -> None:
        """IProtocol."""
        self._transport = transport
        transport.write(self._first_bytes)
        self._inner.makeConnection(transport)

    def connectionMade(self) -> None:
        """IProtocol."""

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        self._inner.dataReceived(data)

    def readConnectionLost(self) -> None:
        """IHalfCloseableProtocol."""
        if self._halves:
            self._inner.readConnectionLost()
        else:
            self._transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """IHalfCloseableProtocol."""
        if self._halves:
            self._inner.writeConnectionLost()

    def connectionLost(self, reason: Failure) -> None:
        """IProtocol."""
        self._inner.connectionLost(reason)
