"""
Tests for `ngrok_twisted.control.api.resources.secrets`.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.control.api.call import Call
from ngrok_twisted.control.api.resources.secrets import secrets
from ngrok_twisted.control.codec import decode, encode
from ngrok_twisted.control.keyring import Keyring
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.records.secret import Secret
from ngrok_twisted.records.vault import Vault
from tests.control.api.harness import ACCOUNT, BASE_URL, OTHER, OWNER, APITestCase, principal


class SecretTests(APITestCase):
    """Secrets are made, read without their value, listed, changed and deleted."""

    def setUp(self) -> None:
        super().setUp()
        self.vault = self.ok("POST", "/vaults", {"name": "prod"})["id"]

    def secret(self, name: str, **more: Any) -> Any:
        """A new secret."""
        return self.ok("POST", "/vault_secrets", {"name": name, "value": "hush", "vault_id": self.vault, **more})

    def test_life(self) -> None:
        """A secret comes back without its value, until it is changed and deleted."""
        made = self.secret("db/password", vault_name="", description="", metadata="m")
        owner = {"id": OWNER, "uri": ""}
        self.assertEqual(
            made,
            {
                "id": made["id"],
                "uri": f"https://api.example.com/vault_secrets/{made['id']}",
                "created_at": "2026-01-01T00:00:00Z",
                "updated_at": "2026-01-01T00:00:00Z",
                "name": "db/password",
                "description": "",
                "metadata": "m",
                "created_by": owner,
                "last_updated_by": owner,
                "vault": {"id": self.vault, "uri": f"https://api.example.com/vaults/{self.vault}"},
                "vault_name": "prod",
            },
        )
        self.api.clock.advance(60)
        path = f"/vault_secrets/{made['id']}"
        changed = self.ok("PATCH", path, {"value": "shh", "description": "d"})
        self.assertEqual(changed, {**made, "description": "d", "updated_at": "2026-01-01T00:01:00Z"})
        record = self.api.control.records.get(Secret, made["id"])
        assert record is not None
        self.assertEqual(record.value, "shh")
        self.assertEqual(self.ok("GET", "/vault_secrets")["secrets"], [changed])
        self.assertEqual(self.status("DELETE", path), 204)
        self.assertEqual(self.refused("GET", path).status, 404)

    def test_service_user(self) -> None:
        """A service user is referred to by its URL."""
        service_user = "service_" + "0" * 27
        self.api.caller = principal(ACCOUNT, owner_id=service_user)
        made = self.secret("a")
        self.assertEqual(
            made["created_by"], {"id": service_user, "uri": f"https://api.example.com/service_users/{service_user}"}
        )

    def test_sealed(self) -> None:
        """The value is not in what is stored, and not in what is logged."""
        record = Secret(id="secret_1", vault_id=self.vault, name="a", value="hush")
        self.assertNotIn("hush", repr(record))
        keyring = Keyring(b"k" * 32)
        text = encode(record, keyring)
        self.assertNotIn("hush", text)
        self.assertEqual(decode(Secret, "secret_1", text, keyring), record)

    def test_vault_by_name(self) -> None:
        """The vault may be named instead; both may be given if they mean the same."""
        self.assertEqual(self.secret("a", vault_id="", vault_name="prod")["vault"]["id"], self.vault)
        self.assertEqual(self.secret("b", vault_name="prod")["vault"]["id"], self.vault)

    def test_bad_vaults(self) -> None:
        """No vault, an unknown id and an unknown name have their codes and statuses."""
        other = self.ok("POST", "/vaults", {"name": "dev"})["id"]
        cases: list[tuple[dict[str, str], int, int]] = [
            ({}, 24008, 400),
            ({"vault_id": "vault_" + "0" * 27}, 24006, 404),
            ({"vault_name": "nope"}, 24009, 404),
            ({"vault_id": other, "vault_name": "prod"}, 24009, 404),
        ]
        for where, code, status in cases:
            error = self.refused("POST", "/vault_secrets", {"name": "a", "value": "v", **where})
            self.assertEqual((error.code, error.status), (code, status))

    def test_bad_values(self) -> None:
        """Names and values have their bounds, on being made and on being changed."""
        body = {"name": "a", "value": "v", "vault_id": self.vault}
        cases = [("name", "", 24001), ("name", "a b", 24000), ("name", "n" * 256, 24002)]
        cases += [("value", "", 24003), ("value", "v" * 65_537, 24004)]
        id = self.secret("other")["id"]
        for name, value, code in cases:
            self.assertEqual(self.refused("POST", "/vault_secrets", {**body, name: value}).code, code)
            self.assertEqual(self.refused("PATCH", f"/vault_secrets/{id}", {name: value}).code, code)
        self.assertEqual(self.refused("POST", "/vault_secrets", {**body, "name": "other"}).code, 24005)
        dev = self.ok("POST", "/vaults", {"name": "dev"})["id"]
        self.secret("other", vault_id=dev)

    def test_in_vault(self) -> None:
        """The secrets of one vault are listed, in pages."""
        ids = [self.secret(f"s{number}")["id"] for number in range(3)]
        dev = self.ok("POST", "/vaults", {"name": "dev"})["id"]
        self.secret("elsewhere", vault_id=dev)
        page = self.ok("GET", f"/vaults/{self.vault}/secrets", limit=2)
        self.assertEqual([secret["id"] for secret in page["secrets"]], ids[:0:-1])
        self.assertEqual(page["uri"], f"https://api.example.com/vaults/{self.vault}/secrets")
        self.assertEqual(page["next_page_uri"], f"{page['uri']}?before_id={ids[1]}&limit=2")
        self.assertEqual(self.refused("GET", "/vaults/vault_" + "0" * 27 + "/secrets").status, 404)

    def test_other_account(self) -> None:
        """Secrets of another account are not found and not listed, and nothing is put into its vaults."""
        made = self.secret("a")
        self.api.caller = principal(OTHER)
        self.assertEqual(self.ok("GET", "/vault_secrets")["secrets"], [])
        for verb in ("GET", "PATCH", "DELETE"):
            self.assertEqual(self.refused(verb, f"/vault_secrets/{made['id']}", {}).status, 404)
        self.assertEqual(self.refused("GET", f"/vaults/{self.vault}/secrets").status, 404)
        for where, code in (({"vault_id": self.vault}, 24006), ({"vault_name": "prod"}, 24009)):
            error = self.refused("POST", "/vault_secrets", {"name": "a", "value": "v", **where})
            self.assertEqual(error.code, code)

    def test_vault_is_gone(self) -> None:
        """A secret whose declared vault left the configuration while the server was down is shown without its name."""
        call = Call(parts=self.api.parts, principal=self.api.caller, base_url=BASE_URL)
        record = Secret(id="secret_1", account_id=ACCOUNT, vault_id="vault_1", name="a", value="hush")
        shown = secrets.view(call, record)
        self.assertEqual((shown.vault.id, shown.vault_name), ("vault_1", ""))

    def test_declared_vault(self) -> None:
        """A declared vault takes secrets, and does not leave the configuration while they are in it."""
        vault = Vault(id="vault_" + "0" * 27, account_id=ACCOUNT, name="declared", declared=True)
        accounts = list(self.api.control.records.tables["accounts"].values())
        self.api.control.declare([*accounts, vault])
        self.secret("a", vault_id="", vault_name="declared")
        error = self.assertRaises(InvalidConfig, self.api.control.declare, accounts)
        self.assertEqual([problem.code for problem in error.problems], [24006])
