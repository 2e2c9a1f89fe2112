"""
`compile_router`: a snapshot becomes a router. What did not change keeps its live edge, with all its state.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.edge.agents import AgentBackend
from ngrok_twisted.edge.context import EdgeContext
from ngrok_twisted.edge.declared import Key, build, declared_edges
from ngrok_twisted.edge.https import Entry, HTTPEdge, HTTPSEdge
from ngrok_twisted.edge.redirect import ToHTTPS
from ngrok_twisted.edge.router import Router
from ngrok_twisted.edge.streams import StreamEdge
from ngrok_twisted.records.base import Record, Snapshot
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.upstream.forward import Forward

# What an edge came from, and the edge.
Live = tuple[tuple[Record, ...], Any]


def compile_router(snapshot: Snapshot, previous: Router, plane: Any, context: EdgeContext) -> Router:
    """
    :param previous: the router in force; its edges are kept where their records are the same.
    :param plane: given to the edges that ask the router again at each request.
    :raises LookupError: an edge cannot be built; the message names it and says why.
    """
    edges: dict[Key, Live] = {}
    for record, keys in declared_edges(snapshot):
        if keys:
            live = previous.edges.get(keys[0])
            if live is None or not _same(live, record, snapshot):
                live = build(record, snapshot, plane, context)
            edges.update(dict.fromkeys(keys, live))
    for key, members in urls(snapshot).items():
        known = previous.edges.get(key)
        if known is not None and known[0] == members:
            edges[key] = known
        else:
            edges[key] = (members, _endpoint_edge(key, members, plane, context))
    return _router(edges)


def _same(known: Live, record: Record, snapshot: Snapshot) -> bool:
    """Whether a live edge came from this record, and every other record it came from is as it was."""
    return known[0][0] == record and all(snapshot.get(type(other), other.id) == other for other in known[0][1:])


def urls(snapshot: Snapshot) -> dict[Key, tuple[Endpoint, ...]]:
    """The public endpoints, grouped into pools by their URL."""
    found: dict[Key, tuple[Endpoint, ...]] = {}
    for endpoint in snapshot.all(Endpoint):
        if endpoint.binding == "public":
            key = (endpoint.proto, endpoint.host, endpoint.port)
            found[key] = found.get(key, ()) + (endpoint,)
    return found


def _router(edges: dict[Key, Live]) -> Router:
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
    return Router(secure, plain, ports, edges)


def _endpoint_edge(key: Key, members: tuple[Endpoint, ...], plane: Any, context: EdgeContext) -> Any:
    """The live edge for an agent endpoint, or for a pool of them."""
    proto, host, port = key
    name = f"{proto}://{host}:{port}"
    backend = AgentBackend(tuple(member.id for member in members), context.tunnels, context.runtime.random)
    if proto in ("tls", "tcp"):
        return StreamEdge(name, proto, backend, plane, context)
    if proto == "http" and members[0].force_https:
        return HTTPEdge(name, ToHTTPS(context.public_ports["https"]))
    resource = Forward(backend, context.runtime.reactor, context.pool, idle_timeout=context.limits.idle)
    if proto == "http":
        return HTTPEdge(name, resource)
    return HTTPSEdge(name, resource, Entry(), plane, context)
