"""
Tests for `ngrok_twisted.control.api.resources.self`.
"""

from __future__ import annotations

from tests.control.api.harness import ACCOUNT, APITestCase, principal


class SelfTests(APITestCase):
    """A caller learns who it is."""

    def act_with_new_key(self, **body: str) -> dict[str, str]:
        """Make a key and call with it from now on."""
        made: dict[str, str] = self.ok("POST", "/api_keys", body)
        self.api.caller = principal(credential_id=made["id"], owner_id=made["owner_id"])
        return made

    def test_user(self) -> None:
        """The key, without its token, its account and the name of its owner are shown."""
        key = self.act_with_new_key()
        self.assertEqual(
            self.ok("GET", "/self"),
            {
                "api_key": {**key, "token": None},
                "account": {
                    "id": ACCOUNT,
                    "name": "default",
                    "created_at": "1970-01-01T00:00:00Z",
                    "suspended": False,
                    "enforce_sso": False,
                    "min_api_version": 2,
                    "min_agent_version": "",
                    "user_mfa_required": False,
                    "traffic_full_capture": False,
                },
                "user": "default",
            },
        )

    def test_service_user(self) -> None:
        """A service user is shown by its name."""
        bot = self.ok("POST", "/service_users", {"name": "ci"})
        self.act_with_new_key(owner_id=bot["id"])
        self.assertEqual(self.ok("GET", "/self")["user"], "ci")

    def test_deleted(self) -> None:
        """A key that was deleted after the call came in is unknown."""
        key = self.act_with_new_key()
        self.ok("DELETE", f"/api_keys/{key['id']}")
        error = self.refused("GET", "/self")
        self.assertEqual((error.status, error.code), (403, 203))
