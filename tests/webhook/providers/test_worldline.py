"""
Tests for `ngrok_twisted.webhook.providers.worldline`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.delivery import NotGenuine
from tests.webhook.answers import rendered
from tests.webhook.signers import TEXT
from tests.webhook.vectors import delivery, verdict


class WorldlineTests(SynchronousTestCase):
    """Verifications of a URL."""

    def test_echo(self) -> None:
        """What it sends in a GET comes back as plain text."""
        headers = {"X-GCS-Webhooks-Endpoint-Verification": "1234-<x>"}
        answer = rendered(verdict("worldline", TEXT, delivery(headers=headers, method="GET")))
        self.assertEqual((answer.status, answer.body), (200, b"1234-<x>"))
        self.assertEqual(answer.headers[b"content-type"], b"text/plain; charset=utf-8")

    def test_others(self) -> None:
        """Other methods, and texts that are no token, are refused."""
        name = "X-GCS-Webhooks-Endpoint-Verification"
        for method, headers in (
            ("POST", {name: "1"}),
            ("GET", {name: "x" * 257}),
            ("GET", {name: "1", name.lower(): "2"}),
            ("GET", {}),
        ):
            self.assertIsInstance(verdict("worldline", TEXT, delivery(headers=headers, method=method)), NotGenuine)
