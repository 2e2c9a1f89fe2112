"""
Tests for `ngrok_twisted.webhook.providers.xero`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.delivery import NotGenuine
from ngrok_twisted.webhook.verifier import providers
from tests.webhook.answers import rendered
from tests.webhook.signers import SIGNERS, TEXT
from tests.webhook.vectors import verdict

# Xero documentation, "Configuring your server": every message of the validation looks like this.
INTENT = b'{"events":[],"lastEventSequence":0,"firstEventSequence":0,"entropy":"S0m3r4Nd0mt3xt"}'


class XeroTests(SynchronousTestCase):
    """The validation that comes before any event."""

    def verdict(self, body: bytes) -> Any:
        """Of a genuine delivery."""
        return verdict("xero", TEXT, SIGNERS["xero"].delivery(body=body))

    def test_intent(self) -> None:
        """A message without events is answered with nothing but 200."""
        answer = rendered(self.verdict(INTENT))
        self.assertEqual((answer.status, answer.body, list(answer.headers)), (200, b"", []))

    def test_refusal(self) -> None:
        """What is wrong is answered with nothing but 401."""
        self.assertIsInstance(verdict("xero", "other", SIGNERS["xero"].delivery(body=INTENT)), NotGenuine)
        answer = rendered(providers()["xero"].refusal)
        self.assertEqual((answer.status, answer.body, list(answer.headers)), (401, b"", []))

    def test_events(self) -> None:
        """Events are for the service, and so is what is no message at all, if it is signed."""
        for body in (b'{"events":[{"eventType":"UPDATE"}]}', b"{}", b"[]", b"", b"x" * 5000, b'{"events":{}}'):
            self.assertIsNone(self.verdict(body))
