"""
Tests for `ngrok_twisted.control.rules.ip_policies`.
"""

from __future__ import annotations

from dataclasses import replace

from ngrok_twisted.control.around import Around, record_problems
from ngrok_twisted.control.rules.ip_policies import RULES_MAX
from ngrok_twisted.networks import admits
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.edge import HTTPSEdge
from ngrok_twisted.records.ip_policy import IPPolicy, IPPolicyRule
from tests.control.api.harness import SETTINGS
from tests.control.declaring import ConfigCase

RULE = IPPolicyRule(id="ipr_1", cidr="192.0.2.0/24", action="allow")


class IPPolicyRulesTests(ConfigCase):
    """What is said of policies in ``config.yaml``."""

    def test_good(self) -> None:
        """A policy is declared with its rules, and edges name it."""
        config = self.load(
            "domain: example.com\n"
            "ip_policies:\n"
            "- name: office\n"
            "  rules: [{cidr: 192.0.2.0/24, action: allow}, {cidr: 192.0.2.66/32, action: deny, description: printer}]\n"
            "edges:\n"
            "  https:\n"
            "  - hostports: ['shop.example.com:443']\n"
            "    routes: [{match: /, ip_restriction: {ip_policy_ids: [office]}}]\n"
        )
        (policy,) = (record for record in config.declared.records if isinstance(record, IPPolicy))
        (edge,) = (record for record in config.declared.records if isinstance(record, HTTPSEdge))
        self.assertEqual(edge.routes[0].modules["ip_restriction"].config.ip_policy_ids, (policy.id,))
        self.assertEqual([rule.description for rule in policy.rules], ["", "printer"])
        self.assertEqual(len({rule.id for rule in policy.rules}), 2)
        self.assertTrue(admits([policy.admission], "192.0.2.1"))
        self.assertFalse(admits([policy.admission], "192.0.2.66"))

    def test_bad(self) -> None:
        """Each bad rule is told with its line, its place, the remedy and the code."""
        self.assertProblem(
            "ip_policies:\n"
            "- name: office\n"
            "  rules:\n"
            "  - {cidr: 192.0.2.1, action: allow}\n"
            "  - {cidr: 192.0.2.0/24, action: allow}\n"
            "  - {cidr: '::ffff:192.0.2.0/120', action: deny}\n"
            "  - {cidr: nonsense, action: deny}\n",
            "4: ip_policies[0].rules[0].cidr: '192.0.2.1' has no mask; write 192.0.2.1/32 for this one address "
            "(ERR_NGROK_1413)",
            "6: ip_policies[0].rules[2].cidr: the policy has a rule for 192.0.2.0/24 already (ERR_NGROK_1408)",
            "7: ip_policies[0].rules[3].cidr: 'nonsense' is not a CIDR block such as 192.0.2.0/24 or 2001:db8::/32 "
            "(ERR_NGROK_1406)",
        )

    def test_same_twice(self) -> None:
        """The very same rule twice is once too often."""
        rules = "[{cidr: '::/0', action: deny}, {cidr: '::/0', action: deny}]"
        (problem,) = self.problems(f"ip_policies: [{{rules: {rules}}}]")
        self.assertIn("rules[1].cidr: the policy has a rule for ::/0 already (ERR_NGROK_1408)", problem)

    def test_action(self) -> None:
        """An action is one of two, and stands on the rule."""
        (problem,) = self.problems("ip_policies: [{rules: [{cidr: '::/0', action: drop}]}]")
        self.assertIn("must be one of allow, deny", problem)
        (problem,) = self.problems("ip_policies: [{action: allow, rules: []}]")
        self.assertIn("is not a known key", problem)

    def found(self, *rules: IPPolicyRule) -> list[tuple[str, int]]:
        """What is wrong with a policy of these rules."""
        record = IPPolicy(id="ipp_1", rules=rules)
        around = Around(records=Snapshot(), settings=SETTINGS)
        return [(problem.path, problem.code) for problem in record_problems(record, around)]

    def test_texts(self) -> None:
        """The texts of a rule have the bounds of all texts."""
        self.assertEqual(self.found(replace(RULE, description="d" * 255, metadata="m" * 4096)), [])
        self.assertEqual(
            self.found(replace(RULE, description="d" * 256, metadata="m" * 4097)),
            [("rules[0].description", 1421), ("rules[0].metadata", 0)],
        )

    def test_many(self) -> None:
        """A policy has a bound, of which nothing more is said."""
        self.assertEqual(self.found(*[RULE] * (RULES_MAX + 1)), [("rules", 1411)])
