"""
Tests for `ngrok_twisted.webhook.providers.airship`.
"""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.delivery import NotGenuine
from tests.webhook.signers import BODY, NOW, SIGNERS, TEXT
from tests.webhook.vectors import verdict


class AirshipTests(SynchronousTestCase):
    """Compressed bodies."""

    def verdict(self, body: bytes, encoding: bytes = b"gzip", signed: bytes = BODY) -> Any:
        """Of a body that arrives in place of the one that was signed."""
        sent = SIGNERS["airship"].delivery(body=signed)
        fields = (*sent.fields, (b"Content-Encoding", encoding))
        return verdict("airship", TEXT, replace(sent, fields=fields, body=body))

    def test_compressed(self) -> None:
        """The text inside was signed, or what came."""
        self.assertIsNone(self.verdict(gzip.compress(BODY)))
        self.assertIsNone(self.verdict(BODY))
        self.assertIsInstance(self.verdict(gzip.compress(BODY), b"identity"), NotGenuine)
        self.assertIsInstance(self.verdict(gzip.compress(BODY + b"x")), NotGenuine)

    def test_broken(self) -> None:
        """What cannot be unpacked is refused; an empty text that was signed is no way around that."""
        for body in (b"", b"x", gzip.compress(BODY)[:-20], b"\x1f\x8b" + b"\xff" * 40):
            self.assertIsInstance(self.verdict(body), NotGenuine)

    def test_bomb(self) -> None:
        """What would become gigabytes is unpacked as far as a body may be long, and refused."""
        self.assertIsInstance(self.verdict(gzip.compress(bytes(50 * 1024 * 1024))), NotGenuine)

    def test_get(self) -> None:
        """A GET without a body is signed like an empty one."""
        sent = SIGNERS["airship"].delivery(at=NOW, body=b"")
        self.assertIsNone(verdict("airship", TEXT, replace(sent, method=b"GET")))
