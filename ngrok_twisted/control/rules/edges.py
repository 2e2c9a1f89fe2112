"""
What must hold for edges: their hostports, their routes, and what their backends and modules refer to.
"""

from __future__ import annotations

from typing import Any, Iterator

from zope.interface import implementer

from ngrok_twisted import kinds
from ngrok_twisted.control.around import Around
from ngrok_twisted.control.backend_graph import carries_streams
from ngrok_twisted.control.hostports import hostport_problems
from ngrok_twisted.document import join
from ngrok_twisted.interfaces import IRecordRules
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.edge import HTTPSEdge, HTTPSEdgeRoute, TCPEdge, TLSEdge, module_kinds
from ngrok_twisted.records.references import references

#: Characters of a route's path (ERR_NGROK_7135), and routes of one edge (ERR_NGROK_7128).
MATCH_MAX = 2048
ROUTES_MAX = 250

#: ngrok's numbers for routes.
_TAKEN, _TOO_MANY, _FORM, _TOO_LONG = 7126, 7128, 7131, 7135

#: ngrok's numbers for a backend that is not there, for one that cannot serve such an edge, and for a module that can do
#: nothing where TLS passes through.
_NO_BACKEND, _UNSUPPORTED, _NOT_TERMINATED = 6501, 7021, 7062

#: Bytes of the texts of a route, as of those of records.
DESCRIPTION_MAX, METADATA_MAX = 255, 4096
_DESCRIPTION, _METADATA = 7073, 7074

Problems = Iterator[Problem]


@implementer(IRecordRules)
class HTTPSEdgeRules:
    """Names belong to the account and to one edge; each route is different."""

    name = HTTPSEdge.family

    def problems(self, record: HTTPSEdge, around: Around) -> Problems:
        """IRecordRules."""
        yield from hostport_problems(record, around)
        yield from _module_problems(record, record, "https", "", around)
        yield from _matches(record)
        for number, route in enumerate(record.routes):
            path = join("routes", number)
            yield from _texts(route, path)
            yield from _backend_problems(record, route, path, around)
            yield from _module_problems(record, route, "route", path, around)


@implementer(IRecordRules)
class StreamEdgeRules:
    """The same for edges that carry bytes: their backend must be able to."""

    def __init__(self, cls: type[Any], place: str) -> None:
        """
        :param place: what modules call such edges.
        """
        self.name = cls.family
        self._place = place

    def problems(self, record: TLSEdge | TCPEdge, around: Around) -> Problems:
        """IRecordRules."""
        yield from hostport_problems(record, around)
        yield from _backend_problems(record, record, "", around)
        yield from _module_problems(record, record, self._place, "", around)
        if record.backend is not None and not carries_streams(record.backend.backend_id, around):
            message = "answers requests, but this edge carries bytes: choose a backend that can be dialled"
            yield Problem("backend.backend_id", message, code=_UNSUPPORTED)
        if isinstance(record, TLSEdge):
            yield from _termination_problems(record)


def _matches(edge: HTTPSEdge) -> Problems:
    if len(edge.routes) > ROUTES_MAX:
        yield Problem("routes", f"are more than {ROUTES_MAX}", code=_TOO_MANY)
    seen: dict[tuple[str, str], str] = {}
    for number, route in enumerate(edge.routes):
        inner = join("routes", number)
        path = join(inner, "match")
        if not route.match.startswith("/") or any(not 0x21 <= ord(letter) <= 0x7E for letter in route.match):
            yield Problem(path, "must be a path that starts with '/', percent-encoded", code=_FORM)
        if "?" in route.match or "#" in route.match:
            yield Problem(path, "is compared with the path alone, without a query or fragment", code=_FORM)
        if len(route.match) > MATCH_MAX:
            yield Problem(path, f"is longer than {MATCH_MAX} characters", code=_TOO_LONG)
        other = seen.setdefault((route.match_type, route.match), inner)
        if other != inner:
            yield Problem(path, f"{other} matches the same paths", code=_TAKEN)


def _texts(route: HTTPSEdgeRoute, path: str) -> Problems:
    for name, most, code in (("description", DESCRIPTION_MAX, _DESCRIPTION), ("metadata", METADATA_MAX, _METADATA)):
        if len(getattr(route, name).encode("utf-8", "surrogatepass")) > most:
            yield Problem(join(path, name), f"is longer than {most} bytes", code=code)


def _backend_problems(edge: Any, holder: Any, path: str, around: Around) -> Problems:
    if holder.backend is not None:
        found = around.records.get(Backend, holder.backend.backend_id)
        if found is None or found.account_id != edge.account_id:
            inner = join(join(path, "backend"), "backend_id")
            yield Problem(inner, f"there is no backend {holder.backend.backend_id[:60]}", code=_NO_BACKEND)


def _module_problems(edge: Any, holder: Any, place: str, path: str, around: Around) -> Problems:
    known = module_kinds(place)
    before = around.before.get(type(edge), edge.id)
    for name, module in holder.modules.items():
        codes = getattr(known[name], "codes", {})
        config: Any = type(module.config)
        for reference in references(config):
            family = kinds.records()[reference.family]
            for inner, id in reference.ids(module.config):
                found = around.records.get(family, id)
                if found is not None and found.account_id == edge.account_id:
                    continue
                if before is None or (reference.family, id) not in set(_named(before)):
                    message = f"there is nothing with the id {id[:60]} in {reference.family}"
                    yield Problem(join(path, f"{name}.{inner}"), message, code=codes.get(reference.field, 0))


def _named(edge: Any) -> Iterator[tuple[str, str]]:
    """
    The families and ids that the modules of an edge name. What it named before may have been deleted meanwhile, where that
    is allowed; a change of something else is not the time to complain.
    """
    for holder in (edge, *getattr(edge, "routes", ())):
        for module in holder.modules.values():
            config: Any = type(module.config)
            for reference in references(config):
                yield from ((reference.family, id) for _, id in reference.ids(module.config))


def _termination_problems(edge: TLSEdge) -> Problems:
    """A module that must look into TLS cannot be had where TLS passes the edge: nobody would be kept out."""
    termination = edge.modules.get("tls_termination")
    if termination is not None and termination.enabled and termination.config.terminate_at == "edge":
        return
    known = module_kinds("tls")
    for name, module in edge.modules.items():
        if module.enabled and getattr(known[name], "needs_termination", False):
            message = "needs TLS to end at the edge: set tls_termination with terminate_at: edge first"
            yield Problem(name, message, code=_NOT_TERMINATED)


https_edges = HTTPSEdgeRules()
tls_edges = StreamEdgeRules(TLSEdge, "tls")
tcp_edges = StreamEdgeRules(TCPEdge, "tcp")
