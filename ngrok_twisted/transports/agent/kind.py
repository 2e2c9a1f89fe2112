"""
The agent transport: ngrok's own agents and SDKs connect unmodified, and publish what their users ask for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Callable, Iterator

from zope.interface import implementer

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ngrok_twisted.errors import InvalidConfig, Refused, StoreUnusable
from ngrok_twisted.hostnames import split_hostport
from ngrok_twisted.interfaces import ITransportKind
from ngrok_twisted.marks import ONE_OR_MANY
from ngrok_twisted.net.chores import Chores
from ngrok_twisted.records.base import Problem
from ngrok_twisted.roster import Roster
from ngrok_twisted.transports.agent.clients import Clients
from ngrok_twisted.transports.agent.factory import AgentConnectionFactory
from ngrok_twisted.transports.agent.gateway import Gateway
from ngrok_twisted.transports.agent.limits import AgentLimits
from ngrok_twisted.transports.agent.seals import Seals
from ngrok_twisted.transports.agent.settings import AgentSettings

SECONDS = 1

#: For connections to close by themselves after they were told; a little more than they linger.
CLOSE_TIMEOUT = 2 * SECONDS

#: ngrok's number for a server that is shutting down.
GOING_DOWN = 803

#: What agents log when the server stops.
SHUTTING_DOWN = "The server is shutting down."

#: Streams that an agent may open for each endpoint that it may ask for: each has to end, and some agents say so three times
#: (specification of the agent protocol, section 3.8, L7).
STREAMS_PER_BIND = 4

#: With the few streams of the server itself this is below what some SDKs survive (specification of the agent protocol,
#: section 3.8, L1).
STREAMS_MAX = 490


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """
    :ivar max_sessions_per_credential: agents with one authtoken at a time; a further one is refused (108).
    :ivar max_endpoints_per_session: endpoints and labelled tunnels of one agent at a time; a further one is refused (350).
    :ivar max_binds_per_minute: endpoints and labelled tunnels that one agent may ask for; more are refused for a while (351).
    :ivar max_streams: connections of visitors that are open at a time on one connection of an agent. Agents of some SDKs end
        all at 512.
    :ivar max_waiting_streams: connections of visitors to one agent that wait until another one ends; more are turned away.
    :ivar stream_wait_seconds: how long they wait.
    :ivar login_grace_seconds: from the connection to a successful login.
    :ivar max_request_bytes: of one request of an agent: traffic policies and certificates are in them.
    :ivar connect_addresses: the ways to this server, each a host and port: agents that are switched to several connections
        open the first one to where their user told them, and one to each address behind the first. Without two or more an
        agent has one connection.
    """

    max_sessions_per_credential: int = 100
    max_endpoints_per_session: int = 200
    max_binds_per_minute: int = 600
    max_streams: int = 480
    max_waiting_streams: int = 480
    stream_wait_seconds: float = 5.0
    login_grace_seconds: float = 30.0
    max_request_bytes: int = 1024 * 1024
    connect_addresses: Annotated[tuple[str, ...], ONE_OR_MANY] = ()

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: with everything that cannot be.
        """
        found = list(_problems(self))
        if found:
            raise InvalidConfig(found)


def _problems(config: Config) -> Iterator[Problem]:
    if not 1 <= config.max_streams <= STREAMS_MAX:
        yield Problem("max_streams", f"must be from 1 to {STREAMS_MAX}")
    if config.max_binds_per_minute < config.max_endpoints_per_session:
        why = "an agent that comes back asks for all of them at once"
        yield Problem("max_binds_per_minute", f"must be at least max_endpoints_per_session: {why}")
    for number, address in enumerate(config.connect_addresses):
        try:
            split_hostport(address)
        except Refused as refused:
            yield Problem(f"connect_addresses[{number}]", refused.message)


class _NoKeys:
    """Seals nothing, and opens nothing."""

    def seal(self, text: str, place: str) -> str:
        """See `ngrok_twisted.transports.agent.seals.Keyring`."""
        return ""

    def open(self, sealed: str, place: str) -> str:
        """See `ngrok_twisted.transports.agent.seals.Keyring`."""
        raise StoreUnusable("there is no key")


@implementer(ITransportKind)
class AgentKind:
    """
    The kind; see `agent`.
    """

    name = "agent"
    Config = Config

    def __call__(
        self,
        config: Any,
        portal: Any,
        reservations: Any,
        tunnels: Any,
        runtime: Any,
        *,
        settings: AgentSettings | None = None,
        sessions: Any = None,
        seals: Seals | None = None,
        spare: Callable[[Any], bool] = lambda tunnel: False,
    ) -> AgentService:
        """
        ITransportKind.

        :param settings: what the rest of the configuration says that agents need to know.
        :param sessions: the `ngrok_twisted.iam.sessions.Sessions`: says who may not come in, and is told of every session.
        :param seals: prove what agents had when they come back; without any, nothing is proven.
        :param spare: called with a tunnel whose agent has no room for another stream: ends one that only waits for later use,
            and tells whether there was one.
        """
        return AgentService(
            config=config,
            settings=settings or AgentSettings(),
            portal=portal,
            reservations=reservations,
            tunnels=tunnels,
            sessions=sessions,
            runtime=runtime,
            seals=seals or Seals(_NoKeys()),
            spare=spare,
        )


#: The agent transport.
agent = AgentKind()


def agent_service(
    config: Any,
    settings: AgentSettings,
    portal: Any,
    reservations: Any,
    tunnels: Any,
    sessions: Any,
    runtime: Any,
    seals: Seals,
    spare: Callable[[Any], bool] = lambda tunnel: False,
) -> AgentService:
    """
    The transport with all that it can be told, see `AgentKind`.
    """
    return agent(
        config,
        portal,
        reservations,
        tunnels,
        runtime,
        settings=settings,
        sessions=sessions,
        seals=seals,
        spare=spare,
    )


class AgentService(Service):
    """
    Every agent of the server.

    :ivar factory: accepts connections of agents, once TLS is off them, for whoever owns the listeners.
    """

    _log = Logger()

    def __init__(
        self,
        *,
        config: Any,
        settings: AgentSettings,
        portal: Any,
        reservations: Any,
        tunnels: Any,
        sessions: Any,
        runtime: Any,
        seals: Seals,
        spare: Callable[[Any], bool],
    ) -> None:
        super().__init__()
        self._clock = runtime.reactor
        self._settings = settings
        self._addresses = tuple((settings.region, address) for address in config.connect_addresses)
        self._portal = portal
        self._clients = Clients(
            config=config,
            settings=settings,
            reservations=reservations,
            tunnels=tunnels,
            sessions=sessions,
            seals=seals,
            spare=spare,
            clock=runtime.reactor,
        )
        self._gateways = Roster(runtime.reactor)
        self._draining = False
        limits = AgentLimits(
            login_grace=config.login_grace_seconds,
            max_streams=config.max_streams,
            max_request_bytes=config.max_request_bytes,
            opened_at_once=max(AgentLimits().opened_at_once, STREAMS_PER_BIND * config.max_binds_per_minute),
        )
        self.factory = AgentConnectionFactory(self._make_gateway, runtime.reactor, limits)

    def __len__(self) -> int:
        return len(self._clients)

    def _make_gateway(self, connection: Any) -> Gateway:
        gateway = Gateway(
            connection,
            portal=self._portal,
            clients=self._clients,
            settings=self._settings,
            addresses=self._addresses,
            refusal=lambda: Refused(GOING_DOWN, SHUTTING_DOWN) if self._draining else None,
            when_gone=self._gateways.left,
        )
        self._gateways.arrived(gateway)
        return gateway

    # -- the life of the service ---------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Let no more agents in; those that are here go on until the service stops."""
        self._draining = True

    def stopService(self) -> Deferred[Any]:
        """
        End every connection. Agents come back by themselves, as soon as there is a server again.

        :return: fires with ``None`` once they are gone, a few seconds after the last one was told at the latest.
        """
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._draining = True
        chores = Chores(self._clock)  # a thousand in a row would keep everybody else waiting
        for one in (*self._clients, *self._gateways):
            chores.add(one.close, SHUTTING_DOWN)
        await chores.done()
        left = await self._gateways.emptied(CLOSE_TIMEOUT)
        if left:
            self._log.warn("{count} connections of agents did not end in time", count=left)
        super().stopService()
