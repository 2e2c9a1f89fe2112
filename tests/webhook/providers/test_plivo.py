"""
Tests for `ngrok_twisted.webhook.providers.plivo`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.delivery import NotGenuine
from tests.webhook.signers import BODY, SIGNERS, TEXT, b64, mac
from tests.webhook.vectors import delivery, vectors, verdict


class PlivoTests(SynchronousTestCase):
    """Versions, URLs and forms."""

    def judge(self, **changes: Any) -> Any:
        """The verdict on a changed delivery."""
        return verdict("plivo", TEXT, replace(SIGNERS["plivo"].delivery(), **changes))

    def test_order(self) -> None:
        """The order of parameters does not count, neither in the query nor in the form."""
        get = next(vectors("plivo"))
        self.assertIsNone(verdict("plivo", get.secret, get.changed(target=b"/answer/?b=1&a=1%20x&b=2").delivery))
        self.assertIsNone(self.judge(body=b"c=&a=%C3%A4+x&b=2"))
        self.assertIsInstance(self.judge(target=b"/hook?a=c"), NotGenuine)

    def test_no_form(self) -> None:
        """A body that is no form is not covered by the signature, and refused."""
        nonce = {"X-Plivo-Signature-V3-Nonce": "n", "Content-Type": "application/json"}
        said = b64(mac(TEXT, b"https://hooks.example.com/hook.n"))
        headers = {**nonce, "X-Plivo-Signature-V3": said}
        self.assertIsNone(verdict("plivo", TEXT, delivery(headers=headers)))
        self.assertEqual(verdict("plivo", TEXT, delivery(headers=headers, body=BODY)).word, "shape")

    def test_version_2(self) -> None:
        """Older applications sign the URL without its query, and the nonce; a newer signature alone counts where it is."""
        said = b64(mac(TEXT, b"https://hooks.example.com/hookn"))
        older = {"X-Plivo-Signature-V2": said, "X-Plivo-Signature-V2-Nonce": "n"}
        self.assertIsNone(verdict("plivo", TEXT, delivery("https://hooks.example.com/hook?x=y", older)))
        self.assertIsInstance(verdict("plivo", TEXT, delivery("https://hooks.example.com/other", older)), NotGenuine)
        newer = {**older, "X-Plivo-Signature-V3": "x", "X-Plivo-Signature-V3-Nonce": "n"}
        self.assertIsInstance(verdict("plivo", TEXT, delivery(headers=newer)), NotGenuine)
