"""
Tests for `ngrok_twisted.control.api.edge_endpoints`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.api.edge_endpoints import EdgeEndpoints
from ngrok_twisted.records.base import Delete, Put, Snapshot
from ngrok_twisted.records.edge import HTTPSEdge, TCPEdge
from ngrok_twisted.records.ids import new_id
from ngrok_twisted.records.vault import Vault

EDGE = HTTPSEdge(
    id=new_id("edghts", 1_767_225_600), account_id="ac_1", hostports=("a.example.com:443", "b.example.com:443")
)
TCP = TCPEdge(id=new_id("edgtcp", 1_767_225_601), account_id="ac_2", hostports=("tcp.example.com:20001",))


class EdgeEndpointsTests(SynchronousTestCase):
    """Each hostport of an edge is an endpoint."""

    def setUp(self) -> None:
        self.endpoints = EdgeEndpoints()
        self.records = Snapshot().with_changes([Put(EDGE), Put(TCP)])

    def test_all(self) -> None:
        """Every hostport of every kind of edge is there, with an id of its own that sorts as its edge does."""
        found = self.endpoints.of(self.records)
        places = [(one.proto, one.host, one.port, one.account_id, one.edge_id) for one in found.values()]
        self.assertEqual(
            places,
            [
                ("https", "a.example.com", 443, "ac_1", EDGE.id),
                ("https", "b.example.com", 443, "ac_1", EDGE.id),
                ("tcp", "tcp.example.com", 20001, "ac_2", TCP.id),
            ],
        )
        self.assertEqual(len(found), 3)
        self.assertTrue(max(list(found)[:2]) < list(found)[2])

    def test_kept(self) -> None:
        """They are made anew when an edge has changed, and only then; the ids stay."""
        found = self.endpoints.of(self.records)
        self.assertIs(self.endpoints.of(self.records.with_changes([Put(Vault(id="vault_1", name="v"))])), found)
        less = self.endpoints.of(self.records.with_changes([Delete(TCPEdge, TCP.id)]))
        self.assertEqual(list(less), list(found)[:2])
