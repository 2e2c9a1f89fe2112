"""
Tests for `ngrok_twisted.webhook.providers.twitter`.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.delivery import NotGenuine
from tests.webhook.answers import rendered
from tests.webhook.signers import BODY, TEXT, b64, mac
from tests.webhook.vectors import delivery, verdict


class TwitterTests(SynchronousTestCase):
    """Challenges."""

    def ask(self, query: str, method: str = "GET") -> Any:
        """An unsigned request."""
        return verdict("twitter", TEXT, delivery(f"https://a.example/?{query}", method=method))

    def test_crc(self) -> None:
        """The answer holds the token's digest."""
        answer = rendered(self.ask("crc_token=MTIz%2BNDU2%3D&nonce=x"))
        self.assertEqual(answer.status, 200)
        self.assertEqual(json.loads(answer.body), {"response_token": "sha256=" + b64(mac(TEXT, b"MTIz+NDU2="))})

    def test_nothing_is_signed_for_strangers(self) -> None:
        """No text that could be an event is ever signed for whoever asks; nor is anything that was signed an event."""
        for query in (
            "crc_token=%7B%7D",
            "crc_token=",
            "crc_token=a&crc_token=b",
            "crc_token=a%20b",
            "crc_token=" + "x" * 257,
        ):
            self.assertIsInstance(self.ask(query), NotGenuine)
        signature = {"x-twitter-webhooks-signature": "sha256=" + b64(mac(TEXT, b"MTIz"))}
        found = verdict("twitter", TEXT, delivery(headers=signature, body=b"MTIz"))
        self.assertEqual(found.word, "shape")

    def test_others(self) -> None:
        """Only a GET with a token is a challenge; a signed event may have one in its query."""
        for query, method in (("crc_token=x", "POST"), ("xcrc_token=x", "GET"), ("", "GET")):
            self.assertIsInstance(self.ask(query, method), NotGenuine)
        signature = {"x-twitter-webhooks-signature": "sha256=" + b64(mac(TEXT, BODY))}
        arrived = delivery("https://a.example/?crc_token=x", signature, BODY)
        self.assertIsNone(verdict("twitter", TEXT, arrived))
