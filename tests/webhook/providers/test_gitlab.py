"""
Tests for `ngrok_twisted.webhook.providers.gitlab`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.delivery import NotGenuine
from tests.webhook.signers import BODY, KEY, NOW, SIGNERS
from tests.webhook.vectors import delivery, verdict


class GitLabTests(SynchronousTestCase):
    """Tokens and signatures."""

    def verdict(self, secret: str, **headers: str) -> str:
        """Why it is not genuine; empty if it is."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        found = verdict("gitlab", secret, delivery(headers=fields, body=BODY, now=NOW))
        return found.word if isinstance(found, NotGenuine) else ""

    def test_token(self) -> None:
        """The token is the secret."""
        self.assertEqual(self.verdict("hush", X_Gitlab_Token="hush"), "")
        self.assertEqual(self.verdict("hush", X_Gitlab_Token="husk"), "wrong")
        self.assertEqual(self.verdict("hush"), "missing")

    def test_both(self) -> None:
        """Of a webhook that has a token and signs, the one that is configured here is checked."""
        signed = {name.replace("-", "_"): value for name, value in SIGNERS["brex"].sign(BODY, NOW).items()}
        self.assertEqual(self.verdict("hush", X_Gitlab_Token="hush", **signed), "")
        self.assertEqual(self.verdict(f"whsec_{KEY}", X_Gitlab_Token="hush", **signed), "")
        self.assertEqual(self.verdict("hush", X_Gitlab_Token="husk", **signed), "wrong")
        wrong = {**signed, "Webhook_signature": "v1,AAAA"}
        self.assertEqual(self.verdict(f"whsec_{KEY}", X_Gitlab_Token=f"whsec_{KEY}", **wrong), "wrong")

    def test_looks_like_a_key(self) -> None:
        """A token may look like a key and be none."""
        for secret in (f"whsec_{KEY}", "whsec_!"):
            self.assertEqual(self.verdict(secret, X_Gitlab_Token=secret), "")
            self.assertEqual(self.verdict(secret, X_Gitlab_Token="x"), "wrong")
