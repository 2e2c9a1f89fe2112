"""
The management API put together: the records, the parts of the server that it shows and changes, and who may call it.
"""

from __future__ import annotations

from os import urandom
from random import Random
from socket import gethostname
from typing import Any, Callable, Iterator, Mapping, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from ngrok_twisted.control.api.access import Access, AccessLimits
from ngrok_twisted.control.api.admission import admitted
from ngrok_twisted.control.api.audit import Audit
from ngrok_twisted.control.api.call import Parts
from ngrok_twisted.control.api.pauses import Pauses
from ngrok_twisted.control.api.routes import Routes, all_methods
from ngrok_twisted.control.api.session_events import SessionEvents
from ngrok_twisted.control.api.site import APIResource
from ngrok_twisted.control.config import Config
from ngrok_twisted.control.ownership import ReservationSettings
from ngrok_twisted.control.service import Control
from ngrok_twisted.edge.context import EdgeContext
from ngrok_twisted.edge.plane import EdgePlane
from ngrok_twisted.iam.api_keys import APIKeys
from ngrok_twisted.iam.last_use import LastUse
from ngrok_twisted.iam.sessions import Sessions
from ngrok_twisted.observability.destination import DestinationContext
from ngrok_twisted.observability.metrics import FlowMetrics
from ngrok_twisted.observability.posting import Poster, http_client
from ngrok_twisted.observability.publisher import Publisher
from ngrok_twisted.observability.scraping import Elsewhere, MetricsPage, Watched
from ngrok_twisted.places import api_url, connect_host, exposed
from ngrok_twisted.records.api_key import APIKey
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.ids import NewIds
from ngrok_twisted.tunnels import Tunnels


def api_resource(
    config: Config,
    settings: ReservationSettings,
    control: Control,
    tunnels: Tunnels,
    sessions: Sessions,
    last_use: LastUse,
    publisher: Publisher,
    kept: Mapping[Any, Any],
    reactor: Any,
    in_force: Callable[[], Deferred[Any]],
) -> APIResource:
    """
    The API as a web resource, for any number of listeners.

    :param in_force: its Deferred fires when every process of the server serves what was changed.
    :param kept: what modules keep; see `ngrok_twisted.module.ModuleContext.keep`.
    """
    records = lambda: control.records

    async def change(*arguments: Any) -> Snapshot:
        after = await control.change(*arguments)
        await in_force()
        return after

    parts = Parts(
        records=records,
        change=change,
        live=lambda: control.live,
        tunnels=tunnels,
        sessions=sessions,
        settings=settings,
        now=reactor.seconds,
        new_id=NewIds(reactor.seconds),
        random_bytes=urandom,
        audit=Audit(publisher),
        pause=Pauses(reactor),
        more={"in_thread": _in_thread(reactor), "events": publisher, "kept": kept},
    )
    limits = AccessLimits(
        requests_per_minute=config.limits.api_requests_per_minute,
        failures_per_minute=config.limits.api_failures_per_minute,
    )
    access = Access(records, APIKeys(records, reactor, last_use.used), admitted, reactor, limits)
    return APIResource(parts, Routes(all_methods()), access, api_url(config), reactor)


def metrics_page(
    flows: FlowMetrics,
    context: EdgeContext,
    plane: EdgePlane,
    control: Control,
    sessions: Sessions,
    publisher: Publisher,
    elsewhere: Callable[[], Deferred[Sequence[Elsewhere]]] | None = None,
) -> MetricsPage:
    """
    ``/metrics`` as a web resource.

    :param flows: one of the observers of ``context``.
    :param elsewhere: asks the workers, where there are any.
    """
    watched = Watched(
        tunnels=context.tunnels,
        sessions=sessions,
        visitors=lambda: plane.visitors.by_proto,
        events=publisher.counts,
        records=lambda: control.records,
        kept=context.kept,
        stalls=getattr(context.runtime.reactor, "stalls", None),
    )
    return MetricsPage(flows, watched, elsewhere)


def event_publisher(environment: Mapping[str, str], reactor: Any) -> Publisher:
    """
    Sends events to their destinations.

    :param environment: the process's variables.
    """
    context = DestinationContext(
        poster=Poster(http_client(reactor), reactor),
        now=reactor.seconds,
        in_thread=_in_thread(reactor),
        environment=environment,
        node=gethostname(),
    )
    return Publisher(context, reactor, Random())


def session_events(
    config: Config, settings: ReservationSettings, control: Control, publisher: Publisher, reactor: Any
) -> SessionEvents:
    """A listener to agent sessions that publishes events of them."""
    return SessionEvents(
        publisher, lambda: control.records, reactor, api_url(config), settings.region, connect_host(config)
    )


def api_notes(config: Config, records: Snapshot) -> Iterator[str]:
    """
    What an operator should know about the API, though the server can run.

    :param records: those in force.
    """
    if next(records.all(APIKey), None) is None and (config.listen.api or config.listen.https):
        yield "nobody can use the management API yet: declare a key under api_keys"
    for description in config.listen.api:
        if exposed(description):
            yield (
                f"listen.api ({description}) can be reached from other machines, and keys travel in the clear there: give "
                f"it interface=127.0.0.1, and use {api_url(config)} from elsewhere"
            )


def _in_thread(reactor: Any) -> Callable[..., Deferred[Any]]:
    """Calls a function in one of the reactor's threads; gives a Deferred of its result."""
    return lambda work, *arguments: deferToThreadPool(reactor, reactor.getThreadPool(), work, *arguments)
