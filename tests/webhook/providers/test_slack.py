"""
Tests for `ngrok_twisted.webhook.providers.slack`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.delivery import NotGenuine
from tests.webhook.answers import rendered
from tests.webhook.signers import SIGNERS, TEXT
from tests.webhook.vectors import verdict


class SlackTests(SynchronousTestCase):
    """Challenges to a new URL."""

    def verdict(self, body: bytes, **settings: Any) -> Any:
        """Of a genuine delivery."""
        return verdict("slack", TEXT, SIGNERS["slack"].delivery(body=body), **settings)

    def test_challenge(self) -> None:
        """The challenge is the answer, as plain text."""
        answer = rendered(self.verdict('{"type": "url_verification", "challenge": "<b>Zo\u00eb"}'.encode()))
        self.assertEqual((answer.status, answer.body), (200, "<b>Zoë".encode()))
        self.assertEqual(answer.headers[b"content-type"], b"text/plain; charset=utf-8")
        self.assertEqual(answer.headers[b"x-content-type-options"], b"nosniff")

    def test_left_to_the_service(self) -> None:
        """Unless the operator wants the service to answer."""
        body = b'{"type": "url_verification", "challenge": "x"}'
        self.assertIsNone(self.verdict(body, answer_slack_challenge=False))

    def test_unsigned(self) -> None:
        """A challenge of somebody else is refused."""
        sent = SIGNERS["slack"].delivery(body=b'{"type": "url_verification", "challenge": "x"}')
        self.assertIsInstance(verdict("slack", "other", sent), NotGenuine)

    def test_others(self) -> None:
        """Everything else is for the service, whatever is in it."""
        for body in (
            b'{"type": "event_callback", "event": {"text": "url_verification"}}',
            b'{"type": "url_verification"}',
            b'{"type": "url_verification", "challenge": 7}',
            b"url_verification",
            b'["url_verification"]',
            b"payload=%7B%22type%22%3A%22url_verification%22%7D",
            b'{"type": "url_verification", "challenge": "%s"}' % (b"x" * 5000),
        ):
            self.assertIsNone(self.verdict(body))
