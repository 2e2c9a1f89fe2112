"""
``twistd ngrok``: the options, and all the wiring, to be read from top to bottom.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from random import Random
from typing import Any, Callable, Iterable, Mapping, NoReturn

from twisted.application.service import IService
from twisted.cred.portal import Portal
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.filepath import FilePath

from ngrok_twisted.memory import settle  # before the others, for their sake

from ngrok_twisted import __version__, kinds
from ngrok_twisted.collect import Room
from ngrok_twisted.control.config import Config, reservation_settings
from ngrok_twisted.control.first_key import FIRSTS
from ngrok_twisted.control.keyring import open_keyring
from ngrok_twisted.control.load import load
from ngrok_twisted.control.names import DEFAULT_ACCOUNT, account_id
from ngrok_twisted.control.reload import Reloader
from ngrok_twisted.control.ownership import ReservationSettings
from ngrok_twisted.control.reservations import Reservations
from ngrok_twisted.control.seed import with_firsts
from ngrok_twisted.control.service import Control
from ngrok_twisted.control.state import StateDirectory
from ngrok_twisted.edge.context import EdgeContext
from ngrok_twisted.edge.plane import EdgePlane
from ngrok_twisted.edge.returning import Returning
from ngrok_twisted.edge.site import HTTPLimits
from ngrok_twisted.errors import InvalidConfig, StoreUnusable
from ngrok_twisted.iam.certificate_checker import SSHCertificateChecker
from ngrok_twisted.iam.checkers import AuthtokenChecker, SSHKeyChecker
from ngrok_twisted.iam.host_certificates import HostCertificates
from ngrok_twisted.iam.last_use import LastUse
from ngrok_twisted.iam.realm import Realm
from ngrok_twisted.iam.sessions import Sessions
from ngrok_twisted.interfaces import IBackendKind, IModuleKind, IStoreKind
from ngrok_twisted.management import api_notes, api_resource, event_publisher, metrics_page, session_events
from ngrok_twisted.net import reactor as lean_reactor
from ngrok_twisted.net.announced import Announced
from ngrok_twisted.net.inherited import InheritedSockets
from ngrok_twisted.net.listening import Listener
from ngrok_twisted.networks import NetworkSet, parse_network
from ngrok_twisted.observability.access import AccessLog
from ngrok_twisted.observability.metrics import FlowMetrics
from ngrok_twisted.observability.posting import http_client
from ngrok_twisted.observability.traffic import TrafficEvents
from ngrok_twisted.places import SSH_PORT, agent_host, api_host, connect_host, first_port, public_ports
from ngrok_twisted.restart import Beginning, RestartSignal, Successor, as_user, begin, keep_pidfile, require_sockets
from ngrok_twisted.runtime import Runtime
from ngrok_twisted.server import Server
from ngrok_twisted.tls.certificates import Certificates
from ngrok_twisted.tls.issuers.local import LocalIssuer
from ngrok_twisted.transports.agent.kind import agent_service
from ngrok_twisted.transports.agent.seals import Seals
from ngrok_twisted.transports.agent.settings import AgentSettings
from ngrok_twisted.transports.ssh.kind import ssh_service
from ngrok_twisted.transports.ssh.settings import GatewaySettings
from ngrok_twisted.tunnels import Tunnels
from ngrok_twisted.upstream.pool import Pool
from ngrok_twisted.welcome import say, welcome

_log = Logger()

#: The file in the state directory with the key that seals what agents keep: whoever has lost it costs them their ids alone.
AGENT_KEYRING = "agent-keyring"


class Options(usage.Options):
    """
    The command line of ``twistd ngrok``.
    """

    synopsis = "[-c config.yaml]"
    longdesc = (
        "Runs an ngrok cloud edge. Without a config file everything listens on loopback, names end in .ngrok.localhost, "
        "state is kept in ./var, and the SSH keys of the user who runs it may connect: try "
        "'ssh -p 2222 -R 443:localhost:3000 localhost'."
    )
    optParameters = [["config", "c", None, "The configuration file; docs/configuration.md has every key."]]
    optFlags = [["check", None, "Read the configuration, print every problem in it, and exit."]]

    def postOptions(self) -> None:
        """
        Install the lean reactor, if the user chose no other with ``--reactor``; and see whether this is a restart in place.
        """
        if "twisted.internet.reactor" not in sys.modules:
            lean_reactor.install()
        self.beginning = begin({} if self.parent is None else self.parent, os.environ, bool(self["check"]))


def makeService(options: Any, reactor: Any = None) -> IService:
    """
    :param options: the parsed `Options`.
    :raises SystemExit: the configuration has problems; each was printed.
    """
    if reactor is None:
        from twisted.internet import reactor  # the one place that reaches for it
    path = options["config"]
    try:
        config = load(path, os.environ, Path.home())
        if options["check"]:
            require_sockets(config.listen, options.beginning.held)
            print(f"{path or 'the built-in configuration'} is fine")
            raise SystemExit(0)
        keep_pidfile(options.parent, options.beginning)
        with as_user(options.parent):
            return make_server(config, path, reactor, options.beginning)
    except InvalidConfig as error:
        _refuse(map(str, error.problems))
    except StoreUnusable as error:
        _refuse([f"ngrok_twisted cannot start: {error}"])


def _refuse(sentences: Iterable[str]) -> NoReturn:
    for sentence in sentences:
        print(sentence, file=sys.stderr, flush=True)
    raise SystemExit(1)


def make_server(config: Config, path: str | None, reactor: Any, beginning: Beginning | None = None) -> Server:
    """
    Put the parts together. Nothing listens and nothing is stored until the service starts.

    :param path: the file that the config came from, to be read again; ``None`` for the embedded defaults.
    :param beginning: how this program came to run; without it there is no restart in place.
    :raises StoreUnusable: the state directory cannot be had.
    :raises InvalidConfig: a key or certificate in it cannot be used.
    """
    os.umask(0o077)  # whatever the server writes is its own; what others may read is opened to them by name
    state = StateDirectory(FilePath(config.state))
    state.open()
    if path is None:
        config = with_firsts(config, {first: first.make(Path(config.state), os.urandom) for first in FIRSTS})
    runtime = Runtime(reactor=reactor, random=Random(), http=http_client(reactor), state=state.path)
    tunnels = Tunnels()
    pool = Pool(reactor)
    tunnels.subscribe(lambda what, tunnel: pool.forget(tunnel) if what == "offline" else None)

    # The data plane.
    issuer = LocalIssuer.open(state.path, reactor)
    access_logs = [AccessLog(config.access_log, reactor)] if config.access_log else []
    publisher = event_publisher(os.environ, reactor)
    flow_metrics = FlowMetrics()
    counted = [flow_metrics] if config.listen.metrics else []
    context = EdgeContext(
        runtime=runtime,
        tunnels=tunnels,
        certificates=Certificates(issuer, config.domain, reactor),
        pool=pool,
        limits=HTTPLimits(
            head_bytes=config.limits.http_head_bytes,
            fields=config.limits.http_fields,
            first_head=config.timeouts.http_first_head,
            idle=config.timeouts.http_idle,
            streams=config.limits.http2_requests,
        ),
        stream_idle=config.timeouts.stream_idle,
        observers=(*access_logs, TrafficEvents(publisher, public_ports(config)), *counted),
        public_ports=public_ports(config),
        module_kinds=kinds.discover("ngrok_twisted.modules", IModuleKind),
        backend_kinds=kinds.discover("ngrok_twisted.backends", IBackendKind),
        room=Room(config.limits.http_held_body_bytes, config.limits.http_held_bytes),
        webhooks=config.webhooks,
    )
    announced = _announced(config, reactor)
    inherited = InheritedSockets(beginning.handover.sockets if beginning is not None else ())
    before = beginning.handover.online if beginning is not None else {}
    returning = Returning(before, tunnels, reactor) if before else None
    plane = EdgePlane(context, config.tcp.interface, lambda factory: announced("tcp", factory), inherited, returning)

    # The control plane.
    store_kind = kinds.discover("ngrok_twisted.control.stores", IStoreKind)[config.store.partition(":")[0]]
    settings = reservation_settings(config, public_ports(config))
    store, declared = store_kind(config.store, runtime), config.declared
    control = Control(store, plane, declared.records, reactor, settings, declared.origins)
    reservations = Reservations(
        settings,
        lambda: control.records,
        control.publish,
        reactor,
        runtime.random,
    )
    sessions = Sessions()
    control.subscribe(sessions.update)
    control.subscribe(reservations.recheck)
    control.subscribe(publisher.update)
    sessions.subscribe(session_events(config, settings, control, publisher, reactor))
    reloader = Reloader(config, path, control, reactor)
    checker = SSHKeyChecker(lambda: control.records, reactor, reloader.fresh_keys)
    last_use = LastUse(lambda: control.records, control.change, reactor)
    checkers = [checker, AuthtokenChecker(lambda: control.records)]
    portal = Portal(Realm(lambda: control.records, reactor, last_use.used), checkers)
    if config.ssh.user_certificates:
        portal.registerChecker(SSHCertificateChecker(lambda: control.records, reactor))
    host_certificates = HostCertificates(lambda: control.records, reactor, account_id(DEFAULT_ACCOUNT))

    # The management API.
    api = api_resource(config, settings, control, tunnels, sessions, last_use, publisher, context.kept, reactor)
    plane.host(api_host(config), api)

    # What Prometheus reads.
    metrics = metrics_page(flow_metrics, context, plane, control, sessions, publisher)

    # The way in for agents.
    ssh = ssh_service(
        config.ssh,
        _gateway_settings(config, context.module_kinds),
        portal,
        reservations,
        tunnels,
        sessions,
        runtime,
        host_certificates,
    )
    agents = agent_service(
        config.agent,
        _agent_settings(config, settings, context.module_kinds),
        portal,
        reservations,
        tunnels,
        sessions,
        runtime,
        Seals(open_keyring(state.path, name=AGENT_KEYRING)),
        pool.spare,
    )
    agent_front = plane.host_agents(agent_host(config), agents.factory)

    fronts = [
        *_listeners(reactor, "https", config.listen.https, announced("https", plane.secure_front), path),
        *_listeners(reactor, "http", config.listen.http, announced("http", plane.plain_front), path),
    ]
    plane.front_ports = lambda: [listener.public_port for listener in fronts]
    server = Server(
        reactor,
        state=state,
        control=control,
        plane=plane,
        transports=[ssh, agents],
        parts=[*access_logs, publisher, reloader, last_use],
        listeners=[
            *fronts,
            *_listeners(reactor, "ssh", config.listen.ssh, announced("ssh", ssh.factory), path),
            *_listeners(reactor, "agent", config.listen.agent, announced("agent", agent_front), path),
            *_listeners(reactor, "api", config.listen.api, plane.service_front("api", api), path),
            *_listeners(reactor, "metrics", config.listen.metrics, plane.service_front("metrics", metrics), path),
        ],
        ready=lambda: _ready(config, path, control),
        inherited=inherited,
        successor=None if beginning is None else Successor(beginning.launch, reactor),
        restart_drain=config.timeouts.restart,
        restart_return=config.timeouts.restart_return,
        since=beginning.handover.since if beginning is not None else 0.0,
    )
    if beginning is not None:
        RestartSignal(reactor, server.restart).setServiceParent(server)
    return server


def _ready(config: Config, path: str | None, control: Control) -> None:
    """Everything accepts: say so, and what an operator should know."""
    settle()
    say(welcome(config, path))
    for note in api_notes(config, control.records):
        _log.warn("{note}", note=note)


def _listeners(reactor: Any, what: str, descriptions: Iterable[str], factory: Any, path: str | None) -> list[Listener]:
    """The listeners of one kind. Without a config file an address that the machine does not have is passed over."""
    return [Listener(reactor, what, description, factory, optional=path is None) for description in descriptions]


def _announced(config: Config, reactor: Any) -> Callable[[str, Any], Any]:
    """What puts PROXY headers around the factory of a listener, where load balancers are to send some."""
    networks = NetworkSet(parse_network(text, bare=True) for text in config.proxy_protocol.trusted)
    listeners = config.proxy_protocol.listeners if networks else ()
    return lambda what, factory: Announced(factory, networks, reactor) if what in listeners else factory


def _agent_settings(config: Config, settings: ReservationSettings, module_kinds: Mapping[str, Any]) -> AgentSettings:
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
