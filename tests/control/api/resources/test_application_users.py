"""
Tests for `ngrok_twisted.control.api.resources.application_users`.
"""

from tests.control.api.harness import APITestCase


class ApplicationUserTests(APITestCase):
    """Nobody can sign in yet."""

    def test_none(self) -> None:
        """The list is empty, and nothing is found or deleted."""
        self.assertEqual(
            self.ok("GET", "/app/users"),
            {"application_users": [], "uri": "https://api.example.com/app/users", "next_page_uri": None},
        )
        for verb in ("GET", "DELETE"):
            error = self.refused(verb, "/app/users/x_1")
            self.assertEqual((error.status, error.code), (404, None))
            self.assertIn("x_1", error.message)
