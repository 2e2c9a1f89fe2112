"""
Edges that are configured, as opposed to the endpoints that agents open: hostports, routes, modules and backends.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Iterator

from zope.interface import implementer

from ngrok_twisted.backend import BackendContext
from ngrok_twisted.edge.chain import Chain
from ngrok_twisted.edge.context import EdgeContext, inside_of
from ngrok_twisted.edge.https import Entry, HTTPSEdge
from ngrok_twisted.edge.routes import RoutesResource
from ngrok_twisted.edge.streams import StreamEdge, TerminatedStreams
from ngrok_twisted.errors import NoBackend, NobodyServes
from ngrok_twisted.flow import Flow
from ngrok_twisted.hostnames import split_hostport
from ngrok_twisted.interfaces import IBackend
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.records import edge as records
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.base import Record, Snapshot
from ngrok_twisted.tls.options import TLSOptions
from ngrok_twisted.upstream.forward import Forward

#: A TLS edge leaves the handshake to its backend, unless a module says otherwise; then it speaks no protocol by name, since
#: it does not know what is inside.
_PASSED_THROUGH = TLSOptions(alpn=(), terminated=False)


@implementer(IBackend)
class Nobody:
    """The backend of a route that has none."""

    def candidates(self, flow: Flow) -> Iterator[Any]:
        """IBackend."""
        return iter(())


class Backends:
    """
    Makes the backends of one edge, and notes which records they came from.

    :ivar used: the `Backend` records, in the order they were met.
    """

    def __init__(
        self,
        account_id: str,
        snapshot: Snapshot,
        context: EdgeContext,
        is_own_port: Callable[[int], bool] = lambda port: False,
    ) -> None:
        self.used: list[Record] = []
        self._snapshot = snapshot
        self._kinds = context.backend_kinds
        self._open: list[str] = []
        self._account_id = account_id
        self._context = BackendContext(
            tunnels=context.tunnels,
            account_id=account_id,
            find=self.find,
            random=context.runtime.random,
            reactor=context.runtime.reactor,
            is_own_port=is_own_port,
        )

    def of(self, reference: records.BackendRef | None) -> Any:
        """The backend that a route or edge names; nobody, where it names none or turned it off."""
        return self.find(reference.backend_id) if reference is not None and reference.enabled else Nobody()

    def find(self, id: str) -> Any:
        """
        :raises LookupError: there is no such backend or no such kind, or it leads back to itself.
        """
        record = self._snapshot.get(Backend, id)
        if record is None or record.account_id != self._account_id:
            raise LookupError(f"there is no backend {id}")
        if id in self._open:
            raise LookupError(f"backend {id} leads back to itself: {' → '.join([*self._open, id])}")
        kind = self._kinds.get(record.kind)
        if kind is None:
            raise LookupError(f"backend {id} is of the kind {record.kind}, which this server does not have")
        self.used.append(record)
        context = replace(self._context, nested=True) if self._open else self._context
        self._open.append(id)
        try:
            return kind(record.config, context)
        finally:
            self._open.pop()


Key = tuple[str, str, int]


_EDGE_RECORDS: tuple[tuple[str, type[Any]], ...] = (
    ("https", records.HTTPSEdge),
    ("tls", records.TLSEdge),
    ("tcp", records.TCPEdge),
)


def edge_records(snapshot: Snapshot) -> Iterator[tuple[str, Any]]:
    """Every configured edge, with the protocol of its URLs."""
    for proto, cls in _EDGE_RECORDS:
        for edge in snapshot.all(cls):
            yield proto, edge


def keys_of(proto: str, edge: Any) -> tuple[Key, ...]:
    """The URLs that an edge owns, as ``(proto, host, port)``."""
    return tuple((proto, *split_hostport(hostport)) for hostport in edge.hostports)


def build(record: Any, snapshot: Snapshot, plane: Any, context: EdgeContext) -> tuple[tuple[Record, ...], Any]:
    """
    :return: the records that the edge came from, its own first, and the live edge.
    :raises LookupError: it cannot be built; the message names it and says why.
    """
    try:
        return _built(record, snapshot, plane, context)
    except LookupError as error:
        raise LookupError(f"edge {record.name or record.id}: {error}") from None


def _built(record: Any, snapshot: Snapshot, plane: Any, context: EdgeContext) -> tuple[tuple[Record, ...], Any]:
    backends = Backends(record.account_id, snapshot, context, plane.is_own_port)
    inside = replace(inside_of(snapshot, plane, context), account_id=record.account_id, used=backends.used)
    chain = Chain(record.modules, context.module_kinds, inside)
    name = record.name or record.id
    if isinstance(record, records.HTTPSEdge):
        resource = RoutesResource([_route(route, backends, inside, context) for route in record.routes])
        entry = Entry(options=chain.amended(TLSOptions()), modules=chain.connection_modules)
        edge: Any = HTTPSEdge(
            name,
            chain.around_resource(resource),
            entry,
            plane,
            context,
            chain.around_factory,
            account_id=record.account_id,
        )
    else:
        by_name = isinstance(record, records.TLSEdge)
        edge = StreamEdge(
            name,
            "tls" if by_name else "tcp",
            backends.of(record.backend),
            plane,
            context,
            account_id=record.account_id,
            terminates=by_name and chain.amended(_PASSED_THROUGH).terminated,
            around_factory=around_tls(chain, plane, context) if by_name else chain.around_factory,
        )
    return (record, *backends.used), edge


def around_tls(chain: Chain, plane: Any, context: EdgeContext) -> Callable[[Any], Any]:
    """What stands around the innermost factory of a TLS edge: its modules, and inside them TLS if it ends here."""
    options = chain.amended(_PASSED_THROUGH)
    if not options.terminated:
        return chain.around_factory
    return lambda inner: chain.around_factory(TerminatedStreams(inner, options, plane, context))


def _route(
    route: records.HTTPSEdgeRoute, backends: Backends, inside: ModuleContext, context: EdgeContext
) -> tuple[str, str, Any]:
    chain = Chain(route.modules, context.module_kinds, replace(inside, place=route.id))
    backend = backends.of(route.backend)
    forward = Forward(
        backend,
        context.runtime.reactor,
        context.pool,
        idle_timeout=context.limits.idle,
        nobody=lambda host: NoBackend() if isinstance(backend, Nobody) else NobodyServes(),
        backend_id="" if route.backend is None else route.backend.backend_id,
    )
    return route.match_type, route.match, chain.around_resource(forward)
