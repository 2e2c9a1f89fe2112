"""
`Lead`: what the main process needs to have workers beside it; `Alone`: the same for a server of one process, which is nothing.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Mapping, Sequence

from twisted.internet.defer import Deferred, succeed

from ngrok_twisted.control.config import Config
from ngrok_twisted.crew.abroad import AbroadOfMain
from ngrok_twisted.crew.agents import RemoteAgents
from ngrok_twisted.crew.departures import DealingFront, DealingPlainFront, DealtAgents, DealtPort, Departures
from ngrok_twisted.crew.boot import PING, Boot, boot_of
from ngrok_twisted.crew.crew import Crew
from ngrok_twisted.crew.dealing import Dealer
from ngrok_twisted.crew.records import Published
from ngrok_twisted.crew.reports import NUMBERS, report_handlers
from ngrok_twisted.crew.wire import Handler, Wire
from ngrok_twisted.edge.homes import MAIN, Homes
from ngrok_twisted.edge.plane import EdgePlane
from ngrok_twisted.iam.sessions import Sessions
from ngrok_twisted.observability.scraping import Elsewhere
from ngrok_twisted.runtime import Runtime
from ngrok_twisted.tunnels import Tunnels

SECONDS = 1

#: For a worker to tell its numbers; Prometheus waits 10 s. One that does not is left out.
NUMBERS_WAIT = 2 * SECONDS

#: As many as the hash gives with which ticket keys are made of it.
TICKETS_BYTES = 32

#: How long a caller of the API waits for workers to serve what it has changed; one that hangs is not waited for.
IN_FORCE_WAIT = 2 * SECONDS


class Alone:
    """
    One process does everything, and nothing stands in between.

    :ivar crew: the `Crew` to start and to end, or ``None``.
    :ivar numbers: asks the workers what they add to the metrics, or ``None``. Its Deferred never fails.
    :ivar tickets: with it all processes resume the TLS sessions of each other; empty where there is one.
    """

    crew: Crew | None = None
    tickets = b""
    numbers: Callable[[], Deferred[Sequence[Elsewhere]]] | None = None

    def share(self, serving: Any) -> None:
        """
        Let the others ask for what this process has.

        :param serving: the `ngrok_twisted.serving.Serving`.
        """

    def around_port(self, factory: Any) -> Any:
        """What a public TCP port has as its factory."""
        return factory

    def around_agents(self, kind: str, factory: Any) -> Any:
        """
        What a listener for agents has as its factory.

        :param kind: ``ssh`` or ``agent``.
        """
        return factory

    def secure_front(self, plane: EdgePlane) -> Any:
        """The factory of the listeners for https and tls names."""
        return plane.secure_front

    def plain_front(self, plane: EdgePlane) -> Any:
        """The factory of the listeners for http names."""
        return plane.plain_front

    def published(self, plane: EdgePlane) -> Any:
        """The `ngrok_twisted.interfaces.IEdgePlane` that the control plane has."""
        return plane

    def in_force(self) -> Deferred[Any]:
        """
        :return: a Deferred that fires when all processes serve the records that this one does. It never fails.
        """
        return succeed(None)

    def govern(
        self,
        reservations: Any,
        sessions: Sessions,
        publisher: Any,
        used: Callable[[str, float], None],
        fresh_keys: Callable[[], Any],
    ) -> None:
        """
        What workers may ask the control plane for.

        :param reservations: the `ngrok_twisted.control.reservations.Reservations`.
        :param publisher: the `ngrok_twisted.observability.publisher.Publisher`.
        :param used: see `ngrok_twisted.iam.last_use.LastUse`.
        :param fresh_keys: see `ngrok_twisted.iam.checkers.SSHKeyChecker`.
        """


class Lead(Alone):
    """
    :ivar crew: the `Crew`.
    """

    crew: Crew

    def __init__(self, config: Config, tunnels: Tunnels, runtime: Runtime) -> None:
        """
        :param tunnels: the live table of this process.
        """
        reactor = runtime.reactor
        self.tickets = os.urandom(TICKETS_BYTES)
        self._config = config
        self._tunnels = tunnels
        self._reactor = reactor
        self._plane: Any = None
        self._published: Any = None
        self._sessions: Sessions | None = None
        self._agents: dict[int, RemoteAgents] = {}
        seconds = config.timeouts.restart
        self.crew = Crew(reactor, config.workers - 1, self._boot, self._follow, self._expect, seconds)
        dealer = Dealer(self._sessions_at, reactor.seconds)
        self._abroad = abroad = AbroadOfMain(tunnels, reactor)
        homes = Homes(tunnels, runtime.random, abroad.hear)
        self._departures = Departures(self.crew.wires, homes, dealer.next, reactor, abroad.has_told)
        self.crew.handlers_for.append(lambda place, wire: abroad.handlers_for(place))
        self.crew.subscribe(ready=abroad.ready, gone=abroad.gone)
        self.numbers = lambda: self.crew.ask_all(NUMBERS, NUMBERS_WAIT)

    # -- the data plane ------------------------------------------------------------------------------------------------

    def share(self, serving: Any) -> None:
        """Alone."""
        self._abroad.share(serving)

    def around_port(self, factory: Any) -> Any:
        """Alone."""
        return DealtPort(factory, self._departures)

    def around_agents(self, kind: str, factory: Any) -> Any:
        """Alone."""
        return DealtAgents(factory, kind, self._departures)

    def secure_front(self, plane: EdgePlane) -> Any:
        """Alone."""
        return DealingFront(plane, self._reactor, self._departures)

    def plain_front(self, plane: EdgePlane) -> Any:
        """Alone."""
        return DealingPlainFront(plane.plain_front, plane, self._departures)

    def published(self, plane: EdgePlane) -> Published:
        """Alone."""
        self._plane = plane
        self._published = Published(plane, self._reactor)
        return self._published

    def in_force(self) -> Deferred[Any]:
        """Alone. What workers are asked comes to them behind the records."""
        return self.crew.ask_all(PING, IN_FORCE_WAIT)

    # -- the control plane ---------------------------------------------------------------------------------------------

    def govern(
        self,
        reservations: Any,
        sessions: Sessions,
        publisher: Any,
        used: Callable[[str, float], None],
        fresh_keys: Callable[[], Any],
    ) -> None:
        """Alone."""
        self._sessions = sessions

        def agents_of(place: int, wire: Wire) -> Mapping[str, Handler]:
            agents = self._agents[place] = RemoteAgents(wire, reservations, sessions)
            wire.when_lost(lambda: self._agents.pop(place, None))
            return agents.handlers()

        self.crew.handlers_for.append(agents_of)
        self.crew.handlers_for.append(lambda place, wire: report_handlers(place, publisher, used, fresh_keys))
        self.crew.subscribe(ready=lambda place, wire: self._agents[place].count_others(sessions.credential_ids()))
        sessions.subscribe(self._session_changed)

    def _session_changed(self, session: Any, ended: bool, reason: str) -> None:
        """Workers whose session it is not count it, too."""
        for agents in self._agents.values():
            if not agents.is_here(session):
                agents.count_others([session.principal.credential_id])

    def _sessions_at(self, place: int) -> int:
        if place != MAIN:
            agents = self._agents.get(place)
            return 0 if agents is None else len(agents)
        assert self._sessions is not None
        return len(self._sessions) - sum(map(len, self._agents.values()))

    # -- workers -------------------------------------------------------------------------------------------------------

    def _boot(self, place: int) -> Boot:
        return boot_of(place, self._config, tuple(port for port in self._plane.front_ports() if port), self.tickets)

    def _follow(self, wire: Wire) -> None:
        self._published.tell(wire)

    def _expect(self, place: int) -> None:
        """Visitors wait for the agents of a worker that is to be replaced, who come to another one."""
        timeouts = self._config.timeouts
        there = [tunnel for tunnel in self._tunnels if getattr(tunnel, "place", MAIN) == place]
        self._plane.expect(there, timeouts.restart + timeouts.restart_return)
