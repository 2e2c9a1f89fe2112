"""
Tests for `ngrok_twisted.webhook.providers.orbit`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.webhook.signers import BODY, TEXT, mac
from tests.webhook.vectors import delivery, verdict


class OrbitTests(SynchronousTestCase):
    """Orbit."""

    def test_prefix(self) -> None:
        """What stands before the signature may be left out."""
        for before in ("", "sha256="):
            arrived = delivery(headers={"X-Orbit-Signature": before + mac(TEXT, BODY).hex()}, body=BODY)
            self.assertIsNone(verdict("orbit", TEXT, arrived))
