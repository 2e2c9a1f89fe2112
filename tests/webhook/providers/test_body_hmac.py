"""
Tests for `ngrok_twisted.webhook.providers.body_hmac`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.delivery import NotGenuine
from tests.webhook.signers import BODY, KEY, TEXT, b64, mac
from tests.webhook.vectors import delivery, verdict


class BodyHMACTests(SynchronousTestCase):
    """What is special with some of them."""

    def verdict(self, provider: str, secret: str = TEXT, **headers: str) -> str:
        """Why it is not genuine; empty if it is."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        found = verdict(provider, secret, delivery(headers=fields, body=BODY))
        return found.word if isinstance(found, NotGenuine) else ""

    def test_docusign(self) -> None:
        """Each key of an account has a field of its own; one of them is ours."""
        other, ours = b64(mac("other", BODY)), b64(mac(TEXT, BODY))
        self.assertEqual(self.verdict("docusign", X_DocuSign_Signature_1=other, X_DocuSign_Signature_100=ours), "")
        self.assertEqual(self.verdict("docusign", X_DocuSign_Signature_1=other), "wrong")
        self.assertEqual(self.verdict("docusign", X_DocuSign_Signature_101=ours), "missing")

    def test_several(self) -> None:
        """CircleCI and PagerDuty may sign with several keys, or in ways to come."""
        other, ours = mac("other", BODY).hex(), mac(TEXT, BODY).hex()
        self.assertEqual(self.verdict("circleci", circleci_signature=f"v2=x,v1={ours}"), "")
        self.assertEqual(self.verdict("pagerduty", X_PagerDuty_Signature=f"v1={other},v1={ours}"), "")
        self.assertEqual(self.verdict("pagerduty", X_PagerDuty_Signature=f"v1={other}, v2={ours}"), "wrong")

    def test_mongodb(self) -> None:
        """Endpoints of App Services sign in another way than alerts."""
        self.assertEqual(self.verdict("mongodb", X_Hook_Signature="sha256=" + mac(TEXT, BODY).hex()), "")

    def test_pusher(self) -> None:
        """So does Beams."""
        self.assertEqual(self.verdict("pusher", Webhook_Signature=mac(TEXT, BODY, "sha1").hex()), "")

    def test_microsoft_teams(self) -> None:
        """The word before the signature may be of either case; another one is another scheme."""
        said = b64(mac(b"0123456789abcdef01234567", BODY))
        self.assertEqual(self.verdict("microsoft_teams", KEY, Authorization=f"hmac {said}"), "")
        self.assertEqual(self.verdict("microsoft_teams", KEY, Authorization=f"Bearer {said}"), "missing")

    def test_stray_case(self) -> None:
        """The case of base64 counts, that of hexadecimal digits does not."""
        self.assertEqual(self.verdict("shopify", X_Shopify_Hmac_Sha256=b64(mac(TEXT, BODY)).swapcase()), "wrong")
        self.assertEqual(self.verdict("sentry", Sentry_Hook_Signature=mac(TEXT, BODY).hex().upper()), "")
