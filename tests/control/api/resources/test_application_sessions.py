"""
Tests for `ngrok_twisted.control.api.resources.application_sessions`.
"""

from tests.control.api.harness import APITestCase


class ApplicationSessionTests(APITestCase):
    """Nobody can sign in yet."""

    def test_none(self) -> None:
        """The list is empty, and nothing is found or deleted."""
        self.assertEqual(
            self.ok("GET", "/app/sessions"),
            {"application_sessions": [], "uri": "https://api.example.com/app/sessions", "next_page_uri": None},
        )
        for verb in ("GET", "DELETE"):
            error = self.refused(verb, "/app/sessions/x_1")
            self.assertEqual((error.status, error.code), (404, None))
            self.assertIn("x_1", error.message)
