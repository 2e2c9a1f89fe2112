"""
``/edges/https``: names whose requests are routed by their paths.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.edges import EdgeCollection, edge_codes
from ngrok_twisted.control.api.modules import holder_view_type
from ngrok_twisted.control.api.edge_routes import ROUTE_PREFIX, RouteView, route_view
from ngrok_twisted.control.api.shapes import Seen, Texts, TextsUpdate
from ngrok_twisted.records.edge import HTTPSEdge, HTTPSEdgeRoute, HTTPSModules


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPSEdgeCreate(Texts):
    """
    :ivar hostports: the names it serves, each with port 443.
    :ivar modules: each module of the edge has a key of its own.
    """

    hostports: tuple[str, ...] = ()
    modules: HTTPSModules = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPSEdgeDeclared(HTTPSEdgeCreate):
    """
    :ivar routes: what happens on which path.
    """

    routes: tuple[HTTPSEdgeRoute, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPSEdgeUpdate(TextsUpdate):
    """
    :ivar hostports: the names it serves, each with port 443.
    :ivar modules: each module of the edge has a key of its own; one that is given takes the place of the old one.
    """

    hostports: tuple[str, ...] | None = None
    modules: HTTPSModules = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen(Seen):
    """
    :ivar hostports: the names it serves; null for none.
    :ivar routes: what happens on which path.
    """

    hostports: tuple[str, ...] | None
    routes: tuple[RouteView, ...]


class HTTPSEdges(EdgeCollection[HTTPSEdge]):
    """The collection of HTTPS edges."""

    name = "https_edges"
    path = "/edges/https"
    list_key = "https_edges"
    noun = "HTTPS edge"
    place = "https"
    record = HTTPSEdge
    View = holder_view_type("HTTPSEdgeView", _Seen, "https")
    Create = HTTPSEdgeCreate
    Update = HTTPSEdgeUpdate
    Declared = HTTPSEdgeDeclared
    declared_at = "edges.https"
    codes = edge_codes("https")

    def parts(self, making: Making, body: Any) -> dict[str, Any]:
        """EdgeCollection."""
        routes = getattr(body, "routes", ())
        return {"routes": tuple(_with_id(making, route) for route in routes)}

    def shown_parts(self, call: Call, record: HTTPSEdge) -> dict[str, Any]:
        """EdgeCollection."""
        return {"routes": tuple(route_view(call, record, route) for route in record.routes)}


def _with_id(making: Making, route: HTTPSEdgeRoute) -> HTTPSEdgeRoute:
    id = making.inner_id(ROUTE_PREFIX, f"{route.match_type} {route.match}")
    return replace(route, id=id, created_at=making.created_at)


https_edges = HTTPSEdges()
