"""
`EdgeEndpoint`: a hostport of a configured edge, as it is listed among the endpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Mapping

from ngrok_twisted.hostnames import split_hostport
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.edge import HTTPSEdge, TCPEdge, TLSEdge
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.records.ids import related_id

_EDGES: tuple[tuple[str, type[Any]], ...] = (("https", HTTPSEdge), ("tls", TLSEdge), ("tcp", TCPEdge))


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeEndpoint:
    """
    :ivar id: follows from the edge's and the hostport, and sorts where the edge's does.
    :ivar account_id: the owner's.
    :ivar created_at: the edge's, seconds since the epoch.
    :ivar proto: ``https``, ``tls`` or ``tcp``.
    :ivar host: the name.
    :ivar port: the port.
    :ivar edge_id: the edge.
    :ivar description: the edge's.
    :ivar metadata: the edge's.
    """

    id: str
    account_id: str
    created_at: float
    proto: str
    host: str
    port: int
    edge_id: str
    description: str
    metadata: str


class EdgeEndpoints:
    """The edge endpoints of the newest records that were asked about; made anew only when an edge has changed."""

    def __init__(self) -> None:
        self._tables: tuple[Any, ...] = ()
        self._found: Mapping[str, EdgeEndpoint] = {}

    def of(self, records: Snapshot) -> Mapping[str, EdgeEndpoint]:
        """All of them, of every account, by id."""
        tables = tuple(records.tables.get(cls.family) for _, cls in _EDGES)
        if len(tables) != len(self._tables) or any(new is not old for new, old in zip(tables, self._tables)):
            self._found = {endpoint.id: endpoint for endpoint in _all(records)}
            self._tables = tables
        return self._found


def _all(records: Snapshot) -> Iterator[EdgeEndpoint]:
    for proto, cls in _EDGES:
        for edge in records.all(cls):
            for hostport in edge.hostports:
                host, port = split_hostport(hostport)
                yield EdgeEndpoint(
                    id=related_id(Endpoint.prefix, edge.id, hostport),
                    account_id=edge.account_id,
                    created_at=edge.created_at,
                    proto=proto,
                    host=host,
                    port=port,
                    edge_id=edge.id,
                    description=edge.description,
                    metadata=edge.metadata,
                )
