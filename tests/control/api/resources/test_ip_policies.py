"""
Tests for `ngrok_twisted.control.api.resources.ip_policies`.
"""

from dataclasses import replace

from ngrok_twisted.control.api.call import Making
from ngrok_twisted.control.api.resources.ip_policies import IPPolicyItem, IPPolicyRuleItem, ip_policies
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.ids import declared_id
from ngrok_twisted.records.ip_policy import IPPolicy
from tests.control.api.harness import ACCOUNT, OTHER, SETTINGS, APITestCase, principal


class IPPolicyTests(APITestCase):
    """IP policies are made, read, listed, changed and deleted."""

    def test_life(self) -> None:
        """A policy comes back as it was made, until it is changed and deleted."""
        made = self.ok("POST", "/ip_policies", {"description": "", "metadata": "m"})
        self.assertEqual(
            made,
            {
                "id": made["id"],
                "uri": f"https://api.example.com/ip_policies/{made['id']}",
                "created_at": "2026-01-01T00:00:00Z",
                "description": "",
                "metadata": "m",
            },
        )
        changed = self.ok("PATCH", f"/ip_policies/{made['id']}", {"description": "office", "metadata": ""})
        self.assertEqual(changed, {**made, "description": "office", "metadata": ""})
        self.assertEqual(self.ok("GET", f"/ip_policies/{made['id']}"), changed)
        self.assertEqual(self.ok("GET", "/ip_policies")["ip_policies"], [changed])
        self.assertEqual(self.status("DELETE", f"/ip_policies/{made['id']}"), 204)
        error = self.refused("GET", f"/ip_policies/{made['id']}")
        self.assertEqual((error.status, error.code), (404, 1402))

    def test_action(self) -> None:
        """An action is refused on the policy, and the sentence says where it belongs."""
        error = self.refused("POST", "/ip_policies", {"action": "allow"})
        self.assertEqual(error.code, 1423)
        self.assertIn("/ip_policy_rules", error.message)

    def test_nothing_to_change(self) -> None:
        """A PATCH without a value is told so; one that only clears a text is not."""
        id = self.ok("POST", "/ip_policies", {"description": "d"})["id"]
        self.assertEqual(self.refused("PATCH", f"/ip_policies/{id}", {}).code, 1400)
        self.assertEqual(self.ok("PATCH", f"/ip_policies/{id}", {"description": ""})["description"], "")

    def test_change_keeps_rules(self) -> None:
        """Changing a policy leaves its rules alone; deleting it takes them away."""
        id = self.ok("POST", "/ip_policies", {})["id"]
        rule = self.ok("POST", "/ip_policy_rules", {"ip_policy_id": id, "cidr": "192.0.2.0/24", "action": "allow"})
        self.ok("PATCH", f"/ip_policies/{id}", {"description": "d"})
        self.assertEqual(self.ok("GET", "/ip_policy_rules")["ip_policy_rules"], [rule])
        self.ok("DELETE", f"/ip_policies/{id}")
        self.assertEqual(self.refused("GET", f"/ip_policy_rules/{rule['id']}").code, 1404)

    def test_in_use(self) -> None:
        """A policy that a restriction uses stays, until the restriction goes."""
        id = self.ok("POST", "/ip_policies", {})["id"]
        restriction = self.ok("POST", "/ip_restrictions", {"type": "agent", "ip_policy_ids": [id]})
        error = self.refused("DELETE", f"/ip_policies/{id}")
        self.assertEqual(error.code, 1420)
        self.assertIn(restriction["id"], error.message)
        self.ok("DELETE", f"/ip_restrictions/{restriction['id']}")
        self.ok("DELETE", f"/ip_policies/{id}")

    def test_other_account(self) -> None:
        """Another account does not see it."""
        made = self.ok("POST", "/ip_policies", {})
        self.api.caller = principal(OTHER)
        self.assertEqual(self.ok("GET", "/ip_policies")["ip_policies"], [])
        for verb in ("GET", "PATCH", "DELETE"):
            self.assertEqual(self.refused(verb, f"/ip_policies/{made['id']}", {}).status, 404)

    def test_declared(self) -> None:
        """An item of the configuration brings its rules along; their ids follow from their blocks."""
        making = Making(
            id="ipp_" + "0" * 27,
            account_id=ACCOUNT,
            declared=True,
            records=Snapshot(),
            settings=SETTINGS,
            inner_id=lambda prefix, key: declared_id(prefix, "office", key),
            random_bytes=lambda count: self.fail("nothing declared is random"),
        )
        rules = [IPPolicyRuleItem(cidr=f"192.0.2.{number}/32", action="deny") for number in (1, 2)]
        record = ip_policies.make(making, IPPolicyItem(rules=tuple(rules), description="office"))
        self.assertTrue(record.declared)
        self.assertEqual([(rule.cidr, rule.action) for rule in record.rules], [(r.cidr, "deny") for r in rules])
        self.assertEqual(record.rules[0].id, declared_id("ipr", "office", "192.0.2.1/32"))
        again = ip_policies.make(making, IPPolicyItem(rules=tuple(rules[::-1]), description="office"))
        self.assertEqual(again, replace(record, rules=record.rules[::-1]))
        self.api.control.declare([*self.api.control.records.all(IPPolicy), record])
        error = self.refused("DELETE", f"/ip_policy_rules/{record.rules[0].id}")
        self.assertIn("configuration", error.message)
