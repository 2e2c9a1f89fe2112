"""
Edges: public names or addresses, the modules that stand before them, and the backend that answers.

Modules are kept as a mapping of the module kind's name to an instance of its ``Config``; a module that is there is enabled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Callable, ClassVar, Literal, Mapping

from ngrok_twisted import kinds
from ngrok_twisted.interfaces import IModuleKind
from ngrok_twisted.marks import READ_ONLY, REST, ByName
from ngrok_twisted.records.base import Record

#: The modules of ngrok's edges (API, "Edge Modules") by where they attach; see the specification of edges, section 5.1.
_STREAM_MODULES = frozenset({"ip_restriction", "traffic_policy"})
_TLS_MODULES = frozenset({"mutual_tls", "tls_termination"})
_ROUTE_MODULES = frozenset(
    {
        "basic_auth",
        "circuit_breaker",
        "compression",
        "ip_restriction",
        "oauth",
        "oidc",
        "request_headers",
        "response_headers",
        "saml",
        "traffic_policy",
        "user_agent_filter",
        "webhook_verification",
        "websocket_tcp_converter",
    }
)


def module_configs(attaches: str) -> Mapping[str, type]:
    """
    The config class of each module kind that may stand in one place, by name.

    :param attaches: ``route``, ``https``, ``tls`` or ``tcp``.
    """
    found = kinds.discover("ngrok_twisted.modules", IModuleKind)
    return {name: kind.Config for name, kind in found.items() if attaches in kind.attaches}


def _modules(attaches: str, planned: frozenset[str]) -> ByName:
    types: Callable[[], Mapping[str, type]] = lambda: module_configs(attaches)
    return ByName(types, word="module", planned=planned, switched=True)


RouteModules = Annotated[Mapping[str, Any], _modules("route", _ROUTE_MODULES), REST]
HTTPSModules = Annotated[Mapping[str, Any], _modules("https", _TLS_MODULES), REST]
TLSModules = Annotated[Mapping[str, Any], _modules("tls", _TLS_MODULES | _STREAM_MODULES), REST]
TCPModules = Annotated[Mapping[str, Any], _modules("tcp", _STREAM_MODULES), REST]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRef:
    """
    :ivar backend_id: the `Backend` that answers.
    :ivar enabled: whether it is asked.
    """

    backend_id: str
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPSEdgeRoute:
    """
    :ivar match_type: ``exact_path`` or ``path_prefix``; the longest prefix wins, on the boundary of a segment.
    :ivar match: the path, starting with ``/``.
    :ivar backend: who answers; without one the edge says so.
    :ivar modules: what happens on the way; each has a key of its own.
    :ivar description: at most 255 bytes, for people.
    :ivar metadata: at most 4096 bytes, opaque.
    :ivar id: the public id, ``edghtsrt_…``.
    """

    match_type: Literal["exact_path", "path_prefix"] = "path_prefix"
    match: str = "/"
    backend: BackendRef | None = None
    modules: RouteModules = field(default_factory=dict)
    description: str = ""
    metadata: str = ""
    id: Annotated[str, READ_ONLY] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPSEdge(Record):
    """
    :ivar hostports: reserved domains with port 443, such as ``shop.example.org:443``.
    :ivar routes: in the order they were written.
    :ivar modules: what takes part in the TLS handshake and before the routes.
    :ivar name: what the configuration calls it, possibly empty.
    """

    family: ClassVar[str] = "https_edges"
    prefix: ClassVar[str] = "edghts"

    hostports: tuple[str, ...] = ()
    routes: tuple[HTTPSEdgeRoute, ...] = ()
    modules: HTTPSModules = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSEdge(Record):
    """
    :ivar hostports: reserved domains with port 443.
    :ivar backend: who answers.
    :ivar modules: what happens to connections on the way.
    :ivar name: what the configuration calls it, possibly empty.
    """

    family: ClassVar[str] = "tls_edges"
    prefix: ClassVar[str] = "edgtls"

    hostports: tuple[str, ...] = ()
    backend: BackendRef | None = None
    modules: TLSModules = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TCPEdge(Record):
    """
    :ivar hostports: reserved TCP addresses.
    :ivar backend: who answers.
    :ivar modules: what happens to connections on the way.
    :ivar name: what the configuration calls it, possibly empty.
    """

    family: ClassVar[str] = "tcp_edges"
    prefix: ClassVar[str] = "edgtcp"

    hostports: tuple[str, ...] = ()
    backend: BackendRef | None = None
    modules: TCPModules = field(default_factory=dict)
    name: str = ""
