"""
Tests for `ngrok_twisted.webhook.providers.graphcms`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.delivery import NotGenuine
from tests.webhook.signers import NOW, SIGNERS, TEXT
from tests.webhook.vectors import delivery, verdict


class GraphCMSTests(SynchronousTestCase):
    """What stands in the one field."""

    def test_environment(self) -> None:
        """The environment is signed along, and must be there."""
        sent = dict(SIGNERS["graphcms"].sign(b"{}", NOW))
        for old, new in (("env=master", "env=main"), ("env=master, ", ""), ("t=", "time=")):
            changed = {"gcms-signature": sent["gcms-signature"].replace(old, new)}
            self.assertIsInstance(verdict("graphcms", TEXT, delivery(headers=changed, body=b"{}", now=NOW)), NotGenuine)

    def test_no_text(self) -> None:
        """A body that is not UTF-8 was not signed by anybody."""
        sent = SIGNERS["graphcms"].sign(b"{}", NOW)
        found = verdict("graphcms", TEXT, delivery(headers=sent, body=b"\xff", now=NOW))
        self.assertEqual(found.word, "shape")
