"""
Tests for `ngrok_twisted.control.api.resources.edge_modules`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ngrok_twisted.circuit import Circuit
from ngrok_twisted.control.api.modules import slots
from ngrok_twisted.control.api.routes import all_methods
from ngrok_twisted.modules.circuit_breaker import CircuitBreakerConfig
from tests.control.api.harness import OTHER, principal
from tests.control.api.ngrok import RESOURCES
from tests.control.api.resources.edge_case import CA, FOREIGN_CA, POLICY, EdgeCase


class ModuleTests(EdgeCase):
    """A module is set, read and taken away under a path of its own."""

    def test_life(self) -> None:
        """It is not there, is set, read, replaced whole, and taken away; the edge shows the same."""
        path = self.edge() + "/mutual_tls"
        self.assertEqual(self.refused("GET", path).status, 404)
        ref = {"id": CA, "uri": f"https://api.example.com/certificate_authorities/{CA}"}
        for enabled in ({}, {"enabled": None}, {"enabled": True}, {"enabled": False}):
            body = {"certificate_authority_ids": [CA], **enabled}
            expected = {"enabled": enabled.get("enabled") is not False, "certificate_authorities": [ref]}
            self.assertEqual(self.ok("PUT", path, body), expected)
            self.assertEqual(self.ok("GET", path), expected)
            self.assertEqual(self.ok("GET", path.rpartition("/")[0])["mutual_tls"], expected)
        self.assertEqual(self.status("DELETE", path), 204)
        self.assertEqual(self.refused("GET", path).status, 404)
        self.assertEqual(self.status("DELETE", path), 204)

    def test_whole(self) -> None:
        """What a PUT does not say is as if it had never been said."""
        path = self.edge() + "/tls_termination"
        self.ok("PUT", path, {"min_version": "1.3", "enabled": False})
        self.assertEqual(self.ok("PUT", path), {"enabled": True, "min_version": None, "terminate_at": "edge"})

    def test_wrapped(self) -> None:
        """One client wraps the module and repeats the ids of the path."""
        edge = self.edge()
        id = edge.rpartition("/")[2]
        made = self.ok("PUT", edge + "/tls_termination", {"id": id, "module": {"min_version": "1.1"}})
        self.assertEqual(made["min_version"], "1.1")
        route = self.ok("POST", edge + "/routes", {"match": "/", "match_type": "exact_path"})["id"]
        body = {"edge_id": id, "id": route, "module": {"backend_id": self.group()}}
        self.assertTrue(self.ok("PUT", f"{edge}/routes/{route}/backend", body)["enabled"])

    def test_backend(self) -> None:
        """The backend of a route or stream edge is set in the same way."""
        edge = self.edge()
        route = self.ok("POST", edge + "/routes", {"match": "/", "match_type": "exact_path"})["id"]
        for path in (f"{edge}/routes/{route}/backend", self.edge("tls") + "/backend", self.edge("tcp") + "/backend"):
            self.assertEqual(self.refused("GET", path).status, 404)
            group = self.group()
            expected = {
                "enabled": False,
                "backend": {"id": group, "uri": f"https://api.example.com/backends/tunnel_group/{group}"},
            }
            self.assertEqual(self.ok("PUT", path, {"backend_id": group, "enabled": False}), expected)
            self.assertEqual(self.ok("GET", path), expected)
            self.assertEqual(self.codes("PUT", path, {}), {"backend_id": 6501})
            self.assertEqual(self.codes("PUT", path, {"backend_id": "bkdtg_x"}), {"backend_id": 6501})
            self.assertEqual(self.ok("GET", path), expected)
            self.assertEqual(self.status("DELETE", path), 204)
            self.assertIsNone(self.ok("GET", path.rpartition("/")[0])["backend"])

    def test_problems(self) -> None:
        """Fields are named as the body has them, not as the edge does."""
        edge = self.edge()
        cases = {
            "certificate_authority_ids": {},
            "certificate_authority_ids[0]": {"certificate_authority_ids": [FOREIGN_CA]},
            "certificate_authority_ids[1]": {"certificate_authority_ids": [CA, "ca_x"]},
        }
        for field, body in cases.items():
            self.assertEqual(self.codes("PUT", edge + "/mutual_tls", body), {field: 7072})
        self.assertEqual(
            self.codes("PUT", edge + "/mutual_tls", {"certificate_authority_ids": [CA] * 11}),
            {"certificate_authority_ids": 7075},
        )
        self.assertEqual(self.codes("PUT", edge + "/tls_termination", {"terminate_at": "edge"}), {"terminate_at": 7109})
        self.assertEqual(self.codes("PUT", edge + "/tls_termination", {"color": 1}), {"color": 214})

    def test_route_problems(self) -> None:
        """So are those of a route's module, whichever route it is."""
        edge = self.edge()
        for match in ("/a", "/b"):
            route = self.ok("POST", edge + "/routes", {"match": match, "match_type": "exact_path"})["id"]
        path = f"{edge}/routes/{route}/ip_restriction"
        self.assertEqual(self.codes("PUT", path, {}), {"ip_policy_ids": 7025})
        self.assertIn("ip_policy_ids[1]", self.codes("PUT", path, {"ip_policy_ids": [POLICY, "ipp_x"]}))

    def test_state(self) -> None:
        """A circuit breaker is shown with the state of its circuit, in its route and edge, too; null while there is none."""
        kept: dict[Any, Any] = {}
        self.api.parts = replace(self.api.parts, more={"kept": kept})
        edge = self.edge()
        route = f"{edge}/routes/" + self.ok("POST", edge + "/routes", {"match": "/", "match_type": "exact_path"})["id"]
        path = route + "/circuit_breaker"
        self.assertIsNone(self.ok("PUT", path, {"volume_threshold": 2})["state"])
        config = CircuitBreakerConfig(volume_threshold=2)
        circuit = kept[route.rpartition("/")[2], ("circuit_breaker", config)] = Circuit(config.limits)
        for failed in (False, True, True):
            circuit.record(circuit.epoch, failed, self.api.clock.seconds())
        expected = {"name": "open", "requests": 3, "errors": 2, "error_percentage": 2 / 3}
        self.assertEqual(self.ok("GET", path)["state"], expected)
        self.assertEqual(self.ok("GET", route)["circuit_breaker"]["state"], expected)
        self.assertEqual(self.ok("GET", edge)["routes"][0]["circuit_breaker"]["state"], expected)
        self.assertIsNone(self.ok("PUT", path, {"volume_threshold": 2, "enabled": False})["state"])

    def test_state_sent_back(self) -> None:
        """A body may have the state that was read, and nothing comes of it; other modules have none to send."""
        edge = self.edge()
        route = f"{edge}/routes/" + self.ok("POST", edge + "/routes", {"match": "/", "match_type": "exact_path"})["id"]
        read = self.ok("PUT", route + "/circuit_breaker", {"num_buckets": 7})
        self.assertIn("state", read)
        for number, state in enumerate((None, {"name": "open", "requests": 9}, "anything")):
            body = {**read, "state": state}
            self.assertEqual(self.ok("PUT", route + "/circuit_breaker", body), read)
            self.assertEqual(self.ok("PUT", route + "/circuit_breaker", {"module": body}), read)
            self.assertEqual(self.ok("PATCH", route, {"circuit_breaker": body})["circuit_breaker"], read)
            more = {"match": f"/{number}", "match_type": "exact_path", "circuit_breaker": body}
            self.assertEqual(self.ok("POST", edge + "/routes", more)["circuit_breaker"], read)
        self.assertEqual(self.codes("PUT", route + "/compression", {"state": None}), {"state": 214})
        self.assertEqual(self.codes("PATCH", route, {"state": {}}), {"state": 214})

    def test_not_built(self) -> None:
        """A module that this version does not have is refused with one number, read as not set, and never there."""
        unbuilt = [name for name, slot in slots("route").items() if slot.body is None]
        edge = self.edge()
        route = self.ok("POST", edge + "/routes", {"match": "/", "match_type": "exact_path"})["id"]
        paths = [f"{edge}/routes/{route}/{name}" for name in unbuilt]
        for path in paths:
            error = self.refused("PUT", path, {"value": "x"})
            self.assertEqual((error.status, error.code), (400, 7021))
            self.assertIn("not built into this version", error.message)
            self.assertEqual(self.refused("GET", path).status, 404)
            self.assertEqual(self.status("DELETE", path), 204)

    def test_not_found(self) -> None:
        """Without its edge there is no module, whatever one does; and another account has none of either."""
        nowhere = "/edges/tls/edgtls_" + "0" * 27
        own = self.edge("tls")
        self.api.caller = principal(OTHER)
        for edge in (nowhere, own):
            for module in ("mutual_tls", "backend", "ip_restriction"):
                for verb in ("PUT", "GET", "DELETE"):
                    error = self.refused(verb, f"{edge}/{module}", {})
                    self.assertEqual((error.status, error.code), (404, 7000))

    def test_every_module(self) -> None:
        """Each of ngrok's module resources is there."""
        known = {(method.verb, method.path) for method in all_methods()}
        for resource in RESOURCES.values():
            for method in resource["methods"]:
                if method["path"].startswith("/edges/"):
                    self.assertIn((method["verb"], method["path"]), known)
