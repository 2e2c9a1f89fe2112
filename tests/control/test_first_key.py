"""
Tests for `ngrok_twisted.control.first_key`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.first_key import make_first_key, read_first_key
from ngrok_twisted.errors import StoreUnusable


class FirstKeyTests(SynchronousTestCase):
    """The key that a server makes for whoever starts it."""

    def setUp(self) -> None:
        self.state = Path(self.mktemp())
        self.state.mkdir(parents=True)
        self.file = self.state / "api-key"

    def test_made(self) -> None:
        """It looks like ngrok's, and nobody else can read it."""
        token = make_first_key(self.state, os.urandom)
        self.assertTrue(re.fullmatch(r"[0-9A-Za-z]{27}_[0-9A-Za-z]{21}", token), token)
        self.assertEqual(self.file.read_text(), token + "\n")
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)

    def test_kept(self) -> None:
        """It stays over restarts."""
        self.assertEqual(read_first_key(self.state), "")
        token = make_first_key(self.state, os.urandom)
        self.assertEqual(make_first_key(self.state, os.urandom), token)
        self.assertEqual(read_first_key(self.state), token)
        self.assertEqual(os.listdir(self.state), ["api-key"])

    def test_own(self) -> None:
        """What the user wrote there counts."""
        self.file.write_text("a token of the user's own\n".replace(" ", "-"))
        self.assertEqual(make_first_key(self.state, os.urandom), "a-token-of-the-user's-own")

    def test_random(self) -> None:
        """Every server has another one."""
        other = self.state / "other"
        other.mkdir()
        self.assertNotEqual(make_first_key(self.state, os.urandom), make_first_key(other, os.urandom))

    def test_unusable(self) -> None:
        """What could be guessed, or is no text, is refused, without being repeated."""
        for content in (b"", b"short", b"with space and more", b"\xff" * 30):
            self.file.write_bytes(content)
            error = self.assertRaises(StoreUnusable, make_first_key, self.state, os.urandom)
            self.assertIn("holds no API key", str(error))
            self.assertNotIn("space", str(error))

    def test_not_a_file(self) -> None:
        """What cannot be written or read is named."""
        error = self.assertRaises(StoreUnusable, make_first_key, self.state / "nowhere", os.urandom)
        self.assertIn("nowhere/api-key cannot be written", str(error))
        self.file.mkdir()
        self.assertIn("api-key cannot be read", str(self.assertRaises(ValueError, read_first_key, self.state)))
        self.assertIn(
            "api-key cannot be read", str(self.assertRaises(StoreUnusable, make_first_key, self.state, os.urandom))
        )
