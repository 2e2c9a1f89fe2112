"""
Tests for `ngrok_twisted.control.api.resources.root`.
"""

from __future__ import annotations

from ngrok_twisted.control.api.routes import resources
from tests.control.api.harness import APITestCase


class RootTests(APITestCase):
    """The root shows the way."""

    def test_places(self) -> None:
        """Every collection is there, and each URL can be listed."""
        root = self.ok("GET", "/")
        self.assertEqual(root["uri"], "https://api.example.com/")
        for name in ("api_keys", "bot_users", "credentials", "service_users", "ssh_credentials", "vaults"):
            self.assertEqual(root["subresource_uris"][name], f"https://api.example.com/{name}")
        self.assertLessEqual(set(root["subresource_uris"]), set(resources()))
        for uri in root["subresource_uris"].values():
            self.ok("GET", uri.removeprefix("https://api.example.com"))
