"""
Tests for `ngrok_twisted.control.api.resources.api_keys`, and of what its collection shares with the other credentials.
"""

from __future__ import annotations

from ngrok_twisted.control.api.call import Making
from ngrok_twisted.control.api.resources.api_keys import DeclaredAPIKey, api_keys
from ngrok_twisted.errors import InvalidConfig, Refused
from ngrok_twisted.iam.api_keys import APIKeys
from ngrok_twisted.iam.tokens import token_hash
from ngrok_twisted.records.api_key import APIKey
from tests.control.api.harness import ACCOUNT, OTHER, OWNER, SETTINGS, APIHarness, APITestCase, principal

DECLARED = "a token of my own".replace(" ", "-")


def making(api: APIHarness, id: str = "ak_" + "0" * 27) -> Making:
    """What stands around an item of a config."""
    return Making(
        id=id,
        account_id=ACCOUNT,
        declared=True,
        records=api.control.records,
        settings=SETTINGS,
        inner_id=lambda prefix, key: f"{prefix}_{key}",
        random_bytes=lambda count: self_destruct(),
    )


def self_destruct() -> bytes:
    """Nothing declared may be random."""
    raise AssertionError("a declared record is not random")


class APIKeyTests(APITestCase):
    """API keys are made, read, listed, changed and deleted."""

    def test_life(self) -> None:
        """A key's token is shown when it is made and never again; the store has only its hash."""
        made = self.ok("POST", "/api_keys", {"description": "ci", "metadata": ""})
        token = made["token"]
        self.assertEqual(
            made,
            {
                "id": made["id"],
                "uri": f"https://api.example.com/api_keys/{made['id']}",
                "created_at": "2026-01-01T00:00:00Z",
                "description": "ci",
                "metadata": "",
                "token": token,
                "owner_id": OWNER,
            },
        )
        self.assertEqual(token.partition("_")[0], made["id"].removeprefix("ak_"))
        changed = self.ok("PATCH", f"/api_keys/{made['id']}", {"metadata": "m", "description": ""})
        self.assertEqual(changed, {**made, "token": None, "metadata": "m", "description": ""})
        self.assertEqual(self.ok("GET", f"/api_keys/{made['id']}"), changed)
        self.assertEqual(self.ok("GET", "/api_keys")["keys"], [changed])
        record = self.api.control.records.get(APIKey, made["id"])
        assert record is not None
        self.assertEqual(record.token_hash, token_hash(token))
        self.assertNotIn(record.token_hash, repr(record))

    def test_counts_at_once(self) -> None:
        """A key lets its owner in from the moment it was made to the moment it is deleted."""
        keys = APIKeys(lambda: self.api.control.records, self.api.clock)
        made = self.ok("POST", "/api_keys", {})
        self.assertEqual(keys.principal_for(f"Bearer {made['token']}").credential_id, made["id"])
        self.assertEqual(self.status("DELETE", f"/api_keys/{made['id']}"), 204)
        self.assertEqual(self.assertRaises(Refused, keys.principal_for, f"Bearer {made['token']}").code, 203)

    def test_nothing_to_change(self) -> None:
        """A PATCH that names nothing is told so."""
        made = self.ok("POST", "/api_keys", {})
        for body in ({}, None, {"metadata": None}):
            self.assertEqual(self.refused("PATCH", f"/api_keys/{made['id']}", body).code, 606)

    def test_long_texts(self) -> None:
        """Texts over ngrok's limits have its codes."""
        self.assertEqual(self.refused("POST", "/api_keys", {"description": "x" * 256}).code, 604)
        self.assertEqual(self.refused("POST", "/api_keys", {"metadata": "x" * 4097}).code, 605)

    def test_unknown_field(self) -> None:
        """The owner is fixed, so that a PATCH does not know the field."""
        made = self.ok("POST", "/api_keys", {})
        self.assertEqual(self.refused("PATCH", f"/api_keys/{made['id']}", {"owner_id": OWNER}).code, 214)

    def test_other_account(self) -> None:
        """Keys of another account do not exist."""
        made = self.ok("POST", "/api_keys", {})
        self.api.caller = principal(OTHER)
        self.assertEqual(self.ok("GET", "/api_keys")["keys"], [])
        self.assertEqual(self.refused("DELETE", f"/api_keys/{made['id']}").status, 404)

    def test_filter(self) -> None:
        """A list can be narrowed by owner."""
        bot = self.ok("POST", "/service_users", {"name": "ci"})["id"]
        mine = self.ok("POST", "/api_keys", {})["id"]
        theirs = self.ok("POST", "/api_keys", {"owner_id": bot})["id"]
        listed = lambda text: [key["id"] for key in self.ok("GET", "/api_keys", filter=text)["keys"]]
        self.assertEqual(listed(f'obj.owner_id == "{bot}"'), [theirs])
        self.assertEqual(listed(f'!(obj.owner_id == "{bot}")'), [mine])


class DeclaredTests(APITestCase):
    """API keys in ``config.yaml``."""

    def declare(self, token: str = DECLARED, id: str = "ak_" + "0" * 27) -> APIKey:
        """The record of an item."""
        return api_keys.make(making(self.api, id), DeclaredAPIKey(token=token)).record

    def test_any_form(self) -> None:
        """A declared token may have any form, and lets its account's user in."""
        self.api.control.declare([*self.api.control.records.tables["accounts"].values(), self.declare()])
        keys = APIKeys(lambda: self.api.control.records, self.api.clock)
        self.assertEqual(keys.principal_for(f"Bearer {DECLARED}").account_id, ACCOUNT)

    def test_bad_tokens(self) -> None:
        """A token that is short, or that no header can carry, is refused without being repeated."""
        for token in ("", "short", "with space in the middle", "ünprintäble-token-of-mine", "x" * 513):
            error = self.assertRaises(InvalidConfig, self.declare, token)
            self.assertEqual(error.problems[0].path, "token")
            if token:
                self.assertNotIn(token, str(error))

    def test_shown(self) -> None:
        """A declared key is listed, without its token, for its account's user."""
        api = APIHarness([self.declare()])
        shown = self.successResultOf(api.send("GET", "/api_keys"))[1]["keys"]
        self.assertEqual([(key["token"], key["owner_id"]) for key in shown], [(None, OWNER)])
        self.assertNotIn(DECLARED, repr(DeclaredAPIKey(token=DECLARED)))
