"""
`AgentSession`: one agent that is let in, over all its connections.
"""

from __future__ import annotations

from typing import Any, Callable, Sequence

from zope.interface import implementer

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.python.failure import Failure

from ngrok_twisted.claim import Grant
from ngrok_twisted.errors import TunnelLost
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.interfaces import IAgentSession
from ngrok_twisted.transports.agent.endpoints import Endpoints
from ngrok_twisted.transports.agent.legs import Leg, Legs
from ngrok_twisted.transports.agent.messages import Auth
from ngrok_twisted.transports.agent.orders import give


@implementer(IAgentSession)
class AgentSession:
    """
    :ivar id: ``ts_…``; the agent keeps it as its ``ClientId``, and comes back with it.
    :ivar principal: whose credential let the agent in.
    :ivar peer_host: the agent's IP address.
    :ivar transport: ``ngrok/2`` or ``ngrok/3``, by the version of the protocol.
    :ivar agent_version: what the agent calls itself and its version.
    :ivar legs: its connections.
    :ivar endpoints: what it has published.
    """

    def __init__(
        self,
        *,
        id: str,
        principal: Principal,
        auth: Auth,
        peer_host: str,
        legs: Legs,
        make_endpoints: Callable[[AgentSession], Endpoints],
        when_over: Callable[[AgentSession], None],
        spare: Callable[[Any], bool],
        clock: Any,
    ) -> None:
        """
        :param auth: how the agent introduced itself.
        :param spare: called with a tunnel, ends a stream that only waits for later use; tells whether there was one.
        :param when_over: called once, when its last connection is gone or it was closed.
        """
        self.id = id
        self.principal = principal
        self.peer_host = peer_host
        self.transport = f"ngrok/{auth.protocol}"
        self.agent_version = auth.agent_version
        self.os = auth.os
        self.metadata = auth.metadata
        self.started_at: float = clock.seconds()
        self.legs = legs
        self.legs.when_full = lambda: any(map(spare, self.endpoints))
        self.endpoints = make_endpoints(self)
        self._auth = auth
        self._when_over = when_over
        self._over = False

    # -- its connections -----------------------------------------------------------------------------------------------

    def join(self, leg: Leg) -> None:
        """The agent has come on another connection."""
        self.legs.add(leg)

    def leave(self, leg: Leg) -> None:
        """
        A connection is gone, or is to be: what no other one carries ends at once. With the last one the session is over.
        Harmless when repeated.
        """
        leg.give_up()
        if leg not in self.legs:
            return
        self.legs.remove(leg)
        self.endpoints.leg_gone(leg)
        if not len(self.legs):
            self._end()

    def _end(self) -> None:
        if self._over:
            return
        self._over = True
        self.endpoints.close()
        self._when_over(self)

    # -- IAgentSession -------------------------------------------------------------------------------------------------

    def probe(self) -> Deferred[None]:
        """IAgentSession. It is alive if one of its connections is."""
        if not len(self.legs):
            return fail(TunnelLost())
        return _first([leg.connection.probe() for leg in self.legs])

    def revoke(self, grant: Grant, reason: str) -> None:
        """IAgentSession."""
        self.endpoints.withdraw(grant, reason, release=False)

    def close(self, reason: str) -> None:
        """IAgentSession."""
        legs = tuple(self.legs)
        for leg in legs:
            leg.give_up()
            self.legs.remove(leg)
        self._end()
        for leg in legs:
            leg.connection.close(reason)

    def order(self, command: str, version: str) -> Deferred[None]:
        """IAgentSession."""
        return Deferred.fromCoroutine(give(command, version, self._auth, tuple(self.legs)))


def _first(asked: Sequence[Deferred[None]]) -> Deferred[None]:
    """
    :return: a Deferred that fires with the first sign of life, and then nobody waits for the others. It fails with
        `TunnelLost` if there is none.
    """
    answer: Deferred[None] = Deferred(lambda _: give_up())
    waiting = set(asked)

    def give_up() -> None:
        for one in tuple(waiting):
            one.cancel()

    def answered(_: None) -> None:
        if not answer.called:
            answer.callback(None)
            give_up()

    def failed(failure: Failure, one: Deferred[None]) -> None:
        waiting.discard(one)
        if not waiting and not answer.called and not failure.check(CancelledError):
            answer.errback(TunnelLost())

    for one in asked:
        one.addCallbacks(answered, failed, errbackArgs=(one,))
    return answer
