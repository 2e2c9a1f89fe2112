"""
Tests for `ngrok_twisted.control.rules.ip_restrictions`.
"""

from ngrok_twisted.records.ip_policy import IPPolicy
from ngrok_twisted.records.ip_restriction import IPRestriction
from tests.control.declaring import ConfigCase


class IPRestrictionRulesTests(ConfigCase):
    """What is said of restrictions in ``config.yaml``."""

    def test_good(self) -> None:
        """A restriction names its policies, wherever they stand in the file."""
        config = self.load(
            "ip_restrictions: [{type: api, enforced: true, ip_policy_ids: [office]}]\n"
            "ip_policies: [{name: office, rules: [{cidr: 192.0.2.0/24, action: allow}]}]\n"
        )
        records = {type(record): record for record in config.declared.records}
        restriction, policy = records[IPRestriction], records[IPPolicy]
        assert isinstance(restriction, IPRestriction)
        self.assertEqual((restriction.ip_policy_ids, restriction.enforced), ((policy.id,), True))

    def test_twice(self) -> None:
        """There is one of a type in an account, and one in another account."""
        text = (
            "accounts: [{name: other}]\n"
            "ip_policies: [{name: a}, {name: b, account: other}]\n"
            "ip_restrictions:\n"
            "- {type: agent, ip_policy_ids: [a]}\n"
            "- {type: agent, ip_policy_ids: [b], account: other}\n"
        )
        self.assertProblem(text)
        problems = self.problems(text + "- {type: agent, ip_policy_ids: [a]}\n")
        self.assertTrue(problems)
        for problem in problems:
            self.assertIn("(ERR_NGROK_1802)", problem)

    def test_bad(self) -> None:
        """It has policies that are there, and of its own account."""
        (problem,) = self.problems("ip_restrictions: [{type: api, ip_policy_ids: []}]")
        self.assertIn("(ERR_NGROK_1804)", problem)
        (problem,) = self.problems("ip_restrictions: [{type: api, ip_policy_ids: [office]}]")
        self.assertIn("ip_restrictions[0].ip_policy_ids[0]", problem)
        (problem,) = self.problems(
            "accounts: [{name: other}]\n"
            "ip_policies: [{name: office, account: other}]\n"
            "ip_restrictions: [{type: api, ip_policy_ids: [office]}]\n"
        )
        self.assertIn("another account", problem)
        (problem,) = self.problems("ip_restrictions: [{type: vpn, ip_policy_ids: [office]}]")
        self.assertIn("must be one of dashboard, api, agent, endpoints", problem)
