"""
`Clients`: the agents that are let in, by the ids that they come back with.

An agent that lost its connection comes back with the ``ClientId`` that it was given, often before this server knows that the
old connection is dead. So the old one goes first: what it carried is free when the agent asks for it again (specification of
the agent protocol, section 7.2).
"""

from __future__ import annotations

from typing import Any, Callable, Iterator

from twisted.logger import Logger

from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.records.ids import new_id
from ngrok_twisted.roster import Roster
from ngrok_twisted.transports.agent.endpoints import Endpoints
from ngrok_twisted.transports.agent.legs import Leg, Legs
from ngrok_twisted.transports.agent.messages import Auth
from ngrok_twisted.transports.agent.seals import Known, Seals
from ngrok_twisted.transports.agent.session import AgentSession
from ngrok_twisted.transports.agent.settings import AgentSettings

#: ngrok's number for too many agent sessions at the same time.
TOO_MANY_SESSIONS = 108

#: What an agent reads on a connection that is no longer needed.
REPLACED = "The agent has come on another connection."


class Clients:
    """
    Every agent of the server.
    """

    _log = Logger()

    def __init__(
        self,
        *,
        config: Any,
        settings: AgentSettings,
        reservations: Any,
        tunnels: Any,
        sessions: Any,
        seals: Seals,
        spare: Callable[[Any], bool],
        clock: Any,
    ) -> None:
        """
        :param config: see `ngrok_twisted.transports.agent.kind.Config`.
        :param sessions: the `ngrok_twisted.iam.sessions.Sessions`, or ``None``: says who may not come in, and is told of every
            session.
        :param spare: see `AgentSession`.
        """
        self._config = config
        self._settings = settings
        self._reservations = reservations
        self._tunnels = tunnels
        self._sessions = sessions
        self._seals = seals
        self._spare = spare
        self._clock = clock
        self._here = Roster(clock)
        self._by_id: dict[str, AgentSession] = {}
        self._forget: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self._here)

    def __iter__(self) -> Iterator[AgentSession]:
        return iter(self._here)

    def admit(self, auth: Auth, principal: Principal, connection: Any) -> tuple[AgentSession, Leg]:
        """
        Let an agent in that has proved who it is.

        :param connection: where it came.
        :return: its session, which may be one that it has on other connections, and this connection's leg of it.
        :raises Refused: 115 or 108, it may not.
        """
        refused = self._turned_away(principal, connection)
        if refused is not None:
            raise refused
        id = self._proven(auth, principal)
        self._make_way(id, auth.leg, principal)
        session = self._by_id.get(id)
        if session is None:
            self._check_room(principal)
            session = self._start(id or new_id("ts", self._clock.seconds()), auth, principal, connection)
        leg = Leg(connection, auth.leg)
        session.join(leg)
        return session, leg

    def cookie(self, session: AgentSession) -> str:
        """What lets the agent of a session come back to it."""
        return self._seals.cookie(Known(client_id=session.id, account_id=session.principal.account_id))

    def _turned_away(self, principal: Principal, connection: Any) -> Refused | None:
        if self._sessions is None:
            return None
        refused: Refused | None = self._sessions.refusal(principal.account_id, connection.peer_host)
        return refused

    def _proven(self, auth: Auth, principal: Principal) -> str:
        """The id of the session that the agent comes back to, empty where nothing proves it."""
        if not auth.client_id:
            return ""
        known = self._seals.knows(auth.cookie, client_id=auth.client_id, account_id=principal.account_id)
        return auth.client_id if known else ""

    def _make_way(self, id: str, leg: int, principal: Principal) -> None:
        """What the agent has left behind, and what it has under another authtoken, ends."""
        session = self._by_id.get(id)
        if session is None:
            return
        if session.principal != principal:
            session.close(REPLACED)
            return
        old = session.legs.find(leg)
        if old is not None:
            session.leave(old)
            old.connection.close(REPLACED)

    def _check_room(self, principal: Principal) -> None:
        limit = self._config.max_sessions_per_credential
        here = self._here if self._sessions is None else self._sessions
        if here.count(principal.credential_id) >= limit:
            raise Refused(
                TOO_MANY_SESSIONS,
                f"This authtoken has {limit} agent sessions already, and may not have more. Close one first.",
            )

    def _start(self, id: str, auth: Auth, principal: Principal, connection: Any) -> AgentSession:
        session = AgentSession(
            id=id,
            principal=principal,
            auth=auth,
            peer_host=connection.peer_host,
            legs=Legs(self._clock, self._config.max_waiting_streams, self._config.stream_wait_seconds),
            make_endpoints=self._make_endpoints,
            when_over=self._over,
            spare=self._spare,
            clock=self._clock,
        )
        self._by_id[id] = session
        self._here.arrived(session, principal.credential_id)
        if self._sessions is not None:
            self._forget[id] = self._sessions.track(session)
        self._log.info(
            "session {session} of {credential} from {peer}: {agent}",
            session=id,
            credential=principal.credential_id,
            peer=session.peer_host,
            agent=session.agent_version,
        )
        return session

    def _make_endpoints(self, session: AgentSession) -> Endpoints:
        return Endpoints(
            session,
            settings=self._settings,
            most=self._config.max_endpoints_per_session,
            most_per_minute=self._config.max_binds_per_minute,
            reservations=self._reservations,
            tunnels=self._tunnels,
            seals=self._seals,
            clock=self._clock,
        )

    def _over(self, session: AgentSession) -> None:
        del self._by_id[session.id]
        self._here.left(session)
        forget = self._forget.pop(session.id, None)
        if forget is not None:
            forget()
        self._log.info("session {session} has ended", session=session.id)
