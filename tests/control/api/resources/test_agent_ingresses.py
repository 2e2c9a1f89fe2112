"""
Tests for `ngrok_twisted.control.api.resources.agent_ingresses`.
"""

from __future__ import annotations

from ngrok_twisted.control.api.resources.agent_ingresses import DeclaredIngress, agent_ingresses
from tests.control.api.harness import OTHER, APITestCase, principal


class AgentIngressTests(APITestCase):
    """An ingress is made, shown, changed and deleted."""

    def test_life(self) -> None:
        """It says what agents dial, and promises neither name servers nor certificates."""
        made = self.ok(
            "POST", "/agent_ingresses", {"domain": "Agents.Example.ORG", "description": "d", "metadata": "m"}
        )
        self.assertEqual(
            made,
            {
                "id": made["id"],
                "uri": f"https://api.example.com/agent_ingresses/{made['id']}",
                "created_at": "2026-01-01T00:00:00Z",
                "description": "d",
                "metadata": "m",
                "domain": "agents.example.org",
                "ns_targets": [],
                "region_domains": ["connect.agents.example.org"],
                "certificate_management_policy": None,
                "certificate_management_status": None,
            },
        )
        path = f"/agent_ingresses/{made['id']}"
        self.assertEqual(self.ok("PATCH", path, {"metadata": ""}), {**made, "metadata": ""})
        self.assertEqual(len(self.ok("GET", "/agent_ingresses")["ingresses"]), 1)
        self.assertEqual(self.status("DELETE", path), 204)
        self.assertEqual(self.refused("GET", path).status, 404)

    def test_taken(self) -> None:
        """A domain is one ingress, and no other account's reserved domain."""
        self.ok("POST", "/agent_ingresses", {"domain": "a.example"})
        self.ok("POST", "/reserved_domains", {"domain": "*.b.example"})
        self.ok("POST", "/agent_ingresses", {"domain": "x.b.example"})
        self.assertEqual(self.refused("POST", "/agent_ingresses", {"domain": "A.example"}).code, 6706)
        self.api.caller = principal(OTHER)
        for domain in ("a.example", "y.b.example"):
            self.assertEqual(self.refused("POST", "/agent_ingresses", {"domain": domain}).code, 6706)

    def test_refused(self) -> None:
        """What is no domain of one's own is told apart."""
        for domain, code in (
            ("", 6704),
            ("a..b", 6704),
            ("a", 6704),
            ("*.a.example", 6704),
            ("example.com", 6705),
            ("x.example.com", 6705),
            ("api.example.com", 6705),
        ):
            error = self.refused("POST", "/agent_ingresses", {"domain": domain})
            self.assertEqual((error.code, list(error.details)), (code, ["domain"]), domain)

    def test_policy(self) -> None:
        """No public authority is asked, and nobody is made to believe so."""
        policy = {"authority": "letsencrypt", "private_key_type": "rsa"}
        body = {"domain": "a.example", "certificate_management_policy": policy}
        self.assertEqual(
            list(self.refused("POST", "/agent_ingresses", body).details), ["certificate_management_policy"]
        )
        id = self.ok("POST", "/agent_ingresses", {"domain": "a.example"})["id"]
        error = self.refused("PATCH", f"/agent_ingresses/{id}", {"certificate_management_policy": policy})
        self.assertEqual(error.status, 400)

    def test_texts(self) -> None:
        """Texts have their limits."""
        body = {"domain": "a.example", "description": "x" * 256, "metadata": "x" * 4097}
        error = self.refused("POST", "/agent_ingresses", body)
        self.assertEqual(error.code, 6700)
        self.assertIn("ERR_NGROK_6701", error.details["metadata"])

    def test_declared(self) -> None:
        """In a configuration an ingress is known by its domain."""
        self.assertEqual(agent_ingresses.about(DeclaredIngress(domain="A.example")), "a.example")
