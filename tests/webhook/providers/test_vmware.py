"""
Tests for `ngrok_twisted.webhook.providers.vmware`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Refused
from ngrok_twisted.webhook.delivery import NotGenuine
from ngrok_twisted.webhook.verifier import providers
from tests.webhook.signers import b64
from tests.webhook.vectors import delivery, verdict


class VMwareTests(SynchronousTestCase):
    """Basic authentication."""

    def judge(self, value: str) -> Any:
        """Of a request with these credentials."""
        return verdict("vmware", "aladdin::open::sesame", delivery(headers={"Authorization": value}))

    def test_credentials(self) -> None:
        """Name and password must be the ones that are configured; the password may have colons."""
        self.assertIsNone(self.judge("Basic " + b64(b"aladdin:open::sesame")))
        self.assertIsNone(self.judge("basic " + b64(b"aladdin:open::sesame").rstrip("=")))
        for wrong in (b"aladdin:open", b"aladdin", b"", b"aladdin::open::sesame", b"Aladdin:open::sesame"):
            self.assertIsInstance(self.judge("Basic " + b64(wrong)), NotGenuine)
        for nonsense in ("", "Basic !", "Bearer " + b64(b"aladdin:open::sesame")):
            self.assertEqual(self.judge(nonsense).word, "shape")

    def test_secrets(self) -> None:
        """What is configured has a name, two colons, and a password."""
        check = providers()["vmware_workspace"].check_secret
        check("a::b")
        check("a::")
        for wrong in ("a:b", "::b", "a", "a:b::c"):
            self.assertRaises(Refused, check, wrong)
