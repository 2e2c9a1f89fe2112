"""
Tests for `ngrok_twisted.webhook.providers.zoom`.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.delivery import NotGenuine
from tests.webhook.answers import rendered
from tests.webhook.signers import SIGNERS, TEXT, mac
from tests.webhook.vectors import verdict

VALIDATION = (
    b'{"payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event_ts":1654503849680,"event":"endpoint.url_validation"}'
)


class ZoomTests(SynchronousTestCase):
    """Validations of a URL."""

    def verdict(self, body: bytes) -> Any:
        """Of a genuine delivery."""
        return verdict("zoom", TEXT, SIGNERS["zoom"].delivery(body=body))

    def test_validation(self) -> None:
        """The answer is the token and its digest."""
        answer = rendered(self.verdict(VALIDATION))
        self.assertEqual((answer.status, answer.headers[b"content-type"]), (200, b"application/json"))
        token = "qgg8vlvZRS6UYooatFL8Aw"
        self.assertEqual(
            json.loads(answer.body), {"plainToken": token, "encryptedToken": mac(TEXT, token.encode()).hex()}
        )

    def test_unsigned(self) -> None:
        """Nobody else is told a digest."""
        self.assertIsInstance(verdict("zoom", "other", SIGNERS["zoom"].delivery(body=VALIDATION)), NotGenuine)

    def test_others(self) -> None:
        """Everything else is for the service, whatever is in it."""
        for body in (
            b'{"event": "meeting.started", "payload": {"topic": "endpoint.url_validation"}}',
            b'{"event": "endpoint.url_validation"}',
            b'{"event": "endpoint.url_validation", "payload": {"plainToken": 7}}',
            b"endpoint.url_validation",
            VALIDATION + b" " * 5000,
        ):
            self.assertIsNone(self.verdict(body))
