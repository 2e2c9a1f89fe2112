"""
Edges: public names or addresses, the modules that stand before them, and the backend that answers.

Modules are kept as a mapping of the module kind's name to a `Module`: its settings, and whether it is switched on.
"""

from __future__ import annotations

from dataclasses import dataclass, field, make_dataclass
from functools import lru_cache
from typing import Annotated, Any, Callable, ClassVar, Literal, Mapping

from ngrok_twisted import kinds
from ngrok_twisted.interfaces import IModuleKind
from ngrok_twisted.marks import READ_ONLY, REST, ByName
from ngrok_twisted.records.base import Record

_STREAM_MODULES = frozenset({"ip_restriction", "traffic_policy"})
_TLS_MODULES = frozenset({"mutual_tls", "tls_termination"})

#: The modules of ngrok's edges (API, "Edge Modules") by where they attach; see the specification of edges, section 5.1.
#: Those that there is no kind of are not built into this version.
PLANNED: Mapping[str, frozenset[str]] = {
    "https": _TLS_MODULES,
    "tls": _TLS_MODULES | _STREAM_MODULES,
    "tcp": _STREAM_MODULES,
    "route": frozenset(
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
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """
    A module of one edge or route.

    :ivar enabled: traffic passes it by otherwise, and its settings stay.
    :ivar config: an instance of the config class of its kind.
    """

    enabled: bool = True
    config: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        # The classes that `module_type` makes have no name by which another process could find them.
        return _again, (type(self) is Module, self.enabled, self.config)


def _again(plain: bool, enabled: bool, config: Any) -> Module:
    return Module(enabled=enabled, config=config) if plain else module(config, enabled)


@lru_cache(maxsize=None)
def module_type(config: type) -> type[Module]:
    """
    The class of `Module` whose keys are ``enabled`` and those of a config class.
    """
    made: type[Module] = make_dataclass(
        config.__name__.removesuffix("Config") + "Module",
        [("config", Annotated[config, REST])],
        bases=(Module,),
        frozen=True,
        slots=True,
        kw_only=True,
        namespace={"__doc__": config.__doc__, "__module__": config.__module__},
    )
    return made


def module(config: Any, enabled: bool = True) -> Module:
    """A module with these settings."""
    cls: Any = type(config)
    return module_type(cls)(config=config, enabled=enabled)


def module_kinds(attaches: str) -> Mapping[str, Any]:
    """
    The module kinds that may stand in one place, by name.

    :param attaches: ``route``, ``https``, ``tls`` or ``tcp``.
    """
    found = kinds.discover("ngrok_twisted.modules", IModuleKind)
    return {name: kind for name, kind in found.items() if attaches in kind.attaches}


def config_type(kind: Any, attaches: str) -> type:
    """The config class of a module kind in one place."""
    found: type = getattr(kind, "configs", {}).get(attaches, kind.Config)
    return found


def module_types(attaches: str) -> Mapping[str, type[Module]]:
    """The class of `Module` of each module kind that may stand in one place, by name."""
    return {name: module_type(config_type(kind, attaches)) for name, kind in module_kinds(attaches).items()}


def _modules(attaches: str) -> ByName:
    types: Callable[[], Mapping[str, type]] = lambda: module_types(attaches)
    return ByName(types, word="module", planned=PLANNED[attaches])


RouteModules = Annotated[Mapping[str, Any], _modules("route"), REST]
HTTPSModules = Annotated[Mapping[str, Any], _modules("https"), REST]
TLSModules = Annotated[Mapping[str, Any], _modules("tls"), REST]
TCPModules = Annotated[Mapping[str, Any], _modules("tcp"), REST]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRef:
    """
    :ivar enabled: whether it is asked.
    :ivar backend_id: the `Backend` that answers.
    """

    enabled: bool = True
    backend_id: str


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
    :ivar created_at: seconds since the epoch.
    """

    match_type: Literal["exact_path", "path_prefix"] = "path_prefix"
    match: str = "/"
    backend: BackendRef | None = None
    modules: RouteModules = field(default_factory=dict)
    description: str = ""
    metadata: str = ""
    id: Annotated[str, READ_ONLY] = ""
    created_at: Annotated[float, READ_ONLY] = 0.0


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
