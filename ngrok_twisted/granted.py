"""
`GrantedTunnel`: what the tunnels of all transports have in common, since each stands on a `Grant` of the reservations; and
`Endings`, how they end.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Callable, Mapping
from weakref import WeakSet

from zope.interface import implementer

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory
from twisted.logger import Logger

from ngrok_twisted.claim import Grant
from ngrok_twisted.errors import EdgeError
from ngrok_twisted.flow import Flow
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.interfaces import ITunnel
from ngrok_twisted.records.endpoint import Upstream

SECONDS = 1

#: How long streams of a tunnel that was taken down may go on.
FINISH_STREAMS = 5 * SECONDS

_NO_LABELS: Mapping[str, str] = MappingProxyType({})


def _nobody_cares(tunnel: Any, what: Any) -> None:
    """Whoever wants to know what becomes of a tunnel says so."""


@implementer(ITunnel)
class GrantedTunnel:
    """
    A tunnel without the way to the agent, which a transport adds: `connect`.

    :ivar grant: the `Grant`.
    :ivar when_opened: called with the tunnel and a `Flow` that begins (a stream).
    :ivar when_ended: called with the tunnel and a `Flow` that ended.
    :ivar when_failed: called with the tunnel and the `EdgeError` of a dial that failed.
    :ivar when_closed: called with the tunnel and a reason when somebody else than the agent ends it.
    """

    __slots__ = (
        "id account_id principal session_id started_at when_opened when_ended when_failed when_closed _open _streams "
        "grant endpoint_id labels url upstream metadata forwards_to"
    ).split()
    _log = Logger()

    body_wait = 0.0
    crowded = False

    def __init__(self, *, id: str, principal: Principal, grant: Grant, started_at: float) -> None:
        """
        :param principal: whose credential let the agent in.
        :param started_at: seconds since the epoch.
        """
        self.id = id
        self.account_id = principal.account_id
        self.principal = principal
        self.session_id = grant.session_id
        self.started_at = started_at
        self.when_opened: Callable[[Any, Flow], None] = _nobody_cares
        self.when_ended: Callable[[Any, Flow], None] = _nobody_cares
        self.when_failed: Callable[[Any, EdgeError], None] = _nobody_cares
        self.when_closed: Callable[[Any, str], None] = _nobody_cares
        self._open = True
        self._streams: WeakSet[Any] | None = None  # an empty one takes as much memory as the tunnel
        self.stand_on(grant)

    def stand_on(self, grant: Grant) -> None:
        """Be what a grant says: the first one, or the one that it became."""
        self.grant = grant
        self.endpoint_id: str | None = grant.endpoint.id if grant.endpoint is not None else None
        self.labels: Mapping[str, str] = (
            MappingProxyType(dict(grant.claim.labels)) if grant.claim.labels else _NO_LABELS
        )
        self.url = grant.url
        self.upstream: Upstream = grant.claim.upstream
        self.metadata = grant.claim.metadata
        self.forwards_to = grant.claim.forwards_to

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """ITunnel."""
        raise NotImplementedError

    def observe(self, flow: Flow) -> None:
        """ITunnel."""
        if self.when_ended is _nobody_cares:
            return  # at every request, among thousands of tunnels: two steps less, which are never warm
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
        streams, self._streams = self._streams, None
        for protocol in tuple(streams or ()):
            if protocol.transport is not None:
                protocol.transport.loseConnection()

    def remember_stream(self, protocol: Any) -> None:
        """A stream was opened: `abort_streams` is to end it if nothing else does."""
        if self._streams is None:
            self._streams = WeakSet()
        try:
            self._streams.add(protocol)
        except TypeError:  # a protocol with slots and no weak references ends with its visitor
            pass


class Endings:
    """
    How the tunnels of one agent end: nobody new comes at once, streams may go on for a little, and grants are given back.
    """

    __slots__ = ("_tunnels", "_reservations", "_clock", "_calls")
    _log = Logger()

    def __init__(self, tunnels: Any, reservations: Any, clock: Any) -> None:
        """
        :param tunnels: the `ngrok_twisted.tunnels.Tunnels`.
        :param reservations: the `IReservations`.
        :param clock: an `IReactorTime`.
        """
        self._tunnels = tunnels
        self._reservations = reservations
        self._clock = clock
        self._calls: dict[Any, None] = {}

    def take_down(self, tunnel: GrantedTunnel) -> None:
        """A tunnel is offline from now on; its streams have `FINISH_STREAMS` to end by themselves."""
        self._tunnels.offline(tunnel)
        tunnel.shut()

        def finish() -> None:
            self._calls.pop(call, None)
            tunnel.abort_streams()

        call = self._clock.callLater(FINISH_STREAMS, finish)
        self._calls[call] = None

    def give_back(self, grant: Grant) -> None:
        """A grant is no longer needed."""
        maybeDeferred(self._reservations.release, grant).addErrback(
            lambda failure: self._log.failure("a grant could not be given back", failure)
        )

    def settle(self) -> None:
        """The agent's connections are gone, and all streams with them: there is nothing to wait for."""
        for call in self._calls:
            call.cancel()
        self._calls.clear()
