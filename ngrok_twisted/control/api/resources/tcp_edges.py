"""
``/edges/tcp``: addresses whose connections go to one backend.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ngrok_twisted.control.api.edges import EdgeCollection, edge_codes
from ngrok_twisted.control.api.modules import OldPolicy, holder_view_type
from ngrok_twisted.control.api.shapes import Seen, Texts, TextsUpdate
from ngrok_twisted.records.edge import BackendRef, TCPEdge, TCPModules


@dataclass(frozen=True, slots=True, kw_only=True)
class TCPEdgeCreate(Texts):
    """
    :ivar hostports: the reserved addresses it serves.
    :ivar backend: who answers.
    :ivar modules: each module of the edge has a key of its own.
    """

    hostports: tuple[str, ...] = ()
    backend: BackendRef | None = None
    modules: TCPModules = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TCPEdgeUpdate(TextsUpdate):
    """
    :ivar hostports: the reserved addresses it serves.
    :ivar backend: who answers.
    :ivar modules: each module of the edge has a key of its own; one that is given takes the place of the old one.
    """

    hostports: tuple[str, ...] | None = None
    backend: BackendRef | None = None
    modules: TCPModules = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen(Seen):
    """
    :ivar hostports: the addresses it serves; null for none.
    :ivar policy: always null: the old name of ``traffic_policy``.
    """

    hostports: tuple[str, ...] | None
    policy: OldPolicy | None


class TCPEdges(EdgeCollection[TCPEdge]):
    """The collection of TCP edges."""

    name = "tcp_edges"
    path = "/edges/tcp"
    list_key = "tcp_edges"
    noun = "TCP edge"
    place = "tcp"
    record = TCPEdge
    View = holder_view_type("TCPEdgeView", _Seen, "tcp")
    Create = TCPEdgeCreate
    Update = TCPEdgeUpdate
    declared_at = "edges.tcp"
    codes = edge_codes("tcp")


tcp_edges = TCPEdges()
