"""
Routes of HTTPS edges, as the edge itself and their own resource show them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ngrok_twisted.control.api.call import Call
from ngrok_twisted.control.api.modules import OldPolicy, holder_view_type, holder_views
from ngrok_twisted.control.api.shapes import timestamp
from ngrok_twisted.records.edge import HTTPSEdge, HTTPSEdgeRoute

#: The start of the ids of routes.
ROUTE_PREFIX = "edghtsrt"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """
    :ivar edge_id: the edge that the route belongs to.
    :ivar id: the public id.
    :ivar created_at: RFC 3339, UTC.
    :ivar match_type: ``exact_path`` or ``path_prefix``.
    :ivar match: the path.
    :ivar uri: where it is.
    :ivar description: for people.
    :ivar metadata: opaque.
    :ivar policy: always null: the old name of ``traffic_policy``.
    """

    edge_id: str
    id: str
    created_at: str
    match_type: str
    match: str
    uri: str
    description: str
    metadata: str
    policy: OldPolicy | None


RouteView = holder_view_type("HTTPSEdgeRouteView", _Seen, "route")


def route_view(call: Call, edge: HTTPSEdge, route: HTTPSEdgeRoute) -> Any:
    """A route as the caller sees it."""
    return RouteView(
        edge_id=edge.id,
        id=route.id,
        created_at=timestamp(route.created_at),
        match_type=route.match_type,
        match=route.match,
        uri=call.uri("/edges/https", edge.id, "routes", route.id),
        description=route.description,
        metadata=route.metadata,
        policy=None,
        **holder_views(call, "route", route),
    )
