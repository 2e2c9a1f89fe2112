"""
Tests for `ngrok_twisted.webhook.providers.dropbox`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.delivery import NotGenuine
from ngrok_twisted.webhook.verifier import UNVERIFIED
from tests.webhook.signers import TEXT
from tests.webhook.vectors import delivery, verdict


class DropboxTests(SynchronousTestCase):
    """Verifications of a URL."""

    def test_challenge(self) -> None:
        """The service answers a challenge; nothing else without a signature gets to it."""
        url = "https://a.example/dropbox?challenge=abc"
        self.assertIs(verdict("dropbox", TEXT, delivery(url, method="GET")), UNVERIFIED)
        for method, target in (
            ("POST", url),
            ("GET", "https://a.example/?xchallenge=1"),
            ("GET", "https://a.example/"),
        ):
            self.assertIsInstance(verdict("dropbox", TEXT, delivery(target, method=method)), NotGenuine)
