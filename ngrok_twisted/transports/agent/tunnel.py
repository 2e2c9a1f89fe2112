"""
`AgentTunnel`: one endpoint, or one labelled tunnel, whose service stands behind an agent.
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
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.interfaces import IFlowFactory, ITunnel
from ngrok_twisted.net.timeouts import SECONDS
from ngrok_twisted.transports.agent.legs import Leg, Legs
from ngrok_twisted.transports.agent.proxying import NO_EDGE, client_address, edge_of, proxy_header

# Agents of the Rust family write to the service with Nagle's algorithm on: the second piece of a request would wait for the
# service's kernel to acknowledge the first, which takes 40 ms. Visitors who send the head alone send the body right behind it.
BODY_WAIT = 0.003 * SECONDS


@implementer(ITunnel)
class AgentTunnel(GrantedTunnel):
    """
    :ivar agent_id: what the agent calls it. That is its id, unless the agent brought another one that nothing proved.
    :ivar bound: the legs on which the agent has asked for it.
    :ivar ready: those of them on which the agent is known to expect visitors.
    """

    body_wait = BODY_WAIT

    def __init__(
        self, *, id: str, agent_id: str, principal: Principal, grant: Grant, legs: Legs, started_at: float
    ) -> None:
        """
        :param legs: of the agent's session.
        :param started_at: seconds since the epoch.
        """
        super().__init__(id=id, principal=principal, grant=grant, started_at=started_at)
        self.agent_id = agent_id
        self.bound: set[Leg] = set()
        self.ready: tuple[Leg, ...] = ()
        self._legs = legs

    @property
    def is_open(self) -> bool:
        """Whether it accepts streams."""
        return self._open

    @property
    def crowded(self) -> bool:  # type: ignore[override]
        """ITunnel."""
        return self._legs.crowded

    def bind(self, leg: Leg) -> None:
        """The agent asks for it on a leg."""
        self.bound.add(leg)

    def carry(self, leg: Leg) -> None:
        """From now on visitors may come on this leg."""
        if leg not in self.ready:
            self.ready += (leg,)

    def leave(self, leg: Leg) -> bool:
        """
        A leg is gone.

        :return: whether it was the last.
        """
        if leg not in self.bound:
            return False
        self.bound.discard(leg)
        self.ready = tuple(other for other in self.ready if other is not leg)
        return not self.bound

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """ITunnel. Where no leg has room, it waits for some."""
        if not self._open:
            return fail(TunnelLost())
        flow: Flow | None = factory.flow if IFlowFactory.providedBy(factory) else None  # type: ignore[attr-defined]
        opened = self._legs.open(self, self._header(flow), factory)
        return opened.addCallbacks(self._connected, self._failed, callbackArgs=(flow,))

    def shut(self) -> None:
        """`GrantedTunnel`. Those who wait for room wait in vain."""
        super().shut()
        self._legs.forget(self)

    def _header(self, flow: Flow | None) -> bytes:
        if self.grant.endpoint is None:
            return proxy_header(self.agent_id, client_address(flow), *edge_of(flow))
        claim = self.grant.claim
        passes = claim.proto == "tls" and "tls_termination" not in claim.modules
        return proxy_header(self.agent_id, client_address(flow), claim.proto, NO_EDGE, passes)

    def _connected(self, protocol: Any, flow: Flow | None) -> Any:
        self.remember_stream(protocol)
        if flow is not None and flow.proto in ("tls", "tcp"):
            self.when_opened(self, flow)
        return protocol

    def _failed(self, failure: Failure) -> Failure:
        if isinstance(failure.value, EdgeError) and self._open:
            self.when_failed(self, failure.value)
        return failure
