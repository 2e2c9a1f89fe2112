"""
What stands at the start of a connection to a target, as endpoints around endpoints: a PROXY header, TLS.
"""

from __future__ import annotations

import ssl
from functools import lru_cache
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, IStreamClientEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.interfaces import IFlowFactory
from ngrok_twisted.net.tls import wrap_tls_client
from ngrok_twisted.records.endpoint import Upstream
from ngrok_twisted.upstream.proxy_protocol import encode_v1, encode_v2


def opened(
    target: Any, upstream: Upstream, request: Any, clock: Any, protocols: tuple[str, ...] = ("http/1.1",)
) -> Any:
    """
    The endpoint to connect to for this request.

    :param target: the `IStreamClientEndpoint` that the backend chose.
    :param upstream: how its service wants to be spoken to.
    :param request: the request, or the visitor of a stream.
    :param protocols: offered by ALPN (RFC 7301), where TLS is spoken.
    :return: an ``IStreamClientEndpoint``; the target itself where the service wants nothing special.
    """
    endpoint = target
    if upstream.proxy_protocol:
        endpoint = AnnouncedEndpoint(endpoint, _proxy_header(upstream.proxy_protocol, request))
    if upstream.tls:
        name = upstream.tls_name or request.flow.host or None
        endpoint = wrap_tls_client(endpoint, _tls_context(upstream.tls_verify, protocols), name, clock=clock)
    return endpoint


def variant_of(upstream: Upstream, request: Any) -> bytes:
    """
    What makes a connection for this request differ from one for another to the same target: the name that TLS asks for, and
    the PROXY header. Requests with the same can share one.
    """
    name = (upstream.tls_name or request.flow.host) if upstream.tls else ""
    header = _proxy_header(upstream.proxy_protocol, request) if upstream.proxy_protocol else b""
    return name.encode() + b"\n" + header


def _proxy_header(version: int, request: Any) -> bytes:
    flow = request.flow
    local = request.getHost()
    encode = encode_v1 if version == 1 else encode_v2
    return encode((flow.peer_host, flow.peer_port), (local.host, local.port))


@lru_cache(maxsize=None)
def _tls_context(verify: bool, protocols: tuple[str, ...]) -> ssl.SSLContext:
    """
    One context for all targets: it says nothing but whether certificates are checked against the system's authorities, and
    what is spoken inside.
    """
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


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


@implementer(IStreamClientEndpoint)
class AnnouncedEndpoint:
    """
    Sends the same first bytes on each connection, before the protocol inside may write.
    """

    def __init__(self, endpoint: Any, first_bytes: bytes) -> None:
        self._endpoint = endpoint
        self._first_bytes = first_bytes

    def connect(self, factory: Any) -> Deferred[Any]:
        """IStreamClientEndpoint. ``factory`` has a ``flow``."""
        announced = Announced(factory.buildProtocol(None), self._first_bytes)
        connecting = self._endpoint.connect(ConnectionFactory(factory.flow, announced))
        return connecting.addCallback(lambda _: announced.inner)


@implementer(IHalfCloseableProtocol)
class Announced:
    """
    Writes the first bytes, then lets the protocol inside have the connection.

    :ivar inner: that protocol.
    """

    def __init__(self, inner: Any, first_bytes: bytes) -> None:
        self.inner = inner
        self._first_bytes = first_bytes
        self._halves = IHalfCloseableProtocol.providedBy(inner)
        self._transport: Any = None

    def makeConnection(self, transport: Any) -> None:
        """IProtocol."""
        self._transport = transport
        transport.write(self._first_bytes)
        self.inner.makeConnection(transport)

    def connectionMade(self) -> None:
        """IProtocol."""

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        self.inner.dataReceived(data)

    def readConnectionLost(self) -> None:
        """IHalfCloseableProtocol."""
        if self._halves:
            self.inner.readConnectionLost()
        else:
            self._transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """IHalfCloseableProtocol."""
        if self._halves:
            self.inner.writeConnectionLost()

    def connectionLost(self, reason: Failure) -> None:
        """IProtocol."""
        self.inner.connectionLost(reason)
