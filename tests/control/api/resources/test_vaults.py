"""
Tests for `ngrok_twisted.control.api.resources.vaults`.
"""

from ngrok_twisted.records.vault import Vault
from tests.control.api.harness import OTHER, OWNER, APITestCase, principal


class VaultTests(APITestCase):
    """Vaults are made, read, listed, changed and deleted."""

    def test_life(self) -> None:
        """A vault comes back as it was made, until it is changed and deleted."""
        made = self.ok("POST", "/vaults", {"name": "prod/db", "description": "", "metadata": "m"})
        self.assertEqual(
            made,
            {
                "id": made["id"],
                "uri": f"https://api.example.com/vaults/{made['id']}",
                "created_at": "2026-01-01T00:00:00Z",
                "updated_at": "2026-01-01T00:00:00Z",
                "description": "",
                "metadata": "m",
                "name": "prod/db",
                "created_by": OWNER,
                "last_updated_by": OWNER,
            },
        )
        self.api.clock.advance(60)
        changed = self.ok("PATCH", f"/vaults/{made['id']}", {"metadata": "", "name": None})
        self.assertEqual(changed, {**made, "metadata": "", "updated_at": "2026-01-01T00:01:00Z"})
        self.assertEqual(self.ok("GET", f"/vaults/{made['id']}"), changed)
        self.assertEqual(self.status("DELETE", f"/vaults/{made['id']}"), 204)
        self.assertEqual(self.refused("GET", f"/vaults/{made['id']}").status, 404)

    def test_pages(self) -> None:
        """A list is the newest first; the next page begins behind the last item, and the last page has no next one."""
        ids = [self.ok("POST", "/vaults", {"name": f"v{number}"})["id"] for number in range(5)]
        first = self.ok("GET", "/vaults", limit=2)
        self.assertEqual([vault["id"] for vault in first["vaults"]], ids[:2:-1])
        self.assertEqual(first["next_page_uri"], f"https://api.example.com/vaults?before_id={ids[3]}&limit=2")
        last = self.ok("GET", "/vaults", limit=3, before_id=ids[3])
        self.assertEqual([vault["id"] for vault in last["vaults"]], ids[2::-1])
        self.assertIsNone(last["next_page_uri"])

    def test_bad_names(self) -> None:
        """A vault needs a name, of few characters, that no other vault of the account has."""
        self.ok("POST", "/vaults", {"name": "a"})
        self.assertEqual(self.refused("POST", "/vaults", {"name": ""}).code, 23001)
        self.assertEqual(self.refused("POST", "/vaults", {"name": "a b"}).code, 23000)
        self.assertEqual(self.refused("POST", "/vaults", {"name": "a"}).code, 23004)

    def test_not_empty(self) -> None:
        """A vault with secrets in it stays; the sentence says why."""
        id = self.ok("POST", "/vaults", {"name": "a"})["id"]
        secret = self.ok("POST", "/vault_secrets", {"name": "s", "value": "v", "vault_id": id})
        self.assertEqual(self.refused("DELETE", f"/vaults/{id}").code, 23003)
        self.ok("DELETE", f"/vault_secrets/{secret['id']}")
        self.ok("DELETE", f"/vaults/{id}")

    def test_long_name(self) -> None:
        """A name has an end."""
        self.assertEqual(self.refused("POST", "/vaults", {"name": "n" * 256}).code, 23002)

    def test_every_problem(self) -> None:
        """A body with several problems is told each of them, by field."""
        error = self.refused("POST", "/vaults", {"name": 1, "color": "red"})
        self.assertEqual(set(error.details), {"name", "color"})
        self.assertEqual(error.details["color"].rpartition("(")[2], "ERR_NGROK_214)")

    def test_other_account(self) -> None:
        """Vaults of another account are not found, not listed and do not stand in the way."""
        made = self.ok("POST", "/vaults", {"name": "a"})
        self.api.caller = principal(OTHER)
        self.assertEqual(self.ok("GET", "/vaults")["vaults"], [])
        for verb in ("GET", "PATCH", "DELETE"):
            self.assertEqual(self.refused(verb, f"/vaults/{made['id']}", {}).status, 404)
        self.ok("POST", "/vaults", {"name": "a"})

    def test_malformed_id(self) -> None:
        """What is no id of a vault is told so, with ngrok's code."""
        for id in ("x", "vault_1", "ca_" + "0" * 27):
            error = self.refused("GET", f"/vaults/{id}")
            self.assertEqual((error.status, error.code), (404, 222))

    def test_declared(self) -> None:
        """A declared record is read, but not changed."""
        declared = Vault(id="vault_" + "0" * 27, account_id=self.api.caller.account_id, name="d", declared=True)
        self.api.control.declare([*self.api.control.records.all(Vault), declared])
        self.assertEqual(self.ok("GET", f"/vaults/{declared.id}")["name"], "d")
        error = self.refused("PATCH", f"/vaults/{declared.id}", {"name": "e"})
        self.assertIn("configuration", error.message)
