"""
Tests for `ngrok_twisted.webhook.providers.hub_signature`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.delivery import NotGenuine
from ngrok_twisted.webhook.verifier import UNVERIFIED
from tests.webhook.signers import BODY, TEXT, mac
from tests.webhook.vectors import delivery, verdict

META = ("facebook_graph_api", "facebook_messenger", "instagram", "whatsapp")


class HubSignatureTests(SynchronousTestCase):
    """GitHub, and Meta's platforms."""

    def test_older(self) -> None:
        """Without the newer signature the older counts; a wrong newer one is wrong, whatever the older says."""
        older = {"X-Hub-Signature": "sha1=" + mac(TEXT, BODY, "sha1").hex()}
        for name in ("github", *META):
            self.assertIsNone(verdict(name, TEXT, delivery(headers=older, body=BODY)))
            both = delivery(headers={**older, "X-Hub-Signature-256": "sha256=00"}, body=BODY)
            self.assertIsInstance(verdict(name, TEXT, both), NotGenuine)

    def test_mixed_up(self) -> None:
        """A digest under the name of another is none."""
        said = {"X-Hub-Signature-256": "sha1=" + mac(TEXT, BODY, "sha1").hex()}
        self.assertEqual(verdict("github", TEXT, delivery(headers=said, body=BODY)).word, "missing")

    def test_subscription(self) -> None:
        """Only the service knows the token of a subscription, so it gets the request; GitHub has no such thing."""
        url = "https://a.example/?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=meatyhamhock"
        for name in META:
            self.assertIs(verdict(name, TEXT, delivery(url, method="GET")), UNVERIFIED)
        self.assertIsInstance(verdict("github", TEXT, delivery(url, method="GET")), NotGenuine)

    def test_no_subscription(self) -> None:
        """Anything else without a signature is refused."""
        for method, query in (
            ("POST", "hub.mode=subscribe&hub.challenge=1&hub.verify_token=x"),
            ("GET", "hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=x"),
            ("GET", "hub.mode=subscribe&hub.challenge=1"),
            ("GET", "hub.mode=subscribe"),
            ("GET", ""),
        ):
            arrived = delivery(f"https://a.example/?{query}", method=method)
            self.assertIsInstance(verdict("whatsapp", TEXT, arrived), NotGenuine)
