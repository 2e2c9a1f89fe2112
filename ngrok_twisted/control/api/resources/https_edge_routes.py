"""
``/edges/https/{edge_id}/routes``: what happens on which path of an HTTPS edge.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Callable, Iterator, Literal, Mapping

from zope.interface import implementer

from ngrok_twisted.control.api.bodies import given_values, read_create, read_update
from ngrok_twisted.control.api.call import Call
from ngrok_twisted.control.api.edge_routes import ROUTE_PREFIX, RouteView, route_view
from ngrok_twisted.control.api.edges import write_edge
from ngrok_twisted.control.api.errors import MALFORMED_ID, APIError, NotFound
from ngrok_twisted.control.api.method import Answer, Method
from ngrok_twisted.control.api.modules import given_slots, slot_codes
from ngrok_twisted.control.api.resources.https_edges import https_edges
from ngrok_twisted.control.api.shapes import EMPTY_KEEPS, Texts
from ngrok_twisted.document import join
from ngrok_twisted.interfaces import IAPIResource
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.edge import BackendRef, HTTPSEdge, HTTPSEdgeRoute, RouteModules

PATH = "/edges/https/{edge_id}/routes"

#: ngrok's numbers for bad values; "" for a route that is not there.
CODES = {"": 7124, "match": 7123, "match_type": 7130, "description": 7073, "metadata": 7074, **slot_codes("route")}

#: ngrok's number for a body that names another edge than the path.
_OTHER_EDGE = 7110

_ID = re.compile(ROUTE_PREFIX + r"_[0-9A-Za-z]{27}\Z")

MatchType = Literal["exact_path", "path_prefix"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteCreate(Texts):
    """
    :ivar match_type: ``exact_path`` or ``path_prefix``; the longest prefix wins, on the boundary of a segment.
    :ivar match: the path, starting with ``/``; with its type unique in the edge.
    :ivar backend: who answers.
    :ivar modules: each module of the route has a key of its own.
    """

    match_type: MatchType
    match: str
    backend: BackendRef | None = None
    modules: RouteModules = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteUpdate:
    """
    Of the texts, an empty one leaves the old one as it is.

    :ivar match_type: ``exact_path`` or ``path_prefix``.
    :ivar match: the path, starting with ``/``; with its type unique in the edge.
    :ivar description: at most 255 bytes, for people.
    :ivar metadata: at most 4096 bytes, opaque; it comes back byte for byte.
    :ivar backend: who answers.
    :ivar modules: each module of the route has a key of its own; one that is given takes the place of the old one.
    """

    match_type: Annotated[MatchType | None, EMPTY_KEEPS] = None
    match: Annotated[str | None, EMPTY_KEEPS] = None
    description: Annotated[str | None, EMPTY_KEEPS] = None
    metadata: Annotated[str | None, EMPTY_KEEPS] = None
    backend: BackendRef | None = None
    modules: RouteModules = field(default_factory=dict)


@implementer(IAPIResource)
class HTTPSEdgeRoutes:
    """Routes are parts of the record of their edge."""

    name = "https_edge_routes"

    def methods(self) -> Iterator[Method]:
        """IAPIResource."""
        item = PATH + "/{id}"
        yield self._method("POST", PATH, "create", self._create, "Make a route.", RouteCreate, RouteView, 201)
        yield self._method("GET", item, "get", self._get, "Read a route.", None, RouteView)
        yield self._method("PATCH", item, "update", self._update, "Change a route.", RouteUpdate, RouteView)
        yield self._method("DELETE", item, "delete", self._delete, "Delete a route.", None, None, 204)

    def _method(
        self, verb: str, path: str, action: str, perform: Any, summary: str, body: Any, answer: Any, status: int = 200
    ) -> Method:
        return Method(
            verb=verb,
            path=path,
            action=action,
            perform=perform,
            summary=summary,
            body=body,
            answer=answer,
            status=status,
            deprecated=True,
        )

    def find(self, call: Call, records: Snapshot) -> tuple[HTTPSEdge, int]:
        """
        The edge that the path means, and which of its routes.

        :raises APIError: 404.
        """
        edge, id = https_edges.find(call, records, call.params["edge_id"]), call.params["id"]
        if not _ID.match(id):
            raise APIError(MALFORMED_ID, f"'{id[:60]}' is not the id of a route.")
        for number, route in enumerate(edge.routes):
            if route.id == id:
                return edge, number
        raise NotFound("route", id, CODES[""])

    async def _create(self, call: Call) -> Answer:
        https_edges.find(call, call.records, call.params["edge_id"])
        _check_edge(call)
        body = read_create(RouteCreate, call.data, call.params, CODES)
        made = HTTPSEdgeRoute(
            id=call.parts.new_id(ROUTE_PREFIX),
            created_at=call.parts.now(),
            **{item.name: getattr(body, item.name) for item in fields(body)},
        )

        def change(records: Snapshot) -> HTTPSEdge:
            edge = https_edges.find(call, records, call.params["edge_id"])
            return replace(edge, routes=(*edge.routes, made))

        edge = await write_edge(call, change, CODES, lambda edge: route_path(len(edge.routes) - 1))
        return Answer(201, route_view(call, edge, made))

    def _get(self, call: Call) -> Answer:
        edge, number = self.find(call, call.records)
        return Answer(200, route_view(call, edge, edge.routes[number]))

    async def _update(self, call: Call) -> Answer:
        self.find(call, call.records)
        _check_edge(call)
        body = read_update(RouteUpdate, call.data, call.params, CODES)
        plain = {name: value for name, value in given_values(body).items() if name not in ("backend", "modules")}
        edge, number = await self.change(call, lambda route: given_slots(replace(route, **plain), body), CODES)
        return Answer(200, route_view(call, edge, edge.routes[number]))

    async def change(
        self, call: Call, change: Callable[[HTTPSEdgeRoute], HTTPSEdgeRoute], codes: Mapping[str, int], part: str = ""
    ) -> tuple[HTTPSEdge, int]:
        """
        Change the route that the path means.

        :param change: gives the route as it is to be.
        :param codes: ngrok's numbers for bad values of the part's fields.
        :param part: the part of the route that is changed, such as a module's name; empty for all of it.
        :return: its edge after that, in force, and which of the routes it is.
        :raises APIError: with everything that stands against it.
        """

        def changed(records: Snapshot) -> HTTPSEdge:
            edge, number = self.find(call, records)
            routes = list(edge.routes)
            routes[number] = change(routes[number])
            return replace(edge, routes=tuple(routes))

        def path(edge: HTTPSEdge) -> str:
            numbers = (number for number, route in enumerate(edge.routes) if route.id == call.params["id"])
            return join(route_path(next(numbers)), part) if part else route_path(next(numbers))

        await write_edge(call, changed, codes, path)
        return self.find(call, call.records)

    async def _delete(self, call: Call) -> Answer:
        def without(records: Snapshot) -> HTTPSEdge:
            edge, number = self.find(call, records)
            return replace(edge, routes=edge.routes[:number] + edge.routes[number + 1 :])

        await write_edge(call, without, CODES)
        return Answer(204)


def route_path(number: int) -> str:
    """Where a route is in its edge."""
    return join("routes", number)


def _check_edge(call: Call) -> None:
    """
    :raises APIError: the body names another edge than the path.
    """
    named = call.data.get("edge_id") if isinstance(call.data, dict) else None
    if named is not None and named != call.params["edge_id"]:
        raise APIError(_OTHER_EDGE, "The edge_id in the body is not that of the path: take it out.")


https_edge_routes = HTTPSEdgeRoutes()
