"""
`SSHTunnel`: one public URL whose service stands behind a forward of an SSH connection.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Callable, Mapping
from weakref import WeakSet

from zope.interface import implementer

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IProtocol, IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from ngrok_twisted.claim import Grant
from ngrok_twisted.errors import EdgeError, TunnelLost
from ngrok_twisted.flow import Flow
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.interfaces import IFlowFactory, ITunnel
from ngrok_twisted.records.endpoint import Upstream

#: What the client is told of the visitor when there is none, such as for a health check.
_NOBODY = ("0.0.0.0", 0)


@implementer(ITunnel)
class SSHTunnel:
    """
    A way through an SSH connection to the client's local service.

    The address of the forward is echoed byte for byte in every channel, since clients find the local service by it.
    """

    _log = Logger()

    def __init__(self, *, id: str, connection: Any, grant: Grant, address: bytes, port: int, started_at: float) -> None:
        """
        :param connection: the authenticated SSH connection, see `ngrok_twisted.transports.ssh.gateway`.
        :param address: the bind address, as it was received.
        :param port: the bind port, or the one allocated for 0.
        :param started_at: seconds since the epoch.
        """
        principal: Principal = connection.principal
        self.id = id
        self.grant = grant
        self.endpoint_id: str | None = grant.endpoint.id if grant.endpoint is not None else None
        self.account_id = principal.account_id
        self.principal = principal
        self.labels: Mapping[str, str] = MappingProxyType(dict(grant.claim.labels))
        self.url = grant.url
        self.upstream: Upstream = grant.claim.upstream
        self.session_id = grant.session_id
        self.started_at = started_at
        self.metadata = grant.claim.metadata
        self.forwards_to = grant.claim.forwards_to
        #: Called with the tunnel and a `Flow` that begins (a stream) or ended.
        self.when_opened: Callable[[SSHTunnel, Flow], None] = lambda tunnel, flow: None
        self.when_ended: Callable[[SSHTunnel, Flow], None] = lambda tunnel, flow: None
        #: Called with the tunnel and the `EdgeError` of a dial that failed.
        self.when_failed: Callable[[SSHTunnel, EdgeError], None] = lambda tunnel, error: None
        #: Called with the tunnel and a reason when somebody else than the agent ends it.
        self.when_closed: Callable[[SSHTunnel, str], None] = lambda tunnel, reason: None
        self._connection = connection
        self._address = address
        self._port = port
        self._open = True
        self._streams: WeakSet[Any] = WeakSet()

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """ITunnel."""
        if not self._open:
            return fail(TunnelLost())
        flow: Flow | None = factory.flow if IFlowFactory.providedBy(factory) else None  # type: ignore[attr-defined]
        host, port = (flow.peer_host, flow.peer_port) if flow is not None else _NOBODY
        dialled: Deferred[IProtocol] = self._connection.open_forwarded(self._address, self._port, host, port, factory)
        return dialled.addCallbacks(self._connected, self._failed, callbackArgs=(flow,))

    def observe(self, flow: Flow) -> None:
        """ITunnel."""
        try:
            self.when_ended(self, flow)
        except Exception:
            self._log.failure("tunnel {tunnel} could not note a flow", tunnel=self.id)

    def close(self, reason: str) -> None:
        """ITunnel."""
        self.when_closed(self, reason)

    def shut(self) -> None:
        """Accept no new streams; those that are open go on."""
        self._open = False

    def abort_streams(self) -> None:
        """End the streams that are still open."""
        for protocol in tuple(self._streams):
            if protocol.transport is not None:
                protocol.transport.loseConnection()
        self._streams.clear()

    def _connected(self, protocol: Any, flow: Flow | None) -> Any:
        try:
            self._streams.add(protocol)
        except TypeError:  # a protocol with slots and no weak references ends with its visitor
            pass
        if flow is not None and flow.proto in ("tls", "tcp"):
            self.when_opened(self, flow)
        return protocol

    def _failed(self, failure: Failure) -> Failure:
        if isinstance(failure.value, EdgeError) and self._open:
            self.when_failed(self, failure.value)
        return failure
