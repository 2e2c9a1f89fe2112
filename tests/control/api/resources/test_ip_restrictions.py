"""
Tests for `ngrok_twisted.control.api.resources.ip_restrictions`.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.control.api.resources.ip_restrictions import IPRestrictionCreate, ip_restrictions
from tests.control.api.harness import OTHER, APITestCase, principal


class IPRestrictionTests(APITestCase):
    """IP restrictions are made, read, listed, changed and deleted."""

    def setUp(self) -> None:
        super().setUp()
        self.policies = [self.ok("POST", "/ip_policies", {})["id"] for _ in range(2)]

    def restrict(self, type: str = "endpoints", **more: Any) -> Any:
        """A new restriction."""
        return self.ok("POST", "/ip_restrictions", {"type": type, "ip_policy_ids": self.policies[:1], **more})

    def refs(self, *ids: str) -> list[Any]:
        """References to policies."""
        return [{"id": id, "uri": f"https://api.example.com/ip_policies/{id}"} for id in ids]

    def test_life(self) -> None:
        """A restriction comes back as it was made, until it is changed and deleted."""
        made = self.restrict(description="", metadata="m")
        self.assertEqual(
            made,
            {
                "id": made["id"],
                "uri": f"https://api.example.com/ip_restrictions/{made['id']}",
                "created_at": "2026-01-01T00:00:00Z",
                "description": "",
                "metadata": "m",
                "enforced": False,
                "type": "endpoints",
                "ip_policies": self.refs(self.policies[0]),
            },
        )
        path = f"/ip_restrictions/{made['id']}"
        changed = self.ok("PATCH", path, {"enforced": True, "ip_policy_ids": self.policies})
        self.assertEqual(changed, {**made, "enforced": True, "ip_policies": self.refs(*self.policies)})
        self.assertEqual(self.ok("PATCH", path, {"enforced": False})["enforced"], False)
        self.assertEqual(self.status("DELETE", path), 204)
        self.assertEqual(self.refused("GET", path).status, 404)

    def test_python_client(self) -> None:
        """The list that one client sends empty with every change leaves the policies as they are."""
        made = self.restrict()
        changed = self.ok("PATCH", f"/ip_restrictions/{made['id']}", {"ip_policy_ids": []})
        self.assertEqual(changed, made)

    def test_one_of_each_type(self) -> None:
        """An account has one restriction of a type; another account has its own."""
        for type in ("dashboard", "api", "agent", "endpoints"):
            self.restrict(type)
            error = self.refused("POST", "/ip_restrictions", {"type": type, "ip_policy_ids": self.policies})
            self.assertEqual((error.code, list(error.details)), (1802, ["type"]))
        self.api.caller = principal(OTHER)
        self.policies = [self.ok("POST", "/ip_policies", {})["id"]]
        self.restrict("api")

    def test_bad_bodies(self) -> None:
        """An unknown type, no policies, unknown policies and too many of them have their codes."""
        send = lambda **body: self.refused("POST", "/ip_restrictions", body)
        self.assertEqual(send(type="vpn", ip_policy_ids=self.policies).code, 1803)
        self.assertEqual(send(ip_policy_ids=self.policies).code, 1803)
        self.assertEqual(send(type="api").code, 1804)
        self.assertEqual(send(type="api", ip_policy_ids=[]).code, 1804)
        error = send(type="api", ip_policy_ids=[*self.policies, "ipp_" + "0" * 27])
        self.assertEqual((error.code, list(error.details)), (1801, ["ip_policy_ids[2]"]))
        self.assertEqual(send(type="api", ip_policy_ids=self.policies * 51).code, 1800)

    def test_type_stays(self) -> None:
        """The type cannot be changed."""
        id = self.restrict()["id"]
        self.assertEqual(self.refused("PATCH", f"/ip_restrictions/{id}", {"type": "api"}).code, 214)

    def test_other_account(self) -> None:
        """Restrictions of another account are not found, and its policies cannot be used."""
        made = self.restrict()
        self.api.caller = principal(OTHER)
        self.assertEqual(self.ok("GET", "/ip_restrictions")["ip_restrictions"], [])
        for verb in ("GET", "PATCH", "DELETE"):
            self.assertEqual(self.refused(verb, f"/ip_restrictions/{made['id']}", {}).status, 404)
        body = {"type": "api", "ip_policy_ids": self.policies}
        self.assertEqual(self.refused("POST", "/ip_restrictions", body).code, 1801)

    def test_declared_id(self) -> None:
        """A declared restriction without a name is known by its type, wherever it stands in the list."""
        body = IPRestrictionCreate(type="api", ip_policy_ids=("ipp_1",))
        self.assertEqual(ip_restrictions.declared_id("", body, 0), ip_restrictions.declared_id("", body, 3))
