"""
Tests for `ngrok_twisted.webhook.providers.mailchimp`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.delivery import NotGenuine
from tests.webhook.signers import SIGNERS, TEXT, URL
from tests.webhook.vectors import verdict


class MailchimpTests(SynchronousTestCase):
    """URLs and forms."""

    def judge(self, **changes: Any) -> Any:
        """The verdict on a changed delivery."""
        return verdict("mailchimp", TEXT, replace(SIGNERS["mailchimp"].delivery(), **changes))

    def test_order(self) -> None:
        """The order of the fields does not count."""
        self.assertIsNone(self.judge(body=b"c=&a=%C3%A4+x&b=2"))

    def test_url(self) -> None:
        """The URL does, but for its port and scheme, which a proxy may have changed."""
        self.assertIn("hooks.example.com/hook?a=b", URL)
        self.assertIsNone(self.judge(authority=b"hooks.example.com:443"))
        self.assertIsNone(self.judge(scheme=b"http"))
        for changes in ({"authority": b"other.example.com"}, {"target": b"/hook?a=c"}):
            self.assertIsInstance(self.judge(**changes), NotGenuine)

    def test_no_form(self) -> None:
        """A body that is no form is not covered by the signature, and refused."""
        sent = SIGNERS["mailchimp"].delivery(body=b"")
        self.assertIsNone(verdict("mailchimp", TEXT, sent))
        fields = tuple(field for field in sent.fields if field[0] != b"Content-Type")
        self.assertIsNone(verdict("mailchimp", TEXT, replace(sent, fields=fields)))
        found = verdict("mailchimp", TEXT, replace(sent, fields=fields, body=b"{}"))
        self.assertEqual(found.word, "shape")
