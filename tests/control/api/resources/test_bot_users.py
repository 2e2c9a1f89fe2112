"""
Tests for `ngrok_twisted.control.api.resources.bot_users`.
"""

from __future__ import annotations

from tests.control.api.harness import APITestCase


class BotUserTests(APITestCase):
    """Service users under the older route."""

    def test_same(self) -> None:
        """What is made under one route is seen, changed and deleted under the other, with the other prefix."""
        made = self.ok("POST", "/bot_users", {"name": "ci"})
        bot, ksuid = made["id"], made["id"].removeprefix("bot_")
        self.assertEqual(made["uri"], f"https://api.example.com/bot_users/bot_{ksuid}")
        seen = self.ok("GET", f"/service_users/service_{ksuid}")
        self.assertEqual({**seen, "id": bot, "uri": made["uri"]}, made)
        self.ok("PATCH", f"/service_users/service_{ksuid}", {"name": "other"})
        self.assertEqual(self.ok("GET", f"/bot_users/{bot}")["name"], "other")
        self.assertEqual([found["id"] for found in self.ok("GET", "/bot_users")["bot_users"]], [bot])
        self.ok("DELETE", f"/bot_users/{bot}")
        self.assertEqual(self.refused("GET", f"/service_users/service_{ksuid}").status, 404)

    def test_prefixes(self) -> None:
        """Each route knows its own prefix only."""
        made = self.ok("POST", "/bot_users", {"name": "ci"})["id"]
        self.assertEqual(self.refused("GET", f"/service_users/{made}").code, 222)
        self.assertEqual(self.refused("GET", "/bot_users/" + made.replace("bot_", "service_")).code, 222)

    def test_pages(self) -> None:
        """Pages are asked for by the ids of this route."""
        ids = [self.ok("POST", "/bot_users", {"name": str(number)})["id"] for number in range(3)]
        page = self.ok("GET", "/bot_users", before_id=ids[2], limit=1)
        self.assertEqual([found["id"] for found in page["bot_users"]], [ids[1]])
        self.assertIn(f"before_id={ids[1]}", page["next_page_uri"])

    def test_owner(self) -> None:
        """An owner stays written as its owner was found under."""
        bot = self.ok("POST", "/bot_users", {"name": "ci"})["id"]
        key = self.ok("POST", "/api_keys", {"owner_id": bot})
        self.assertEqual(self.ok("GET", f"/api_keys/{key['id']}")["owner_id"], bot)
