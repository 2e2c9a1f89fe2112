"""
The agents of a worker, as the main process knows them: `RemoteSession` stands for each in the reservations, in the list of
sessions, and so in the API.
"""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import Any, Callable, Mapping

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ngrok_twisted.claim import Claim, Grant
from ngrok_twisted.control.ordered import shielded
from ngrok_twisted.crew.reservations import AMEND, CLAIM, GONE, RELEASE, REVOKE
from ngrok_twisted.crew.sessions import BEGUN, CLOSE, ELSEWHERE, ORDER, OVER, PROBE, SessionCard
from ngrok_twisted.crew.wire import Handler, Wire, WireLost
from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.iam.sessions import Sessions
from ngrok_twisted.interfaces import IAgentSession

#: ngrok's number for an order that the agent was lost with.
ORDER_LOST = 810


@implementer(IAgentSession)
class RemoteSession:
    """
    One agent of a worker.

    :ivar grants: what it has, by number.
    """

    def __init__(self, card: SessionCard, agents: RemoteAgents) -> None:
        """
        :param agents: those of the same worker.
        """
        self.number = card.number
        self.id = card.id
        self.principal: Principal = card.principal
        self.peer_host = card.peer_host
        self.transport = card.transport
        self.agent_version = card.agent_version
        self.os = card.os
        self.metadata = card.metadata
        self.started_at = card.started_at
        self.grants: dict[int, Grant] = {}
        self.claims: set[Deferred[Any]] = set()
        self._agents = agents

    def probe(self) -> Deferred[None]:
        """IAgentSession."""
        return self._agents.wire.ask(PROBE, self.number)

    def revoke(self, grant: Grant, reason: str) -> None:
        """IAgentSession."""
        self._agents.revoke(self, grant, reason)

    def close(self, reason: str) -> None:
        """IAgentSession. What it had is free when this returns, as with a session of this process."""
        self._agents.wire.send(CLOSE, (self.number, reason))
        self._agents.end(self)

    def order(self, command: str, version: str) -> Deferred[None]:
        """IAgentSession."""
        return Deferred.fromCoroutine(self._order(command, version))

    async def _order(self, command: str, version: str) -> None:
        try:
            await self._agents.wire.ask(ORDER, (self.number, command, version))
        except WireLost:
            raise Refused(ORDER_LOST, "The agent was lost before it could be told.") from None


class RemoteAgents:
    """
    All agents of one worker.

    :ivar wire: to the worker.
    """

    _log = Logger()

    def __init__(self, wire: Wire, reservations: Any, sessions: Sessions) -> None:
        """
        :param reservations: the `ngrok_twisted.control.reservations.Reservations`.
        :param sessions: all sessions of the server.
        """
        self.wire = wire
        self._reservations = reservations
        self._sessions = sessions
        self._here: dict[int, RemoteSession] = {}
        self._forget: dict[int, Callable[[], None]] = {}
        self._counts: Counter[str] = Counter()
        self._owners: dict[int, RemoteSession] = {}
        self._numbers = count(1)
        wire.when_lost(self._lost)

    def __len__(self) -> int:
        return len(self._here)

    def handlers(self) -> Mapping[str, Handler]:
        """What the wire to the worker needs."""
        return {
            BEGUN: self._begun,
            OVER: self._over,
            CLAIM: self._claim,
            RELEASE: self._release,
            AMEND: lambda said, _: Deferred.fromCoroutine(self._amend(*said)),
        }

    # -- sessions ------------------------------------------------------------------------------------------------------

    def count_others(self, credential_ids: Any) -> None:
        """Tell the worker how many sessions credentials have elsewhere."""
        others = {id: self._sessions.count(id) - self._counts[id] for id in credential_ids}
        if others:
            self.wire.send(ELSEWHERE, others)

    def is_here(self, session: Any) -> bool:
        """Whether a session is one of these."""
        return isinstance(session, RemoteSession) and self._here.get(session.number) is session

    def end(self, session: RemoteSession) -> None:
        """A session is over: what it had is given back, and what it asked for is not given. Harmless when repeated."""
        forget = self._forget.pop(session.number, None)
        if forget is None:
            return
        for claim in tuple(session.claims):
            claim.cancel()
        grants, session.grants = session.grants, {}
        for number, grant in grants.items():
            self._owners.pop(number, None)
            self._reservations.release(grant)
        self._counts[session.principal.credential_id] -= 1
        del self._here[session.number]
        forget()

    def _begun(self, card: SessionCard, _: int) -> None:
        session = RemoteSession(card, self)
        self._here[session.number] = session
        self._counts[session.principal.credential_id] += 1
        self._forget[session.number] = self._sessions.track(session)

    def _over(self, number: int, _: int) -> None:
        session = self._here.get(number)
        if session is not None:
            self.end(session)

    def _lost(self) -> None:
        for session in tuple(self._here.values()):
            self.end(session)

    # -- what they have ------------------------------------------------------------------------------------------------

    def revoke(self, session: RemoteSession, grant: Grant, reason: str) -> None:
        """A grant is gone: have the worker take it from the agent."""
        for number, held in tuple(session.grants.items()):
            if held is grant:
                del session.grants[number]
                self._owners.pop(number, None)
                self.wire.send(REVOKE, (session.number, number, reason))

    def _claim(self, said: tuple[int, str, Claim], _: int) -> Deferred[tuple[int, Grant]]:
        number, metadata, claim = said
        session = self._here.get(number)
        if session is None:
            raise Refused(None, "The session is over.")
        session.metadata = metadata
        asked: Deferred[Grant] = self._reservations.claim(session, claim)
        session.claims.add(asked)

        def done(result: Any) -> Any:
            session.claims.discard(asked)
            return result

        return asked.addBoth(done).addCallback(lambda grant: self._granted(session, grant))

    def _granted(self, session: RemoteSession, grant: Grant) -> tuple[int, Grant]:
        number = next(self._numbers)
        session.grants[number] = grant
        self._owners[number] = session
        return number, grant

    def _release(self, number: int, _: int) -> Any:
        owner = self._owners.pop(number, None)
        # A worker that ends meanwhile gives it back all the same.
        return None if owner is None else shielded(self._reservations.release(owner.grants.pop(number)))

    async def _amend(self, number: int, claim: Claim) -> tuple[int, Grant]:
        owner = self._owners.get(number)
        if owner is None:
            raise Refused(GONE, "There is no such endpoint any more.")
        grant = await self._reservations.amend(owner.grants[number], claim)
        if number in owner.grants:
            owner.grants[number] = grant
        return number, grant
