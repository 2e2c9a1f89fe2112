"""
Tests for `ngrok_twisted.control.rules.vault_secrets`.
"""

from ngrok_twisted.records.secret import Secret
from ngrok_twisted.records.vault import Vault
from tests.control.declaring import ConfigCase


class SecretRulesTests(ConfigCase):
    """What is said of secrets in ``config.yaml``."""

    def test_good(self) -> None:
        """A secret is in a vault that stands anywhere in the file, and its value may stand elsewhere."""
        config = self.load(
            "vault_secrets: [{name: token, vault_id: prod, value: env:TOKEN}, {name: token, vault_id: dev, value: x}]\n"
            "vaults: [{name: prod}, {name: dev}]\n",
            {"TOKEN": "hush"},
        )
        vaults = [record.id for record in config.declared.records if isinstance(record, Vault)]
        secrets = [record for record in config.declared.records if isinstance(record, Secret)]
        self.assertEqual([secret.vault_id for secret in secrets], vaults)
        self.assertEqual([secret.value for secret in secrets], ["hush", "x"])
        self.assertNotIn("hush", repr(config))

    def test_stable(self) -> None:
        """The id of a secret follows from its name and its vault, wherever it stands."""
        vaults = "vaults: [{name: a}, {name: a/b}]\n"
        items = ["{name: b/c, vault_id: a, value: x}", "{name: c, vault_id: a/b, value: x}"]
        first, second = [
            {
                (record.vault_id, record.name): record.id
                for record in self.load(f"{vaults}vault_secrets: [{', '.join(order)}]").declared.records
                if isinstance(record, Secret)
            }
            for order in (items, items[::-1])
        ]
        self.assertEqual(first, second)
        self.assertEqual(len(set(first.values())), 2)

    def test_bad(self) -> None:
        """Names, values and vaults have their codes."""
        for item, code in (
            ("{name: 'a b', vault_id: prod, value: x}", "ERR_NGROK_24000"),
            ("{name: '', vault_id: prod, value: x}", "ERR_NGROK_24001"),
            (f"{{name: {'n' * 256}, vault_id: prod, value: x}}", "ERR_NGROK_24002"),
            ("{name: a, vault_id: prod, value: ''}", "ERR_NGROK_24003"),
            (f"{{name: a, vault_id: prod, value: {'v' * 65_537}}}", "ERR_NGROK_24004"),
            ("{name: a, vault_id: '', value: x}", "ERR_NGROK_24006"),
            ("{name: a, vault_id: nope, value: x}", "in vaults"),
        ):
            (problem,) = self.problems(f"vaults: [{{name: prod}}]\nvault_secrets: [{item}]\n")
            self.assertIn(code, problem)

    def test_twice(self) -> None:
        """A name is there once in a vault."""
        problems = self.problems(
            "vaults: [{name: prod}]\n"
            "vault_secrets: [{name: a, vault_id: prod, value: x}, {name: a, vault_id: prod, value: y}]\n"
        )
        self.assertTrue(problems)
        for problem in problems:
            self.assertIn("ERR_NGROK_24005", problem)
            self.assertNotIn("value", problem)
