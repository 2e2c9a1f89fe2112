"""
Tests for `ngrok_twisted.control.api.resources.tcp_edges`.
"""

from __future__ import annotations

from tests.control.api.resources.edge_case import POLICY, EdgeCase


class TCPEdgeTests(EdgeCase):
    """TCP edges are made, read, listed, changed and deleted."""

    def test_life(self) -> None:
        """An edge comes back as it was made until it is changed and deleted."""
        made = self.ok("POST", "/edges/tcp", {"hostports": ["tcp.example.com:20001"]})
        self.assertEqual(
            made,
            {
                "id": made["id"],
                "uri": f"https://api.example.com/edges/tcp/{made['id']}",
                "created_at": "2026-01-01T00:00:00Z",
                "description": "",
                "metadata": "",
                "hostports": ["tcp.example.com:20001"],
                "backend": None,
                "ip_restriction": None,
                "traffic_policy": None,
                "policy": None,
            },
        )
        path = "/edges/tcp/" + made["id"]
        changed = self.ok(
            "PATCH", path, {"ip_restriction": {"ip_policy_ids": [POLICY]}, "hostports": ["tcp.example.com:20002"]}
        )
        self.assertEqual(changed["ip_restriction"]["ip_policies"][0]["id"], POLICY)
        self.assertEqual(changed["hostports"], ["tcp.example.com:20002"])
        self.assertEqual(self.ok("GET", "/edges/tcp")["tcp_edges"], [changed])
        self.assertEqual(self.status("DELETE", path), 204)
        self.assertEqual(self.refused("GET", path).code, 7000)

    def test_no_tls(self) -> None:
        """There is no TLS in it."""
        self.assertEqual(self.codes("POST", "/edges/tcp", {"tls_termination": {}}), {"tls_termination": 214})
