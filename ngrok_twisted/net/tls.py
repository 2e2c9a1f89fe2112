"""
TLS over any transport, on the standard library's memory BIO.

One read of the outer transport is decrypted at a stroke and given to the inner protocol in one call; what that protocol
writes meanwhile leaves in one outer write. Compared with ``TLSMemoryBIOProtocol`` this halves the cost of a small request,
and a connection that rests keeps little besides OpenSSL's own state (which releases its buffers too).

::

    outer transport (TCP, tunnel)  ->  TLSServer  ->  inner protocol, whose transport is the TLSServer

The inner protocol is made when the handshake is over, not before: it can be chosen by ALPN, it never meets a peer who
cannot speak TLS, and nothing can be written that would have to wait for the handshake.

The end of a stream is authenticated: ``close_notify`` (RFC 8446 section 6.1) ends the reading side, a bare FIN is a
truncation and becomes ``connectionLost`` with `TruncatedTLS`, whatever the inner protocol is.
"""

from __future__ import annotations

import ssl
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.interfaces import IFlowFactory
from ngrok_twisted.net.tls_connection import (
    HANDSHAKE_TIMEOUT,
    HandshakeFailed,
    HandshakeTimeout,
    TLSConnection,
    TruncatedTLS,
)
from ngrok_twisted.net.tls_output import BrokenTLS


class TLSServer(TLSConnection):
    """The server's side. ``TLSServer(context, inner, clock=…)``; the other options are those of `TLSConnection`."""


@implementer(IProtocolFactory)
class TLSServerFactory:
    """A factory around a factory: what it serves is served over TLS."""

    def __init__(
        self, context: ssl.SSLContext, factory: Any, clock: Any, handshake_timeout: float = HANDSHAKE_TIMEOUT
    ) -> None:
        """
        :param factory: the `IProtocolFactory` of the inner protocols; asked when a handshake is over.
        """
        self.context = context
        self.factory = factory
        self.clock = clock
        self.handshake_timeout = handshake_timeout

    def buildProtocol(self, addr: Any) -> TLSServer:
        """IProtocolFactory."""
        return TLSServer(
            self.context,
            lambda transport: self.factory.buildProtocol(addr),
            clock=self.clock,
            handshake_timeout=self.handshake_timeout,
        )

    def doStart(self) -> None:
        """IProtocolFactory."""
        self.factory.doStart()

    def doStop(self) -> None:
        """IProtocolFactory."""
        self.factory.doStop()


def wrap_tls_client(
    endpoint: Any,
    context: ssl.SSLContext,
    server_hostname: str | None,
    *,
    clock: Any,
    handshake_timeout: float = HANDSHAKE_TIMEOUT,
) -> Any:
    """
    Speak TLS, as a client, through an endpoint such as a tunnel.

    :param endpoint: an `IStreamClientEndpoint`.
    :param context: says whether the certificate is checked (``verify_mode``, ``check_hostname``).
    :param server_hostname: the name to ask for and to check; ``None`` for none.
    :param clock: an `IReactorTime`.
    :param handshake_timeout: seconds.
    :return: an `IStreamClientEndpoint`. Its ``connect`` fires with the protocol when the handshake is over, and fails with
        what the inner endpoint fails with, `ssl.SSLError`, `HandshakeTimeout` or another ``ConnectionLost``. A factory
        that provides `IFlowFactory` is seen as one by the inner endpoint too.
    """
    return _TLSClientEndpoint(endpoint, context, server_hostname, clock, handshake_timeout)


@implementer(IStreamClientEndpoint)
class _TLSClientEndpoint:
    """See `wrap_tls_client`."""

    def __init__(
        self, endpoint: Any, context: ssl.SSLContext, server_hostname: str | None, clock: Any, handshake_timeout: float
    ) -> None:
        self._endpoint = endpoint
        self.context = context
        self.options = {"server_hostname": server_hostname, "clock": clock, "handshake_timeout": handshake_timeout}

    def connect(self, factory: Any) -> Deferred[Any]:
        """IStreamClientEndpoint."""
        attempt = (_FlowAttempt if IFlowFactory.providedBy(factory) else _Attempt)(self, factory)
        connecting = self._endpoint.connect(attempt)
        attempt.connecting = connecting
        connecting.addErrback(attempt.failed)
        return attempt.finished


@implementer(IProtocolFactory)
class _Attempt:
    """
    One connection being made.

    :ivar finished: fires with the inner protocol.
    :ivar connecting: the inner endpoint's Deferred.
    """

    def __init__(self, endpoint: _TLSClientEndpoint, factory: Any) -> None:
        self._endpoint = endpoint
        self._factory = factory
        self._protocol: Any = None
        self._connection: TLSConnection | None = None
        self.connecting: Deferred[Any] | None = None
        self.finished: Deferred[Any] = Deferred(self._cancel)

    def buildProtocol(self, addr: Any) -> TLSConnection:
        """IProtocolFactory."""

        def build(transport: Any) -> Any:
            self._protocol = self._factory.buildProtocol(addr)
            return self._protocol

        self._connection = TLSConnection(
            self._endpoint.context, build, server_side=False, on_handshake=self._shaken, **self._endpoint.options
        )
        return self._connection

    def doStart(self) -> None:
        """IProtocolFactory."""
        self._factory.doStart()

    def doStop(self) -> None:
        """IProtocolFactory."""
        self._factory.doStop()

    def failed(self, reason: Failure) -> None:
        """The inner endpoint could not connect."""
        if not self.finished.called:
            self.finished.errback(reason)

    def _shaken(self, reason: Failure | None) -> None:
        if self.finished.called:
            return
        if reason is None:
            self.finished.callback(self._protocol)
        else:
            self.finished.errback(reason)

    def _cancel(self, finished: Deferred[Any]) -> None:
        if self._connection is not None and self._connection.transport is not None:
            self._connection.abortConnection()
        elif self.connecting is not None:
            self.connecting.cancel()


@implementer(IFlowFactory)
class _FlowAttempt(_Attempt):
    """The same for a flow."""

    @property
    def flow(self) -> Any:
        """IFlowFactory."""
        return self._factory.flow


__all__ = [
    "HANDSHAKE_TIMEOUT",
    "BrokenTLS",
    "HandshakeFailed",
    "HandshakeTimeout",
    "TLSConnection",
    "TLSServer",
    "TLSServerFactory",
    "TruncatedTLS",
    "wrap_tls_client",
]
