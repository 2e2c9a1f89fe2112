"""
`SSHTunnel`: one public URL whose service stands behind a forward of an SSH connection.
"""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IProtocol, IProtocolFactory
from twisted.python.failure import Failure

from ngrok_twisted.claim import Grant
from ngrok_twisted.errors import EdgeError, TunnelLost
from ngrok_twisted.flow import Flow
from ngrok_twisted.granted import GrantedTunnel
from ngrok_twisted.interfaces import IFlowFactory, ITunnel

#: What the client is told of the visitor when there is none, such as for a health check.
_NOBODY = ("0.0.0.0", 0)


@implementer(ITunnel)
class SSHTunnel(GrantedTunnel):
    """
    A way through an SSH connection to the client's local service.

    The address of the forward is echoed byte for byte in every channel, since clients find the local service by it.
    """

    __slots__ = ("_connection", "_address", "_port")

    def __init__(self, *, id: str, connection: Any, grant: Grant, address: bytes, port: int, started_at: float) -> None:
        """
        :param connection: the authenticated SSH connection, see `ngrok_twisted.transports.ssh.gateway`.
        :param address: the bind address, as it was received.
        :param port: the bind port, or the one allocated for 0.
        :param started_at: seconds since the epoch.
        """
        super().__init__(id=id, principal=connection.principal, grant=grant, started_at=started_at)
        self._connection = connection
        self._address = address
        self._port = port

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """ITunnel."""
        if not self._open:
            return fail(TunnelLost())
        flow: Flow | None = factory.flow if IFlowFactory.providedBy(factory) else None  # type: ignore[attr-defined]
        host, port = (flow.peer_host, flow.peer_port) if flow is not None else _NOBODY
        dialled: Deferred[IProtocol] = self._connection.open_forwarded(self._address, self._port, host, port, factory)
        return dialled.addCallbacks(self._connected, self._failed, callbackArgs=(flow,))

    def _connected(self, protocol: Any, flow: Flow | None) -> Any:
        self.remember_stream(protocol)
        if flow is not None and flow.proto in ("tls", "tcp"):
            self.when_opened(self, flow)
        return protocol

    def _failed(self, failure: Failure) -> Failure:
        if isinstance(failure.value, EdgeError) and self._open:
            self.when_failed(self, failure.value)
        return failure
