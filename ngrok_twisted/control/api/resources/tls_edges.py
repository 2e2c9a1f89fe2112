"""
``/edges/tls``: names whose connections go to one backend.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ngrok_twisted.control.api.edges import EdgeCollection, edge_codes
from ngrok_twisted.control.api.modules import OldPolicy, holder_view_type
from ngrok_twisted.control.api.shapes import Seen, Texts, TextsUpdate
from ngrok_twisted.records.edge import BackendRef, TLSEdge, TLSModules


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSEdgeCreate(Texts):
    """
    :ivar hostports: the names it serves, each with port 443.
    :ivar backend: who answers.
    :ivar modules: each module of the edge has a key of its own.
    """

    hostports: tuple[str, ...] = ()
    backend: BackendRef | None = None
    modules: TLSModules = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSEdgeUpdate(TextsUpdate):
    """
    :ivar hostports: the names it serves, each with port 443.
    :ivar backend: who answers.
    :ivar modules: each module of the edge has a key of its own; one that is given takes the place of the old one.
    """

    hostports: tuple[str, ...] | None = None
    backend: BackendRef | None = None
    modules: TLSModules = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen(Seen):
    """
    :ivar hostports: the names it serves; null for none.
    :ivar policy: always null: the old name of ``traffic_policy``.
    """

    hostports: tuple[str, ...] | None
    policy: OldPolicy | None


class TLSEdges(EdgeCollection[TLSEdge]):
    """The collection of TLS edges."""

    name = "tls_edges"
    path = "/edges/tls"
    list_key = "tls_edges"
    noun = "TLS edge"
    place = "tls"
    record = TLSEdge
    View = holder_view_type("TLSEdgeView", _Seen, "tls")
    Create = TLSEdgeCreate
    Update = TLSEdgeUpdate
    declared_at = "edges.tls"
    codes = edge_codes("tls")


tls_edges = TLSEdges()
