"""
`Serving`: what every process of a server does: an edge for visitors, and the transports that let agents in behind it.

With one process it stands beside the control plane; with `workers` each process has one of its own.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any, Callable, Mapping

from twisted.cred.portal import Portal

from ngrok_twisted import __version__, kinds
from ngrok_twisted.collect import Room
from ngrok_twisted.control.config import Config, reservation_settings
from ngrok_twisted.control.keyring import open_keyring
from ngrok_twisted.control.names import DEFAULT_ACCOUNT, account_id
from ngrok_twisted.edge.context import EdgeContext
from ngrok_twisted.edge.plane import EdgePlane
from ngrok_twisted.edge.returning import Returning
from ngrok_twisted.edge.site import HTTPLimits
from ngrok_twisted.iam.certificate_checker import SSHCertificateChecker
from ngrok_twisted.iam.checkers import AuthtokenChecker, SSHKeyChecker
from ngrok_twisted.iam.host_certificates import HostCertificates
from ngrok_twisted.iam.realm import Realm
from ngrok_twisted.iam.sessions import Sessions
from ngrok_twisted.interfaces import IBackendKind, IModuleKind
from ngrok_twisted.net.inherited import InheritedSockets
from ngrok_twisted.observability.access import AccessLog
from ngrok_twisted.observability.ended import Ended
from ngrok_twisted.observability.metrics import FlowMetrics
from ngrok_twisted.observability.posting import http_client
from ngrok_twisted.observability.traffic import TrafficEvents
from ngrok_twisted.places import SSH_PORT, agent_host, connect_host, first_port, public_ports
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.runtime import Runtime
from ngrok_twisted.tls.certificates import Certificates
from ngrok_twisted.tls.issuers.local import LocalIssuer
from ngrok_twisted.transports.agent.kind import AgentService, agent_service
from ngrok_twisted.transports.agent.seals import Seals
from ngrok_twisted.transports.agent.settings import AgentSettings
from ngrok_twisted.transports.ssh.kind import SSHService, ssh_service
from ngrok_twisted.transports.ssh.settings import GatewaySettings
from ngrok_twisted.trimming import Trimming
from ngrok_twisted.tunnels import Tunnels
from ngrok_twisted.upstream.pool import Pool

#: The file in the state directory with the key that seals what agents keep: whoever has lost it costs them their ids alone.
AGENT_KEYRING = "agent-keyring"


def make_runtime(reactor: Any, state: Any) -> Runtime:
    """
    :param state: the state directory, a `twisted.python.filepath.FilePath`.
    """
    return Runtime(reactor=reactor, random=Random(), http=http_client(reactor), state=state)


class Serving:
    """
    :ivar context: what the edges stand on.
    :ivar plane: the `EdgePlane`.
    :ivar tunnels: the live table.
    :ivar pool: connections to services.
    :ivar parts: services of its own.
    :ivar flow_metrics: counts flows, where metrics are served.
    :ivar spare_elsewhere: as `Pool.spare`, of other processes.
    """

    def __init__(
        self,
        config: Config,
        runtime: Runtime,
        tunnels: Tunnels,
        publisher: Any,
        around_ports: Callable[[Any], Any] = lambda factory: factory,
        inherited: InheritedSockets | None = None,
        before: Mapping[str, Any] | None = None,
        tickets: bytes = b"",
    ) -> None:
        """
        :param tunnels: the live table, still empty.
        :param publisher: gets events: has ``traffic``, ``wants`` and ``publish`` of
            `ngrok_twisted.observability.publisher.Publisher`.
        :param around_ports: what stands around the factory of each public TCP port.
        :param inherited: sockets that are open already.
        :param before: what agents had online in the program before this one.
        :param tickets: see `Certificates`.
        :raises InvalidConfig: the authority in the state directory cannot be used.
        """
        reactor = runtime.reactor
        self._config = config
        self._runtime = runtime
        self.tunnels = tunnels
        self.spare_elsewhere: Callable[[Any], bool] = lambda tunnel: False
        self.pool = pool = Pool(reactor)
        tunnels.subscribe(lambda what, tunnel: pool.forget(tunnel) if what == "offline" else None)
        access_logs = [AccessLog(config.access_log, reactor)] if config.access_log else []
        self.flow_metrics = FlowMetrics()
        counted = [self.flow_metrics] if config.listen.metrics else []
        ports = public_ports(config)
        ended = Ended((*access_logs, TrafficEvents(publisher, ports), *counted), reactor)
        self.parts = [*access_logs, ended, Trimming(reactor)]  # the last one is stopped first
        self.context = EdgeContext(
            runtime=runtime,
            tunnels=tunnels,
            certificates=Certificates(LocalIssuer.open(runtime.state, reactor), config.domain, reactor, tickets),
            pool=pool,
            limits=_http_limits(config),
            stream_idle=config.timeouts.stream_idle,
            observers=(ended,),
            public_ports=ports,
            module_kinds=kinds.discover("ngrok_twisted.modules", IModuleKind),
            backend_kinds=kinds.discover("ngrok_twisted.backends", IBackendKind),
            room=Room(config.limits.http_held_body_bytes, config.limits.http_held_bytes),
            webhooks=config.webhooks,
        )
        returning = Returning(before, tunnels, reactor) if before else None
        self.plane = EdgePlane(self.context, config.tcp.interface, around_ports, inherited, returning)

    def let_agents_in(
        self,
        records: Callable[[], Snapshot],
        reservations: Any,
        sessions: Sessions,
        used: Callable[[str, float], None],
        fresh_keys: Callable[[], Any],
    ) -> tuple[SSHService, AgentService, Any]:
        """
        Make the transports.

        :param records: gives the records in force.
        :param reservations: the `ngrok_twisted.interfaces.IReservations`.
        :param used: told of each use of a credential; see `Realm`.
        :param fresh_keys: see `SSHKeyChecker`.
        :return: SSH, the agent protocol, and the factory of listeners that are for the latter alone.
        :raises InvalidConfig: a host key cannot be used.
        :raises StoreUnusable: a keyring cannot be used.
        """
        config, runtime, reactor = self._config, self._runtime, self._runtime.reactor
        portal = Portal(
            Realm(records, reactor, used),
            [SSHKeyChecker(records, reactor, fresh_keys), AuthtokenChecker(records)],
        )
        if config.ssh.user_certificates:
            portal.registerChecker(SSHCertificateChecker(records, reactor))
        ssh = ssh_service(
            config.ssh,
            _gateway_settings(config, self.context.module_kinds),
            portal,
            reservations,
            self.tunnels,
            sessions,
            runtime,
            HostCertificates(records, reactor, account_id(DEFAULT_ACCOUNT)),
        )
        agents = agent_service(
            _agent_config(config),
            _agent_settings(config, self.context.module_kinds),
            portal,
            reservations,
            self.tunnels,
            sessions,
            runtime,
            Seals(open_keyring(runtime.state, name=AGENT_KEYRING)),
            lambda tunnel: self.pool.spare(tunnel) or self.spare_elsewhere(tunnel),
        )
        return ssh, agents, self.plane.host_agents(agent_host(config), agents.factory)


def _http_limits(config: Config) -> HTTPLimits:
    return HTTPLimits(
        head_bytes=config.limits.http_head_bytes,
        fields=config.limits.http_fields,
        first_head=config.timeouts.http_first_head,
        idle=config.timeouts.http_idle,
        streams=config.limits.http2_requests,
    )


def _agent_config(config: Config) -> Any:
    """
    The connections of one agent belong to one process, and nobody knows whose a connection is before it is inside TLS: where
    there are several processes, each agent is to have one connection.
    """
    return config.agent if config.workers == 1 else replace(config.agent, connect_addresses=())


def _agent_settings(config: Config, module_kinds: Mapping[str, Any]) -> AgentSettings:
    settings = reservation_settings(config, public_ports(config))
    return AgentSettings(
        base_domain=settings.base_domain,
        region=settings.region,
        version=__version__,
        tcp_host=settings.tcp_host,
        module_kinds=module_kinds,
    )


def _gateway_settings(config: Config, module_kinds: Mapping[str, Any]) -> GatewaySettings:
    ports = public_ports(config)
    return GatewaySettings(
        base_domain=config.domain,
        connect_host=connect_host(config),
        connect_port=first_port(config.listen.ssh, SSH_PORT),
        public_ports={**ports, "tls": ports["https"]},
        tcp_host=config.tcp.host,
        tcp_ports=(config.tcp.ports.first, config.tcp.ports.last),
        allow_requested_ports=config.tcp.allow_requested_ports,
        module_kinds=module_kinds,
        version=__version__,
        require_command=config.ssh.require_command,
        max_forwards=config.ssh.max_forwards,
        max_sessions_per_credential=config.ssh.max_sessions_per_credential,
    )
