"""
Tests for `ngrok_twisted.control.api.resources.ip_policy_rules`.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.control.api.errors import APIError
from ngrok_twisted.records.ip_policy import IPPolicy
from tests.control.api.harness import OTHER, APITestCase, principal


class IPPolicyRuleTests(APITestCase):
    """Rules are made, read, listed, changed and deleted, each in its policy."""

    def setUp(self) -> None:
        super().setUp()
        self.policy = self.ok("POST", "/ip_policies", {})["id"]

    def rule(self, cidr: str, action: str = "allow", **more: Any) -> Any:
        """A new rule of the policy."""
        return self.ok("POST", "/ip_policy_rules", {**self.body(cidr, action), **more})

    def body(self, cidr: str, action: str = "allow") -> dict[str, Any]:
        """What makes a rule."""
        return {"ip_policy_id": self.policy, "cidr": cidr, "action": action}

    def bad(self, cidr: str) -> APIError:
        """The error of a rule for a bad block."""
        return self.refused("POST", "/ip_policy_rules", self.body(cidr))

    def test_life(self) -> None:
        """A rule comes back as it was made, letter by letter, until it is changed and deleted."""
        made = self.rule("2001:DB8::/32", "deny", description="d", metadata="")
        self.assertEqual(
            made,
            {
                "id": made["id"],
                "uri": f"https://api.example.com/ip_policy_rules/{made['id']}",
                "created_at": "2026-01-01T00:00:00Z",
                "description": "d",
                "metadata": "",
                "cidr": "2001:DB8::/32",
                "ip_policy": {"id": self.policy, "uri": f"https://api.example.com/ip_policies/{self.policy}"},
                "action": "deny",
            },
        )
        other = self.rule("192.0.2.0/24")
        changed = self.ok("PATCH", f"/ip_policy_rules/{made['id']}", {"cidr": "198.51.100.0/24", "metadata": "m"})
        self.assertEqual(changed, {**made, "cidr": "198.51.100.0/24", "metadata": "m"})
        self.assertEqual(self.ok("GET", f"/ip_policy_rules/{made['id']}"), changed)
        self.assertEqual(self.ok("GET", "/ip_policy_rules")["ip_policy_rules"], [other, changed])
        self.assertEqual(self.status("DELETE", f"/ip_policy_rules/{made['id']}"), 204)
        self.assertEqual(self.refused("GET", f"/ip_policy_rules/{made['id']}").code, 1404)
        self.assertEqual(self.ok("GET", "/ip_policy_rules")["ip_policy_rules"], [other])

    def test_one_record(self) -> None:
        """The rules are in their policy's record, so that one record changes when a rule does."""
        made = self.rule("192.0.2.0/24")
        record = self.api.control.records.get(IPPolicy, self.policy)
        assert record is not None
        self.assertEqual([rule.id for rule in record.rules], [made["id"]])

    def test_pages(self) -> None:
        """The list goes over all policies of the account, the newest first, in pages."""
        first, self.policy = self.policy, self.ok("POST", "/ip_policies", {})["id"]
        ids = []
        for number in range(5):
            self.policy, first = first, self.policy
            ids.append(self.rule(f"192.0.2.{number}/32")["id"])
        page = self.ok("GET", "/ip_policy_rules", limit=3)
        self.assertEqual([rule["id"] for rule in page["ip_policy_rules"]], ids[:1:-1])
        self.assertEqual(page["next_page_uri"], f"https://api.example.com/ip_policy_rules?before_id={ids[2]}&limit=3")
        last = self.ok("GET", "/ip_policy_rules", before_id=ids[2])
        self.assertEqual([rule["id"] for rule in last["ip_policy_rules"]], ids[1::-1])
        self.assertIsNone(last["next_page_uri"])

    def test_bad_blocks(self) -> None:
        """Each thing that is wrong with a block has its code, told of the field, with the remedy."""
        cases = {
            "nonsense": (1406, "192.0.2.0/24"),
            "192.0.2.0/33": (1406, "/32"),
            "192.0.2.1": (1413, "192.0.2.1/32"),
            "2001:db8::1": (1413, "2001:db8::1/128"),
            "::ffff:192.0.2.1": (1413, "192.0.2.1/32"),
            "192.0.2.1/24": (1409, "192.0.2.0/24"),
        }
        for cidr, (code, remedy) in cases.items():
            error = self.bad(cidr)
            self.assertEqual((error.code, error.status, list(error.details)), (code, 400, ["cidr"]), cidr)
            self.assertIn(remedy, error.message)
        self.assertEqual(self.ok("GET", "/ip_policy_rules")["ip_policy_rules"], [])

    def test_twice(self) -> None:
        """A block stands once in a policy, however it is written, and as often as you like in others."""
        self.rule("192.0.2.0/24")
        self.rule("2001:db8::/32")
        for cidr in ("192.0.2.0/24", "::ffff:192.0.2.0/120", "2001:0DB8::/32"):
            self.assertEqual(self.bad(cidr).code, 1408)
        last = self.rule("198.51.100.0/24")
        error = self.refused("PATCH", f"/ip_policy_rules/{last['id']}", {"cidr": "192.0.2.0/24"})
        self.assertEqual((error.code, list(error.details)), (1408, ["cidr"]))
        self.policy = self.ok("POST", "/ip_policies", {})["id"]
        self.rule("192.0.2.0/24")

    def test_bad_bodies(self) -> None:
        """A missing field, an unknown action and a policy that is not there have their codes."""
        body = self.body("192.0.2.0/24")
        for name in body:
            error = self.refused("POST", "/ip_policy_rules", {**body, name: ""})
            self.assertEqual((error.code, list(error.details)), (1405, [name]))
        self.assertEqual(self.refused("POST", "/ip_policy_rules", {**body, "action": "drop"}).code, 1422)
        for id in ("ipp_1", "ipp_" + "0" * 27):
            self.assertEqual(self.refused("POST", "/ip_policy_rules", {**body, "ip_policy_id": id}).code, 1414)

    def test_texts(self) -> None:
        """A text that is too long is told of the rule's own field."""
        error = self.refused("POST", "/ip_policy_rules", {**self.body("192.0.2.0/24"), "description": "d" * 256})
        self.assertEqual((error.code, list(error.details)), (1421, ["description"]))

    def test_immutable(self) -> None:
        """The policy and the action of a rule cannot be changed, and a PATCH that says nothing is told so."""
        id = self.rule("192.0.2.0/24")["id"]
        for name, value in (("action", "deny"), ("ip_policy_id", self.policy)):
            self.assertEqual(self.refused("PATCH", f"/ip_policy_rules/{id}", {name: value}).code, 214)
        self.assertEqual(self.refused("PATCH", f"/ip_policy_rules/{id}", {}).code, 1401)

    def test_other_account(self) -> None:
        """Rules of another account are not found and not listed, and its policies cannot be added to."""
        made = self.rule("192.0.2.0/24")
        self.api.caller = principal(OTHER)
        self.assertEqual(self.ok("GET", "/ip_policy_rules")["ip_policy_rules"], [])
        for verb in ("GET", "PATCH", "DELETE"):
            error = self.refused(verb, f"/ip_policy_rules/{made['id']}", {})
            self.assertEqual((error.status, error.code), (404, 1404))
        self.assertEqual(self.bad("198.51.100.0/24").code, 1414)

    def test_malformed_id(self) -> None:
        """What is no id of a rule is told so."""
        for id in ("x", self.policy, "ipr_1"):
            self.assertEqual(self.refused("GET", f"/ip_policy_rules/{id}").code, 222)

    def test_last_rule_of_dashboard(self) -> None:
        """The last rule of a policy that restricts the dashboard stays."""
        rules = [self.rule("192.0.2.0/24")["id"], self.rule("198.51.100.0/24")["id"]]
        self.ok("POST", "/ip_restrictions", {"type": "dashboard", "ip_policy_ids": [self.policy]})
        self.ok("DELETE", f"/ip_policy_rules/{rules[0]}")
        self.assertEqual(self.refused("DELETE", f"/ip_policy_rules/{rules[1]}").code, 1419)
