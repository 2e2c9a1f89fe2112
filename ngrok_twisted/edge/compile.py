"""
`compile_router`: a snapshot becomes a router. What did not change keeps its live edge, with all its state.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.edge import cloud
from ngrok_twisted.edge.agents import AgentBackend, grouped, told
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

# What an edge came from, and the edge.
Live = tuple[tuple[Record, ...], Any]

# The URLs of a configured edge, and what is there.
Built = tuple[tuple[Key, ...], Live]


def compile_router(
    snapshot: Snapshot, previous: Router, plane: Any, context: EdgeContext, services: Services | None = None
) -> Router:
    """
    :param previous: the router in force; its edges are kept where their records are the same.
    :param plane: given to the edges that ask the router again at each request.
    :param services: the service's own names, which no record takes.
    :raises LookupError: an edge cannot be built; the message names it and says why.
    """
    edges: dict[Key, Live] = {}
    built: dict[str, Built] = {}
    for proto, record in edge_records(snapshot):
        if not record.hostports:
            continue
        known = previous.built.get(record.id)
        if known is None or not _same(known[1], record, snapshot):
            known = keys_of(proto, record), build(record, snapshot, plane, context)
        built[record.id] = known
        keys, live = known
        for key in keys:
            edges[key] = live
    for key, members in grouped(snapshot, "public", _url).items():
        before = previous.edges.get(key)
        if before is not None and (before[0] == members or _same_guarded(before, members, snapshot)):
            edges[key] = before
        else:
            edges[key] = _endpoint_live(key, members, snapshot, plane, context)
    internal = compile_internal(snapshot, previous.internal, plane, context)
    return _router(edges, built, internal, services, snapshot)


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


def _url(endpoint: Endpoint) -> Key:
    return endpoint.proto, endpoint.host, endpoint.port


def _router(
    edges: dict[Key, Live], built: dict[str, Built], internal: Any, services: Services | None, snapshot: Snapshot
) -> Router:
    secure: dict[str, Any] = {}
    plain: dict[str, Any] = {}
    ports: dict[int, Any] = {}
    for (proto, host, port), (_, edge) in edges.items():
        if proto == "tcp":
            ports[port] = edge
        elif proto == "http":
            plain[host] = edge
        else:
            secure[host] = edge
    if services is not None:
        # Nobody else may answer where agents show their authtokens.
        secure.update(services.doors(snapshot))
        secure.update(services.secure)
        plain.update(services.plain)
    return Router(secure, plain, ports, edges, built, internal)


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
