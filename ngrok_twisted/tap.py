"""
``twistd ngrok``: the options, and all the wiring, to be read from top to bottom.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Callable, Iterable, NoReturn

from twisted.application.service import IService
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.filepath import FilePath

from ngrok_twisted.memory import settle  # before the others, for their sake

from ngrok_twisted import kinds
from ngrok_twisted.control.config import Config, reservation_settings
from ngrok_twisted.control.first_key import FIRSTS
from ngrok_twisted.control.load import load
from ngrok_twisted.control.reload import Reloader
from ngrok_twisted.control.reservations import Reservations
from ngrok_twisted.control.seed import with_firsts
from ngrok_twisted.control.service import Control
from ngrok_twisted.control.state import StateDirectory
from ngrok_twisted.crew.lead import Alone, Lead
from ngrok_twisted.errors import InvalidConfig, StoreUnusable
from ngrok_twisted.iam.last_use import LastUse
from ngrok_twisted.iam.sessions import Sessions
from ngrok_twisted.interfaces import IStoreKind
from ngrok_twisted.log_lines import TO_STDOUT, is_stdout
from ngrok_twisted.management import api_notes, api_resource, event_publisher, metrics_page, session_events
from ngrok_twisted.net import reactor as lean_reactor
from ngrok_twisted.net.announced import Announced
from ngrok_twisted.net.inherited import InheritedSockets
from ngrok_twisted.net.listening import Listener
from ngrok_twisted.networks import NetworkSet, parse_network
from ngrok_twisted.pages import gather_pages
from ngrok_twisted.places import api_host, public_ports
from ngrok_twisted.restart import Beginning, RestartSignal, Successor, as_user, begin, keep_pidfile, require_sockets
from ngrok_twisted.server import Server
from ngrok_twisted.serving import Serving, make_runtime
from ngrok_twisted.tunnels import Tunnels
from ngrok_twisted.welcome import say, welcome

_log = Logger()


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
        Install the lean reactor, if the user chose no other with ``--reactor``; see whether this is a restart in place; and
        have the log written by `log_lines`, if it goes to standard output.
        """
        if "twisted.internet.reactor" not in sys.modules:
            lean_reactor.install()
        self.beginning = begin({} if self.parent is None else self.parent, os.environ, bool(self["check"]))
        if self.parent is not None and is_stdout(self.parent):
            self.parent["logger"] = TO_STDOUT


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
    runtime = make_runtime(reactor, state.path)
    publisher = event_publisher(os.environ, reactor)
    announced = _announced(config, reactor)
    inherited = InheritedSockets(beginning.handover.sockets if beginning is not None else ())

    # The data plane; with workers, this process's part of it.
    tunnels = Tunnels()
    crew = Lead(config, tunnels, runtime) if config.workers > 1 else Alone()
    serving = Serving(
        config,
        runtime,
        tunnels,
        publisher,
        lambda factory: announced("tcp", crew.around_port(factory)),
        inherited,
        beginning.handover.online if beginning is not None else None,
        crew.tickets,
    )
    crew.share(serving)
    plane, context = serving.plane, serving.context

    # The control plane.
    store_kind = kinds.discover("ngrok_twisted.control.stores", IStoreKind)[config.store.partition(":")[0]]
    settings = reservation_settings(config, public_ports(config))
    store, declared = store_kind(config.store, runtime), config.declared
    control = Control(store, crew.published(plane), declared.records, reactor, settings, declared.origins)
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
    last_use = LastUse(lambda: control.records, control.change, reactor)
    crew.govern(reservations, sessions, publisher, last_use.used, reloader.fresh_keys)

    # The management API.
    api = api_resource(
        config, settings, control, tunnels, sessions, last_use, publisher, context.kept, reactor, crew.in_force
    )
    plane.host(api_host(config), api)

    # What Prometheus reads.
    metrics = metrics_page(serving.flow_metrics, context, plane, control, sessions, publisher, crew.numbers)

    # The way in for agents.
    ssh, agents, agent_front = serving.let_agents_in(
        lambda: control.records, reservations, sessions, last_use.used, reloader.fresh_keys
    )

    fronts = [
        *_listeners(reactor, "https", config.listen.https, announced("https", crew.secure_front(plane)), path),
        *_listeners(reactor, "http", config.listen.http, announced("http", crew.plain_front(plane)), path),
    ]
    plane.front_ports = lambda: [listener.public_port for listener in fronts]
    server = Server(
        reactor,
        state=state,
        control=control,
        plane=plane,
        transports=[ssh, agents],
        parts=[*serving.parts, publisher, reloader, last_use],
        listeners=[
            *fronts,
            *_listeners(
                reactor, "ssh", config.listen.ssh, announced("ssh", crew.around_agents("ssh", ssh.factory)), path
            ),
            *_listeners(
                reactor,
                "agent",
                config.listen.agent,
                announced("agent", crew.around_agents("agent", agent_front)),
                path,
            ),
            *_listeners(reactor, "api", config.listen.api, plane.service_front("api", api), path),
            *_listeners(reactor, "metrics", config.listen.metrics, plane.service_front("metrics", metrics), path),
        ],
        ready=lambda: _ready(config, path, control, reactor),
        inherited=inherited,
        crew=crew.crew,
        successor=None if beginning is None else Successor(beginning.launch, reactor),
        restart_drain=config.timeouts.restart,
        restart_return=config.timeouts.restart_return,
        since=beginning.handover.since if beginning is not None else 0.0,
    )
    if beginning is not None:
        RestartSignal(reactor, server.restart).setServiceParent(server)
    return server


def _ready(config: Config, path: str | None, control: Control, reactor: Any) -> None:
    """Everything accepts: say so, and what an operator should know."""
    settle()
    gather_pages(reactor)
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
