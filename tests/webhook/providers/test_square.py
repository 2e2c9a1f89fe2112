"""
Tests for `ngrok_twisted.webhook.providers.square`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.delivery import NotGenuine
from tests.webhook.signers import BODY, TEXT, b64, mac
from tests.webhook.vectors import delivery, vectors, verdict


class SquareTests(SynchronousTestCase):
    """Two digests."""

    def test_older(self) -> None:
        """Without the newer signature the older counts."""
        older = {"x-square-signature": b64(mac(TEXT, b"https://hooks.example.com/hook" + BODY, "sha1"))}
        self.assertIsNone(verdict("square", TEXT, delivery(headers=older, body=BODY)))
        both = {**older, "x-square-hmacsha256-signature": "AAAA"}
        self.assertIsInstance(verdict("square", TEXT, delivery(headers=both, body=BODY)), NotGenuine)

    def test_url(self) -> None:
        """The URL is signed along."""
        vector = next(vectors("square"))
        for change in ({"target": b"/squares"}, {"target": b"/square?x"}, {"authority": b"other.example.com"}):
            found = verdict("square", vector.secret, vector.changed(**change).delivery)
            self.assertIsInstance(found, NotGenuine)
