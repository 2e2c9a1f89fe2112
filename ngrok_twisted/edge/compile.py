"""
`compile_router`: a snapshot becomes a router. What did not change keeps its live edge, with all its state.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.edge.agents import AgentBackend
from ngrok_twisted.edge.context import EdgeContext
from ngrok_twisted.edge.https import HTTPEdge, HTTPSEdge
from ngrok_twisted.edge.redirect import ToHTTPS
from ngrok_twisted.edge.router import Router
from ngrok_twisted.edge.streams import StreamEdge
from ngrok_twisted.records.base import Record, Snapshot
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.tls.options import TLSOptions
from ngrok_twisted.upstream.forward import Forward

# (proto, host, port): what makes two endpoints one URL.
Key = tuple[str, str, int]


def compile_router(snapshot: Snapshot, previous: Router, plane: Any, context: EdgeContext) -> Router:
    """
    :param previous: the router in force; its edges are kept where their records are the same.
    :param plane: given to the edges that ask the router again at each request.
    """
    edges: dict[Key, tuple[tuple[Record, ...], Any]] = {}
    for key, records in _urls(snapshot).items():
        known = previous.edges.get(key)
        if known is not None and known[0] == records:
            edges[key] = known
        else:
            edges[key] = (records, _endpoint_edge(key, records, plane, context))
    return _router(edges)


def _urls(snapshot: Snapshot) -> dict[Key, tuple[Endpoint, ...]]:
    """The public endpoints, grouped into pools by their URL."""
    urls: dict[Key, tuple[Endpoint, ...]] = {}
    for endpoint in snapshot.all(Endpoint):
        if endpoint.binding == "public":
            key = (endpoint.proto, endpoint.host, endpoint.port)
            urls[key] = urls.get(key, ()) + (endpoint,)
    return urls


def _router(edges: dict[Key, tuple[tuple[Record, ...], Any]]) -> Router:
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
        return StreamEdge(name, proto, backend, context)
    if proto == "http" and members[0].force_https:
        return HTTPEdge(name, ToHTTPS(context.public_ports["https"]))
    resource = Forward(backend, context.runtime.reactor)
    if proto == "http":
        return HTTPEdge(name, resource)
    return HTTPSEdge(name, resource, TLSOptions(), plane, context)
