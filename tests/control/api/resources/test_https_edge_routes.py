"""
Tests for `ngrok_twisted.control.api.resources.https_edge_routes`.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.control.rules import edges
from tests.control.api.harness import OTHER, principal
from tests.control.api.resources.edge_case import POLICY, EdgeCase

#: Every module of a route in ngrok's API.
MODULES = (
    "ip_restriction circuit_breaker compression request_headers response_headers webhook_verification oauth saml oidc "
    "websocket_tcp_converter user_agent_filter traffic_policy policy"
).split()


class RouteTests(EdgeCase):
    """Routes are made, read, changed and deleted, as parts of their edge."""

    def setUp(self) -> None:
        super().setUp()
        self.path = self.edge(hostports=["shop.example.org:443"])
        self.backend_id = self.group()

    def route(self, match: str = "/", **body: Any) -> str:
        """The path of a new route."""
        given = {"match": match, "match_type": "path_prefix", **body}
        return f"{self.path}/routes/" + self.ok("POST", f"{self.path}/routes", given)["id"]

    def test_life(self) -> None:
        """A route comes back as it was made, by itself and in its edge, until it is changed and deleted."""
        body = {
            "match_type": "exact_path",
            "match": "/health",
            "description": "",
            "metadata": "m",
            "backend": {"backend_id": self.backend_id},
        }
        made = self.ok("POST", f"{self.path}/routes", body)
        path = f"{self.path}/routes/{made['id']}"
        ref = {"id": self.backend_id, "uri": f"https://api.example.com/backends/tunnel_group/{self.backend_id}"}
        expected = {
            "edge_id": self.path.rpartition("/")[2],
            "id": made["id"],
            "created_at": "2026-01-01T00:00:00Z",
            "uri": f"https://api.example.com{path}",
            "match_type": "exact_path",
            "match": "/health",
            "description": "",
            "metadata": "m",
            "backend": {"enabled": True, "backend": ref},
            "basic_auth": None,
            **dict.fromkeys(MODULES),
        }
        self.assertEqual(made, expected)
        self.assertEqual(self.ok("GET", path), expected)
        self.assertEqual(self.ok("GET", self.path)["routes"], [expected])
        changed = self.ok(
            "PATCH", path, {"match": "/healthz", "backend": {"backend_id": self.backend_id, "enabled": False}}
        )
        self.assertEqual(changed, {**expected, "match": "/healthz", "backend": {"enabled": False, "backend": ref}})
        self.assertEqual(self.ok("GET", path), changed)
        self.assertEqual(self.status("DELETE", path), 204)
        error = self.refused("GET", path)
        self.assertEqual((error.status, error.code), (404, 7124))
        self.assertEqual(self.ok("GET", self.path)["routes"], [])

    def test_empty_texts(self) -> None:
        """An update cannot blank a text: clients send empty ones for what is to stay."""
        path = self.route("/a", description="d", metadata="m", backend={"backend_id": self.backend_id})
        before = self.ok("GET", path)
        blank = {"match_type": "", "match": "", "description": "", "metadata": "", "backend": None}
        self.assertEqual(self.ok("PATCH", path, blank), before)

    def test_order(self) -> None:
        """A change leaves a route where it is among the others."""
        paths = [self.route(match) for match in ("/a", "/b", "/c")]
        self.ok("PATCH", paths[1], {"description": "d"})
        self.assertEqual([route["match"] for route in self.ok("GET", self.path)["routes"]], ["/a", "/b", "/c"])
        self.status("DELETE", paths[0])
        self.assertEqual([route["match"] for route in self.ok("GET", self.path)["routes"]], ["/b", "/c"])

    def test_matches(self) -> None:
        """A match is a path, and no other route of the edge has it; each problem has ngrok's number."""
        self.route("/taken")
        cases: list[tuple[dict[str, Any], dict[str, int]]] = [
            ({}, {"match_type": 7130, "match": 7123}),
            ({"match_type": "suffix", "match": "/a"}, {"match_type": 7130}),
            ({"match_type": "exact_path", "match": "a"}, {"match": 7131}),
            ({"match_type": "exact_path", "match": "/a?b"}, {"match": 7131}),
            ({"match_type": "exact_path", "match": "/é"}, {"match": 7131}),
            ({"match_type": "exact_path", "match": "/" + "a" * 2048}, {"match": 7135}),
            ({"match_type": "path_prefix", "match": "/taken"}, {"match": 7126}),
        ]
        for body, found in cases:
            self.assertEqual(self.codes("POST", f"{self.path}/routes", body), found)
        self.ok("POST", f"{self.path}/routes", {"match_type": "exact_path", "match": "/taken"})
        other = self.route("/other")
        self.assertEqual(self.codes("PATCH", other, {"match": "/taken"}), {"match": 7126})
        self.assertEqual(self.codes("PATCH", other, {"description": "x" * 256}), {"description": 7073})

    def test_modules(self) -> None:
        """Modules of a PATCH replace the old ones whole, and those that are not built yet are refused."""
        path = self.route(ip_restriction={"ip_policy_ids": [POLICY]})
        ref = {"id": POLICY, "uri": f"https://api.example.com/ip_policies/{POLICY}"}
        self.assertEqual(self.ok("GET", path)["ip_restriction"]["ip_policies"], [ref])
        changed = self.ok("PATCH", path, {"ip_restriction": {"enabled": False, "ip_policy_ids": [POLICY]}})
        self.assertFalse(changed["ip_restriction"]["enabled"])
        self.assertEqual(self.codes("PATCH", path, {"oauth": {}}), {"oauth": 7021})
        self.assertEqual(self.codes("PATCH", path, {"nonsense": {}}), {"nonsense": 214})

    def test_backend(self) -> None:
        """A backend must be there, and the caller's own."""
        body = {"match": "/", "match_type": "path_prefix", "backend": {"backend_id": "bkdtg_x"}}
        self.assertEqual(self.codes("POST", f"{self.path}/routes", body), {"backend.backend_id": 6501})
        self.assertEqual(
            self.codes("POST", f"{self.path}/routes", {**body, "backend": {"enabled": True}}),
            {"backend.backend_id": 6501},
        )

    def test_edge_id(self) -> None:
        """The edge may be repeated in the body; another one there is refused."""
        edge_id = self.path.rpartition("/")[2]
        path = self.route(edge_id=edge_id)
        self.ok("PATCH", path, {"edge_id": edge_id, "id": path.rpartition("/")[2]})
        for verb, target in (("POST", f"{self.path}/routes"), ("PATCH", path)):
            body = {"edge_id": "edghts_x", "match": "/b", "match_type": "exact_path"}
            self.assertEqual(self.refused(verb, target, body).code, 7110)

    def test_not_found(self) -> None:
        """A route of another edge or account is not there."""
        path = self.route()
        elsewhere = self.edge() + "/routes/" + path.rpartition("/")[2]
        for verb in ("GET", "PATCH", "DELETE"):
            error = self.refused(verb, elsewhere, {})
            self.assertEqual((error.status, error.code), (404, 7124))
            error = self.refused(verb, f"{self.path}/routes/x", {})
            self.assertEqual((error.status, error.code), (404, 222))
        self.api.caller = principal(OTHER)
        for verb in ("GET", "PATCH", "DELETE"):
            self.assertEqual(self.refused(verb, path, {}).code, 7000)

    def test_limit(self) -> None:
        """An edge has a bounded number of routes."""
        self.patch(edges, "ROUTES_MAX", 2)
        self.route("/a")
        self.route("/b")
        self.assertEqual(
            self.refused("POST", f"{self.path}/routes", {"match": "/c", "match_type": "exact_path"}).code, 7128
        )
