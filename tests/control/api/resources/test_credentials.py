"""
Tests for `ngrok_twisted.control.api.resources.credentials`.
"""

from __future__ import annotations

from ngrok_twisted.control.around import Around, all_problems
from ngrok_twisted.iam.sessions import NARROWED, Sessions
from ngrok_twisted.records.base import Put
from ngrok_twisted.records.credential import Credential
from tests.control.api.harness import ACCOUNT, OWNER, SETTINGS, APITestCase
from tests.iam.sessions import FakeSession


class CredentialTests(APITestCase):
    """Authtokens are made, read, listed, changed and deleted."""

    def test_life(self) -> None:
        """A token is shown when it is made and never again."""
        made = self.ok("POST", "/credentials", {"acl": ["bind:*.example.com"], "description": "d"})
        self.assertEqual(
            made,
            {
                "id": made["id"],
                "uri": f"https://api.example.com/credentials/{made['id']}",
                "created_at": "2026-01-01T00:00:00Z",
                "description": "d",
                "metadata": "",
                "token": made["token"],
                "acl": ["bind:*.example.com"],
                "owner_id": OWNER,
            },
        )
        self.assertEqual(made["token"].partition("_")[0], made["id"].removeprefix("cr_"))
        changed = self.ok("PATCH", f"/credentials/{made['id']}", {"acl": []})
        self.assertEqual(changed, {**made, "token": None, "acl": []})
        self.assertEqual(self.ok("GET", "/credentials", filter="size(obj.acl) == 0")["credentials"], [changed])
        self.assertEqual(self.status("DELETE", f"/credentials/{made['id']}"), 204)
        self.assertEqual(self.refused("GET", f"/credentials/{made['id']}").status, 404)

    def test_unrestricted(self) -> None:
        """No list, null and an empty list mean the same, and are shown as an empty list."""
        for body in ({}, {"acl": None}, {"acl": []}):
            self.assertEqual(self.ok("POST", "/credentials", body)["acl"], [])

    def test_rules(self) -> None:
        """Every rule that cannot be read is told by its place."""
        error = self.refused("POST", "/credentials", {"acl": ["bind:a.b", "bind", "bind:a.b:x", "*"]})
        self.assertEqual((error.code, set(error.details)), (600, {"acl[1]", "acl[2]"}))
        made = self.ok(
            "POST", "/credentials", {"acl": ["*", "bind:*", "bind:k=v", "bind:k=*", "bind:tcp.example.com:1"]}
        )
        self.assertEqual(self.refused("PATCH", f"/credentials/{made['id']}", {"acl": ["x"]}).code, 600)

    def test_too_many_rules(self) -> None:
        """The number of rules is bounded."""
        self.assertEqual(self.refused("POST", "/credentials", {"acl": ["bind:a.b"] * 1001}).code, 600)

    def test_chosen_token(self) -> None:
        """Nobody chooses a token through the API, and what was chosen is not repeated."""
        error = self.refused("POST", "/credentials", {"precomputed_token": "hunter2"})
        self.assertEqual((error.status, error.code), (403, 638))
        self.assertNotIn("hunter2", error.message + repr(error.details))

    def test_nothing_to_change(self) -> None:
        """A PATCH that names nothing is told so."""
        made = self.ok("POST", "/credentials", {})
        self.assertEqual(self.refused("PATCH", f"/credentials/{made['id']}", {}).code, 606)

    def test_sessions(self) -> None:
        """Sessions end when their token may bind less or is deleted, and stay when it is only described."""
        made = self.ok("POST", "/credentials", {})
        sessions = Sessions()
        self.api.control.subscribe(sessions.update)
        session = FakeSession("ts_1", made["id"], account_id=ACCOUNT)
        forget = sessions.track(session)
        self.ok("PATCH", f"/credentials/{made['id']}", {"description": "d"})
        self.assertEqual(session.reasons, [])
        self.ok("PATCH", f"/credentials/{made['id']}", {"acl": ["bind:a.b"]})
        self.assertEqual(session.reasons, [NARROWED])
        forget()
        again = FakeSession("ts_2", made["id"], ("bind:a.b",), ACCOUNT)
        sessions.track(again)
        self.ok("DELETE", f"/credentials/{made['id']}")
        self.assertEqual(len(again.reasons), 1)

    def test_declared_twice(self) -> None:
        """A token that two records have is a problem of the later one."""
        found = [
            Credential(id=f"cr_{number}", account_id=ACCOUNT, token_hash="same", declared=True) for number in range(2)
        ]
        around = Around(records=self.api.control.records.with_changes(map(Put, found)), settings=SETTINGS)
        self.assertEqual(
            [(record.id, problem.path, problem.other) for record, problem in all_problems(found, around)],
            [("cr_1", "token", "cr_0")],
        )
