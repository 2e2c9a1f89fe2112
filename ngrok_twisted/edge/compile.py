"""
`compile_router`: a snapshot becomes a router. What did not change keeps its live edge, with all its state.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.edge import cloud
from ngrok_twisted.edge.agents import AgentBackend, grouped, is_whole, told
from ngrok_twisted.edge.amend import Changes, Live, amended_edges, amended_router, placed, url_of
from ngrok_twisted.edge.context import EdgeContext, inside_of
from ngrok_twisted.edge.declared import Key, build, edge_records, keys_of
from ngrok_twisted.edge.https import Entry, HTTPEdge, HTTPSEdge
from ngrok_twisted.edge.internal import compile_internal
from ngrok_twisted.edge.redirect import ToHTTPS
from ngrok_twisted.edge.router import Router
from ngrok_twisted.edge.services import Services
from ngrok_twisted.edge.streams import StreamEdge
from ngrok_twisted.records.base import Record, Snapshot
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.upstream.forward import Forward

# The URLs of a configured edge, and what is there.
Built = tuple[tuple[Key, ...], Live]


def compile_router(
    snapshot: Snapshot,
    previous: Router,
    plane: Any,
    context: EdgeContext,
    services: Services | None = None,
    changes: Changes | None = None,
) -> Router:
    """
    :param previous: the router in force; its edges are kept where their records are the same.
    :param plane: given to the edges that ask the router again at each request.
    :param services: the service's own names, which no record takes.
    :param changes: what has changed since the previous router was compiled, if that is known and is no more.
    :raises LookupError: an edge cannot be built; the message names it and says why.
    """
    if changes is not None and previous.services == _state(services):
        router = _amended(snapshot, previous, plane, context, changes)
        if router is not None:
            return router
    edges: dict[Key, Live] = {}
    built: dict[str, Built] = {}
    for proto, record in edge_records(snapshot):
        if not record.hostports:
            continue
        known = previous.built.get(record.id)
        if known is None or not _same(known[1], record, snapshot):
            known = keys_of(proto, record), _noted(build(record, snapshot, plane, context))
        built[record.id] = known
        keys, live = known
        for key in keys:
            edges[key] = live
    for key, members in grouped(snapshot, "public", url_of).items():
        edges[key] = _live(key, members, previous.edges.get(key), snapshot, plane, context)
    internal = compile_internal(snapshot, previous.internal, plane, context)
    return _router(edges, built, internal, services, snapshot)


def _amended(snapshot: Snapshot, previous: Router, plane: Any, context: EdgeContext, changes: Changes) -> Router | None:
    """The same from the changes alone; ``None`` if these are not enough to know."""
    edges = amended_edges(
        previous,
        snapshot,
        changes,
        lambda endpoint: is_whole(endpoint, snapshot),
        lambda key, members, before: _live(key, members, before, snapshot, plane, context),
    )
    if edges is None:
        return None
    internal = previous.internal
    if any(endpoint.binding == "internal" for endpoint in (*changes.gone, *changes.come)):
        internal = compile_internal(snapshot, internal, plane, context)
    return amended_router(previous, edges, internal, snapshot)


def _live(
    key: Key, members: tuple[Endpoint, ...], before: Live | None, snapshot: Snapshot, plane: Any, context: EdgeContext
) -> Live:
    """The live edge of a URL: the one from before, if it came from the same."""
    if before is not None and (before[0] == members or _same_guarded(before, members, snapshot)):
        return before
    return _noted(_endpoint_live(key, members, snapshot, plane, context))


def _noted(live: Live) -> Live:
    """Let an edge tell what it came from: see `ngrok_twisted.edge.homes`."""
    records, edge = live
    edge.came_from = records
    return live


def _same(known: Live, record: Record, snapshot: Snapshot) -> bool:
    """Whether a live edge came from this record, and every other record it came from is as it was."""
    first, *others = known[0]
    return _equal(first, record) and all(_equal(other, snapshot.get(type(other), other.id)) for other in others)


def _equal(one: Record, other: Record | None) -> bool:
    """Most records are the very same from one snapshot to the next; comparing them would take a thousand times longer."""
    return one is other or one == other


def _same_guarded(before: Live, members: tuple[Endpoint, ...], snapshot: Snapshot) -> bool:
    """Whether a live edge of endpoints came from these, and from other records that are as they were."""
    count = len(members)
    records = before[0]
    if len(records) <= count or records[:count] != members:
        return False
    return all(
        type(other) is not Endpoint and _equal(other, snapshot.get(type(other), other.id)) for other in records[count:]
    )


def _state(services: Services | None) -> tuple[Any, ...]:
    return () if services is None else services.state


def _router(
    edges: dict[Key, Live], built: dict[str, Built], internal: Any, services: Services | None, snapshot: Snapshot
) -> Router:
    secure, plain, ports = placed(edges)
    if services is not None:
        # Nobody else may answer where agents show their authtokens.
        secure.update(services.doors(snapshot))
        secure.update(services.secure)
        plain.update(services.plain)
    configured = frozenset(key for keys, _ in built.values() for key in keys)
    return Router(secure, plain, ports, edges, built, internal, snapshot, _state(services), configured)


def _endpoint_live(
    key: Key, members: tuple[Endpoint, ...], snapshot: Snapshot, plane: Any, context: EdgeContext
) -> Live:
    """
    The live edge for an endpoint, or for a pool of them, with all the records that it came from.

    :raises LookupError: a module or a policy cannot be run.
    """
    proto, host, port = key
    name = f"{proto}://{host}:{port}"
    account_id = members[0].account_id
    if proto == "http" and members[0].force_https:
        return members, HTTPEdge(name, ToHTTPS(context.public_ports["https"]), account_id)
    if cloud.is_guarded(members):
        inside = inside_of(snapshot, plane, context)
        made: Any = {"https": cloud.https_edge, "http": cloud.http_edge}.get(proto, cloud.stream_edge)
        try:
            edge = made(name, members, plane, context, inside)
        except LookupError as error:
            raise told(members, error) from None
        return (*members, *inside.used), edge
    backend = AgentBackend(tuple(member.id for member in members), context.tunnels, context.runtime.random)
    if proto in ("tls", "tcp"):
        return members, StreamEdge(name, proto, backend, plane, context, account_id=account_id)
    resource = Forward(backend, context.runtime.reactor, context.pool, idle_timeout=context.limits.idle)
    if proto == "http":
        return members, HTTPEdge(name, resource, account_id)
    return members, HTTPSEdge(name, resource, Entry(), plane, context, account_id=account_id)
