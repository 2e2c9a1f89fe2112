"""
`Endpoints`: what one agent has published, and how each endpoint and labelled tunnel comes and goes.

An agent that comes back asks again for what it had, with ids that it was given before. What a token proves is given again
(see `ngrok_twisted.transports.agent.seals`). If one endpoint cannot be had, the others must not suffer: agents give up all of
them when one such request is refused, so it is answered as if it were there, and left unrouted (specification of the agent
protocol, section 7.2).
"""

from __future__ import annotations

import json
from itertools import count
from typing import Any, Iterator

from twisted.logger import Logger

from ngrok_twisted.claim import Claim, Grant
from ngrok_twisted.endpoint_url import SCHEMES
from ngrok_twisted.errors import Refused
from ngrok_twisted.granted import Endings
from ngrok_twisted.net.bucket import Bucket
from ngrok_twisted.records.ids import new_id, related_id
from ngrok_twisted.transports.agent.bind import amended_claim, claim_of, labelled_claim_of
from ngrok_twisted.transports.agent.legs import Leg
from ngrok_twisted.transports.agent.messages import (
    Bind,
    StartTunnelWithLabel,
    read_bind,
    read_labelled,
    read_patch,
)
from ngrok_twisted.transports.agent.replies import label_reply, reply_of
from ngrok_twisted.transports.agent.requests import Reply
from ngrok_twisted.transports.agent.seals import Held, Seals
from ngrok_twisted.transports.agent.settings import AgentSettings
from ngrok_twisted.transports.agent.tunnel import AgentTunnel
from ngrok_twisted.transports.agent.typed import StreamType
from ngrok_twisted.turns import Turns

#: ngrok's numbers: no endpoint with that id, a bad token in a bind, too many endpoints of one session at a time, and in a minute.
NO_ENDPOINT, BAD_TOKEN, TOO_MANY, TOO_FAST = 333, 335, 350, 351

MINUTE = 60.0  # seconds


class Endpoints:
    """
    Those of one session.
    """

    _log = Logger()

    def __init__(
        self,
        session: Any,
        *,
        settings: AgentSettings,
        most: int,
        most_per_minute: int,
        reservations: Any,
        tunnels: Any,
        seals: Seals,
        clock: Any,
    ) -> None:
        """
        :param session: the `IAgentSession` that claims, with its ``legs``.
        :param most: how many there may be at a time.
        :param most_per_minute: how many may be asked for.
        """
        self._session = session
        self._settings = settings
        self._most = most
        self._asking = Bucket(clock, most_per_minute, most_per_minute / MINUTE)
        self._reservations = reservations
        self._tunnels = tunnels
        self._seals = seals
        self._clock = clock
        self._all: dict[str, AgentTunnel] = {}
        self._claiming = 0
        self._turns = Turns(clock)  # legs ask for the same at the same time
        self._endings = Endings(tunnels, reservations, clock)

    def __iter__(self) -> Iterator[AgentTunnel]:
        return iter(tuple(self._all.values()))

    def __len__(self) -> int:
        return len(self._all)

    # -- endpoints -----------------------------------------------------------------------------------------------------

    async def bind(self, leg: Leg, message: Any) -> Reply:
        """
        The agent wants an endpoint, or one that it had.

        :param leg: where it asks. When that is gone, what runs here is cancelled.
        :return: the reply; as soon as the agent has read it, visitors may come.
        :raises Refused: it cannot have it.
        """
        bind = read_bind(message)
        if not bind.id:
            return self._granted(leg, bind, await self._claim(bind, None))
        async with self._turns.at(bind.id):
            return await self._again(leg, bind)

    async def _again(self, leg: Leg, bind: Bind) -> Reply:
        """An endpoint that the agent had before, or has on another leg."""
        held = self._seals.held(
            bind.token, account_id=self._session.principal.account_id, agent_id=bind.id, proto=bind.proto
        )
        known = self._all.get(bind.id)
        if known is not None:
            if held is None:
                raise Refused(BAD_TOKEN, f"The token does not prove that '{bind.id}' is the agent's endpoint.")
            return self._reply(leg, bind, known)
        try:
            grant = await self._claim(bind, held)
        except Refused as refused:
            if bind.proto not in SCHEMES:
                raise
            return self._unrouted(leg, bind, refused)
        return self._granted(leg, bind, grant)

    async def _claim(self, bind: Bind, held: Held | None) -> Grant:
        claim = claim_of(bind, self._settings, held.former if held is not None else None)
        return await self._claimed(claim)

    async def _claimed(self, claim: Claim) -> Grant:
        if len(self._all) + self._claiming >= self._most:
            raise Refused(TOO_MANY, f"This agent has {self._most} endpoints already, and may not have more.")
        if not self._asking.spend(1):
            raise Refused(
                TOO_FAST, "This agent asks for too many endpoints in a short time. Please try again in a minute."
            )
        self._claiming += 1
        try:
            grant: Grant = await self._reservations.claim(self._session, claim)
        finally:
            self._claiming -= 1
        return grant

    def _granted(self, leg: Leg, bind: Bind, grant: Grant) -> Reply:
        assert grant.endpoint is not None
        id = related_id("tn", grant.endpoint.id)
        return self._reply(leg, bind, self._add(grant, id, bind.id or id))

    def _reply(self, leg: Leg, bind: Bind, tunnel: AgentTunnel) -> Reply:
        self._bound(tunnel, leg)
        message = reply_of(bind, tunnel.grant, self._token(bind, tunnel), tunnel.agent_id, tunnel.url)
        return Reply(message=message, when_read=lambda: self._route(tunnel, leg))

    def _token(self, bind: Bind, tunnel: AgentTunnel) -> str:
        endpoint = tunnel.grant.endpoint
        assert endpoint is not None
        return self._seals.token(
            Held(
                account_id=self._session.principal.account_id,
                agent_id=tunnel.agent_id,
                endpoint_id=endpoint.id,
                proto=bind.proto,
                host=endpoint.host,
                port=endpoint.port,
                random=tunnel.grant.random,
            )
        )

    def _unrouted(self, leg: Leg, bind: Bind, refused: Refused) -> Reply:
        """See the module. Whether the agent's user learns of it depends on the agent."""
        self._log.warn(
            "session {session} cannot have endpoint {id} again: {reason}",
            session=self._session.id,
            id=bind.id,
            reason=str(refused).replace("\n", " "),
        )
        stop = {"Id": bind.id, "Message": refused.message, "ErrorCode": refused.name or None}
        return Reply(
            message=reply_of(bind, None, bind.token, bind.id, ""),
            when_read=lambda: leg.connection.tell(StreamType.STOP_TUNNEL, stop),
        )

    # -- labelled tunnels ----------------------------------------------------------------------------------------------

    async def start_labelled(self, leg: Leg, message: Any) -> Reply:
        """
        The agent wants a labelled tunnel. It says so without an id even if it had one before, or has it on another leg.

        :raises Refused: it cannot have it.
        """
        wish = read_labelled(message)
        claim = labelled_claim_of(wish)
        for number in count():
            id = _labelled_id(self._session.id, wish, number)
            if self._is_another(id, leg):
                continue
            async with self._turns.at(
                id
            ):  # an endpoint may be about to be called so, since agents call them as they like
                if not self._is_another(id, leg):
                    return await self._labelled(leg, claim, id)
        raise AssertionError("numbers have no end")

    def _is_another(self, id: str, leg: Leg) -> bool:
        """Whether this is not the labelled tunnel that a leg is asking for."""
        tunnel = self._all.get(id)
        return tunnel is not None and (leg in tunnel.bound or tunnel.grant.endpoint is not None)

    async def _labelled(self, leg: Leg, claim: Claim, id: str) -> Reply:
        tunnel = self._all.get(id) or self._add(await self._claimed(claim), id, id)
        self._bound(tunnel, leg)
        return Reply(message=label_reply(id), when_read=lambda: self._route(tunnel, leg))

    # -- what the agent changes ----------------------------------------------------------------------------------------

    async def unbind(self, id: str) -> None:
        """
        The agent no longer serves an endpoint, on whatever leg; one that nobody knows is gone already.

        :param id: what the agent calls it.
        """
        async with self._turns.at(id):
            tunnel = self._all.get(id)
            if tunnel is not None:
                self._end(tunnel, release=True)

    async def patch(self, message: Any) -> None:
        """
        The agent changes what it said of an endpoint.

        :raises Refused: 333 there is no such endpoint, or what does not fit.
        """
        patch = read_patch(message)
        async with self._turns.at(patch.id):
            tunnel = self._all.get(patch.id)
            if tunnel is None:
                raise Refused(NO_ENDPOINT, f"This agent has no endpoint '{patch.id}'.")
            claim = amended_claim(tunnel.grant.claim, patch)
            tunnel.stand_on(await self._reservations.amend(tunnel.grant, claim))
            self._tunnels.amended(tunnel)

    # -- up and down ---------------------------------------------------------------------------------------------------

    def _add(self, grant: Grant, id: str, agent_id: str) -> AgentTunnel:
        now = self._clock.seconds()
        if self._tunnels.is_here(id):
            id = new_id("tn", now)
        tunnel = AgentTunnel(
            id=id,
            agent_id=agent_id,
            principal=self._session.principal,
            grant=grant,
            legs=self._session.legs,
            started_at=now,
        )
        tunnel.when_closed = lambda tunnel, reason: self.withdraw(tunnel.grant, reason, release=True)
        self._all[agent_id] = tunnel
        return tunnel

    def _bound(self, tunnel: AgentTunnel, leg: Leg) -> None:
        """
        The agent is about to be told that it has it. Users try a URL as soon as they see it, and wait until `_route`. A
        labelled tunnel has none, and there may be others who need not be waited for.
        """
        tunnel.bind(leg)
        if tunnel.grant.endpoint is not None:
            self._online(tunnel)

    def _online(self, tunnel: AgentTunnel) -> None:
        if self._tunnels.get(tunnel.id) is not tunnel:
            self._tunnels.online(tunnel)

    def _route(self, tunnel: AgentTunnel, leg: Leg) -> None:
        """The agent has the reply: from now on it knows what to do with visitors (specification, section 7.3)."""
        if tunnel.is_open and leg in tunnel.bound:
            tunnel.carry(leg)
            self._online(tunnel)
            self._session.legs.room_made()

    def withdraw(self, grant: Grant, reason: str, release: bool) -> None:
        """
        Take an endpoint away from the agent, and tell it; not every agent listens.

        :param release: the grant is still ours to give back.
        """
        tunnel = next((tunnel for tunnel in self._all.values() if tunnel.grant is grant), None)
        if tunnel is None:
            return
        bound = tuple(tunnel.bound)
        self._end(tunnel, release)
        message = {"Id": tunnel.agent_id, "Message": reason, "ErrorCode": None}
        for leg in bound:
            leg.connection.tell(StreamType.STOP_TUNNEL, message)

    def leg_gone(self, leg: Leg) -> None:
        """A leg is gone: what no other one carries ends."""
        for tunnel in self:
            if tunnel.leave(leg):
                self._end(tunnel, release=True)

    def close(self) -> None:
        """The session is over, and its streams end with its connections."""
        for tunnel in self:
            self._end(tunnel, release=True)
        self._endings.settle()

    def _end(self, tunnel: AgentTunnel, release: bool) -> None:
        del self._all[tunnel.agent_id]
        self._endings.take_down(tunnel)
        if release:
            self._endings.give_back(tunnel.grant)


def _labelled_id(session_id: str, wish: StartTunnelWithLabel, number: int) -> str:
    """
    The id of a labelled tunnel: the same whenever the agent of a session asks for the same.

    :param number: tells those apart for which an agent asks with the same words.
    """
    words = [sorted(wish.labels.items()), wish.forwards_to, wish.metadata, number]
    return related_id("tn", session_id, json.dumps(words, separators=(",", ":")))
