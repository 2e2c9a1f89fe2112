"""
The modules of edges and routes, and their backends, each with a path of its own: PUT replaces it whole, GET reads it, DELETE
takes it away.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator

from zope.interface import implementer

from ngrok_twisted.control.api.bodies import read_replace
from ngrok_twisted.control.api.call import Call
from ngrok_twisted.control.api.edges import EdgeCollection, write_edge
from ngrok_twisted.control.api.errors import APIError
from ngrok_twisted.control.api.method import Answer, Method
from ngrok_twisted.control.api.modules import UNSUPPORTED, Slot, slots, view
from ngrok_twisted.control.api.resources.https_edge_routes import PATH as ROUTES
from ngrok_twisted.control.api.resources.https_edge_routes import https_edge_routes
from ngrok_twisted.control.api.resources.https_edges import https_edges
from ngrok_twisted.control.api.resources.tcp_edges import tcp_edges
from ngrok_twisted.control.api.resources.tls_edges import tls_edges
from ngrok_twisted.interfaces import IAPIResource
from ngrok_twisted.records.base import Snapshot

Change = Callable[[Any], Any]


class _OfEdge:
    """What stands in an edge itself."""

    def __init__(self, edges: EdgeCollection[Any]) -> None:
        self.place = edges.place
        self.path = edges.path + "/{id}"
        self._edges = edges

    def find(self, call: Call) -> Any:
        """The edge that the path means."""
        return self._edges.find(call, call.records, call.params["id"])

    async def change(self, call: Call, slot: Slot, change: Change) -> Any:
        """:return: the edge after the change."""

        def changed(records: Snapshot) -> Any:
            return change(self._edges.find(call, records, call.params["id"]))

        return await write_edge(call, changed, slot.codes, lambda edge: slot.name)


class _OfRoute:
    """What stands in a route."""

    place = "route"
    path = ROUTES + "/{id}"

    def find(self, call: Call) -> Any:
        """The route that the path means."""
        edge, number = https_edge_routes.find(call, call.records)
        return edge.routes[number]

    async def change(self, call: Call, slot: Slot, change: Change) -> Any:
        """:return: the route after the change."""
        edge, number = await https_edge_routes.change(call, change, slot.codes, slot.name)
        return edge.routes[number]


class _Methods:
    """The methods of one slot."""

    def __init__(self, holders: Any, slot: Slot) -> None:
        self._holders = holders
        self._slot = slot

    def methods(self) -> Iterator[Method]:
        """PUT, GET and DELETE."""
        name = self._slot.name
        yield self._method("PUT", "replace", self._replace, f"Set {name}, whole.", body=self._slot.body)
        yield self._method("GET", "get", self._get, f"Read {name}.")
        yield self._method("DELETE", "delete", self._delete, f"Take {name} away.", status=204)

    def _method(self, verb: str, action: str, perform: Any, summary: str, **more: Any) -> Method:
        return Method(
            verb=verb,
            path=f"{self._holders.path}/{self._slot.name}",
            action=action,
            perform=perform,
            summary=summary if self._slot.body else "Not built into this version.",
            answer=None if verb == "DELETE" else self._slot.view,
            deprecated=True,
            **more,
        )

    async def _replace(self, call: Call) -> Answer:
        self._holders.find(call)
        if self._slot.body is None:
            message = f"The module {self._slot.name} is not built into this version of the server."
            raise APIError(UNSUPPORTED, message)
        body: Any = read_replace(self._slot.body, call.data, call.params, self._slot.codes)
        holder = await self._holders.change(call, self._slot, lambda holder: self._slot.put(holder, body))
        return Answer(200, view(call, self._slot.get(holder), holder.id))

    def _get(self, call: Call) -> Answer:
        holder = self._holders.find(call)
        value = None if self._slot.body is None else self._slot.get(holder)
        if value is None:
            raise APIError(None, f"There is no {self._slot.name} here: it is not set.", status=404)
        return Answer(200, view(call, value, holder.id))

    async def _delete(self, call: Call) -> Answer:
        holder = self._holders.find(call)
        if self._slot.body is not None and self._slot.get(holder) is not None:
            await self._holders.change(call, self._slot, lambda holder: self._slot.put(holder, None))
        return Answer(204)


@implementer(IAPIResource)
class EdgeModules:
    """Every slot of every place: those of kinds that are added later, too."""

    name = "edge_modules"

    def methods(self) -> Iterator[Method]:
        """IAPIResource."""
        for holders in (_OfEdge(https_edges), _OfRoute(), _OfEdge(tls_edges), _OfEdge(tcp_edges)):
            for slot in slots(holders.place).values():
                yield from _Methods(holders, slot).methods()


edge_modules = EdgeModules()
