"""
Tests for `ngrok_twisted.control.api.resources.service_users`.
"""

from __future__ import annotations

from ngrok_twisted.iam.sessions import Sessions
from ngrok_twisted.records.credential import Credential
from tests.control.api.harness import ACCOUNT, OTHER, APITestCase, principal
from tests.iam.sessions import FakeSession


class ServiceUserTests(APITestCase):
    """Service users own credentials."""

    def test_life(self) -> None:
        """A service user comes back as it was made, until it is changed and deleted."""
        made = self.ok("POST", "/service_users", {"name": "ci"})
        self.assertEqual(
            made,
            {
                "id": made["id"],
                "uri": f"https://api.example.com/service_users/{made['id']}",
                "name": "ci",
                "active": True,
                "created_at": "2026-01-01T00:00:00Z",
            },
        )
        self.assertTrue(made["id"].startswith("service_"))
        changed = self.ok("PATCH", f"/service_users/{made['id']}", {"active": False})
        self.assertEqual(changed, {**made, "active": False})
        self.assertEqual(self.ok("PATCH", f"/service_users/{made['id']}", {}), changed)
        self.assertEqual(self.ok("GET", "/service_users")["service_users"], [changed])
        self.assertEqual(self.status("DELETE", f"/service_users/{made['id']}"), 204)
        self.assertEqual(self.refused("GET", f"/service_users/{made['id']}").status, 404)

    def test_inactive_from_the_start(self) -> None:
        """False is not taken for nothing."""
        self.assertFalse(self.ok("POST", "/service_users", {"name": "ci", "active": False})["active"])

    def test_names(self) -> None:
        """A name is there, short and unique in its account."""
        first = self.ok("POST", "/service_users", {"name": "a"})
        second = self.ok("POST", "/service_users", {"name": "b"})
        for name, code in (("", 4109), (" ", 4109), ("x" * 256, 4110), ("a", 4112)):
            self.assertEqual(self.refused("POST", "/service_users", {"name": name}).code, code)
            self.assertEqual(self.refused("PATCH", f"/service_users/{second['id']}", {"name": name}).code, code)
        self.assertEqual(self.refused("PATCH", f"/service_users/{first['id']}", {"name": "b"}).code, 4112)
        self.ok("PATCH", f"/service_users/{first['id']}", {"name": "a"})
        self.api.caller = principal(OTHER)
        self.ok("POST", "/service_users", {"name": "a"})

    def test_no_administrators(self) -> None:
        """Service users may look, but do not manage their like."""
        made = self.ok("POST", "/service_users", {"name": "ci"})
        self.api.caller = principal(owner_id=made["id"])
        self.assertEqual(self.ok("GET", f"/service_users/{made['id']}"), made)
        requests = (
            ("POST", "", {"name": "x"}),
            ("PATCH", f"/{made['id']}", {"active": True}),
            ("DELETE", f"/{made['id']}", {}),
        )
        for verb, path, body in requests:
            error = self.refused(verb, f"/service_users{path}", body)
            self.assertEqual((error.status, error.code), (403, 4111))

    def test_disabled(self) -> None:
        """Whoever is made inactive loses all agent sessions at once, and no others."""
        bot = self.ok("POST", "/service_users", {"name": "ci"})["id"]
        sessions = self.tracked(self.ok("POST", "/credentials", {"owner_id": bot}), self.ok("POST", "/credentials", {}))
        self.ok("PATCH", f"/service_users/{bot}", {"active": False})
        self.assertEqual([len(session.reasons) for session in sessions], [1, 0])
        self.assertIn("disabled", sessions[0].reasons[0])

    def test_deleted(self) -> None:
        """What belongs to a deleted service user goes with it, whichever of its ids was written, and nothing else."""
        bot = self.ok("POST", "/service_users", {"name": "ci"})["id"]
        theirs = self.ok("POST", "/credentials", {"owner_id": bot.replace("service_", "bot_")})
        also_theirs = self.ok("POST", "/api_keys", {"owner_id": bot})
        mine = self.ok("POST", "/credentials", {})
        sessions = self.tracked(theirs, mine)
        self.ok("DELETE", f"/service_users/{bot}")
        self.assertEqual([len(session.reasons) for session in sessions], [1, 0])
        self.assertEqual(self.refused("GET", f"/api_keys/{also_theirs['id']}").status, 404)
        self.assertEqual([found["id"] for found in self.ok("GET", "/credentials")["credentials"]], [mine["id"]])

    def test_declared_credential(self) -> None:
        """A service user that the configuration gives a credential to is not deleted from under it."""
        bot = self.ok("POST", "/service_users", {"name": "ci"})["id"]
        declared = Credential(id="cr_1", account_id=ACCOUNT, token_hash="0", owner_id=bot, declared=True)
        tables = self.api.control.records.tables
        self.api.control.declare([*tables["accounts"].values(), *tables["users"].values(), declared])
        self.assertIn("configuration", self.refused("DELETE", f"/service_users/{bot}").message)
        self.ok("GET", f"/service_users/{bot}")

    def tracked(self, *credentials: dict[str, str]) -> list[FakeSession]:
        """A session of each, as the product keeps it."""
        sessions = Sessions()
        self.api.control.subscribe(sessions.update)
        made = [FakeSession(str(number), found["id"]) for number, found in enumerate(credentials)]
        for session in made:
            session.principal = principal(credential_id=session.principal.credential_id)
            sessions.track(session)
        return made
