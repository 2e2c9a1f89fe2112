"""
Tests for `ngrok_twisted.control.rules.vaults`.
"""

from tests.control.declaring import ConfigCase


class VaultRulesTests(ConfigCase):
    """What is said of vaults in ``config.yaml``."""

    def test_names(self) -> None:
        """A name has few characters, a beginning and an end."""
        self.assertProblem("vaults: [{name: prod/db.main_1}]")
        for name, code in (("'a b'", "23000"), ("''", "23001"), ("n" * 256, "23002")):
            (problem,) = self.problems(f"vaults: [{{name: {name}}}]")
            self.assertIn(f"ERR_NGROK_{code}", problem)

    def test_twice(self) -> None:
        """It is there once in an account, and once in another."""
        self.assertProblem("accounts: [{name: other}]\nvaults: [{name: a}, {name: a, account: other}]\n")
        problems = self.problems("vaults: [{name: a}, {name: a}]")
        self.assertTrue(problems)
        for problem in problems:
            self.assertIn("ERR_NGROK_23004", problem)
