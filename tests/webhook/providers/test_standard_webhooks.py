"""
Tests for `ngrok_twisted.webhook.providers.standard_webhooks`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.delivery import NotGenuine
from tests.webhook.signers import KEY, SIGNERS
from tests.webhook.vectors import verdict


class StandardWebhooksTests(SynchronousTestCase):
    """Svix and others."""

    def test_names(self) -> None:
        """Those who send through Svix may have its names in the header, or the standard's; Brex has the standard's."""
        svix, standard = SIGNERS["svix"].delivery(), SIGNERS["brex"].delivery()
        for name in ("svix", "clerk"):
            for sent in (svix, standard):
                self.assertIsNone(verdict(name, f"whsec_{KEY}", sent))
        self.assertIsInstance(verdict("brex", KEY, svix), NotGenuine)
