"""
Tests for `ngrok_twisted.control.api.resources.tls_edges`.
"""

from __future__ import annotations

from tests.control.api.resources.edge_case import CA, EdgeCase


class TLSEdgeTests(EdgeCase):
    """TLS edges are made, read, listed, changed and deleted."""

    def test_life(self) -> None:
        """An edge comes back as it was made until it is changed and deleted."""
        group = self.group()
        made = self.ok("POST", "/edges/tls", {"hostports": ["shop.example.org:443"], "backend": {"backend_id": group}})
        ref = {"id": group, "uri": f"https://api.example.com/backends/tunnel_group/{group}"}
        self.assertEqual(
            made,
            {
                "id": made["id"],
                "uri": f"https://api.example.com/edges/tls/{made['id']}",
                "created_at": "2026-01-01T00:00:00Z",
                "description": "",
                "metadata": "",
                "hostports": ["shop.example.org:443"],
                "backend": {"enabled": True, "backend": ref},
                "ip_restriction": None,
                "mutual_tls": None,
                "tls_termination": None,
                "traffic_policy": None,
                "policy": None,
            },
        )
        path = "/edges/tls/" + made["id"]
        module = {"enabled": True, "terminate_at": "edge", "min_version": "1.0"}
        changed = self.ok("PATCH", path, {"tls_termination": module})
        self.assertEqual(changed, {**made, "tls_termination": module})
        self.assertEqual(self.ok("GET", "/edges/tls")["tls_edges"], [changed])
        self.assertEqual(self.status("DELETE", path), 204)
        self.assertEqual(self.refused("GET", path).code, 7000)

    def test_termination(self) -> None:
        """A version is only to be had where TLS ends at the edge, and so is mutual TLS."""
        upstream = {"terminate_at": "upstream"}
        self.assertEqual(
            self.ok("GET", self.edge("tls", tls_termination=upstream))["tls_termination"]["min_version"], None
        )
        bad = {"tls_termination": {**upstream, "min_version": "1.2"}}
        self.assertEqual(self.codes("POST", "/edges/tls", bad), {"tls_termination.min_version": 219})
        staff = {"certificate_authority_ids": [CA]}
        for termination in (None, upstream, {"terminate_at": "edge", "enabled": False}):
            body = {"mutual_tls": staff, "tls_termination": termination}
            self.assertEqual(self.codes("POST", "/edges/tls", body), {"mutual_tls": 7062})
        path = self.edge("tls", mutual_tls=staff, tls_termination={"terminate_at": "edge"})
        self.assertEqual(self.refused("DELETE", path + "/tls_termination").code, 7062)
        self.ok("PUT", path + "/mutual_tls", {**staff, "enabled": False})
        self.assertEqual(self.status("DELETE", path + "/tls_termination"), 204)

    def test_backend(self) -> None:
        """A backend that answers requests only is none for an edge of bytes, also behind others."""
        answer = self.ok("POST", "/backends/http_response", {"body": "x"})["id"]
        only = self.ok("POST", "/backends/failover", {"backends": [answer]})["id"]
        mixed = self.ok("POST", "/backends/failover", {"backends": [self.group(), answer]})["id"]
        for kind in ("tls", "tcp"):
            for id in (answer, only):
                body = {"backend": {"backend_id": id}}
                self.assertEqual(self.codes("POST", f"/edges/{kind}", body), {"backend.backend_id": 7021})
            self.edge(kind, backend={"backend_id": mixed})
