"""
Tests for `ngrok_twisted.control.first_key`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.first_key import API_KEY, AUTHTOKEN, FIRSTS
from ngrok_twisted.errors import StoreUnusable


class FirstTests(SynchronousTestCase):
    """What a server makes for whoever starts it: an API key and an authtoken."""

    def setUp(self) -> None:
        self.state = Path(self.mktemp())
        self.state.mkdir(parents=True)

    def test_made(self) -> None:
        """Each looks like ngrok's, is another one, and nobody else can read it."""
        self.assertEqual([first.file for first in FIRSTS], ["api-key", "authtoken"])
        tokens = [first.make(self.state, os.urandom) for first in FIRSTS]
        self.assertEqual(len(set(tokens)), 2)
        for first, token in zip(FIRSTS, tokens):
            file = self.state / first.file
            self.assertTrue(re.fullmatch(r"[0-9A-Za-z]{27}_[0-9A-Za-z]{21}", token), token)
            self.assertEqual(file.read_text(), token + "\n")
            self.assertEqual(file.stat().st_mode & 0o777, 0o600)

    def test_kept(self) -> None:
        """They stay over restarts."""
        for first in FIRSTS:
            self.assertEqual(first.read(self.state), "")
            token = first.make(self.state, os.urandom)
            self.assertEqual(first.make(self.state, os.urandom), token)
            self.assertEqual(first.read(self.state), token)
        self.assertEqual(sorted(os.listdir(self.state)), ["api-key", "authtoken"])

    def test_own(self) -> None:
        """What the user wrote there counts."""
        (self.state / "api-key").write_text("a token of the user's own\n".replace(" ", "-"))
        self.assertEqual(API_KEY.make(self.state, os.urandom), "a-token-of-the-user's-own")

    def test_random(self) -> None:
        """Every server has others; the ids of their records are the same on each."""
        other = self.state / "other"
        other.mkdir()
        self.assertNotEqual(API_KEY.make(self.state, os.urandom), API_KEY.make(other, os.urandom))
        self.assertTrue(API_KEY.id.startswith("ak_"))
        self.assertTrue(AUTHTOKEN.id.startswith("cr_"))

    def test_unusable(self) -> None:
        """What could be guessed, or is no text, is refused, without being repeated."""
        for first, noun in ((API_KEY, "API key"), (AUTHTOKEN, "authtoken")):
            for content in (b"", b"short", b"with space and more", b"\xff" * 30):
                (self.state / first.file).write_bytes(content)
                error = self.assertRaises(StoreUnusable, first.make, self.state, os.urandom)
                self.assertIn(f"holds no {noun}", str(error))
                self.assertNotIn("space", str(error))

    def test_not_a_file(self) -> None:
        """What cannot be written or read is named."""
        error = self.assertRaises(StoreUnusable, AUTHTOKEN.make, self.state / "nowhere", os.urandom)
        self.assertIn("nowhere/authtoken cannot be written", str(error))
        (self.state / "authtoken").mkdir()
        self.assertIn("authtoken cannot be read", str(self.assertRaises(ValueError, AUTHTOKEN.read, self.state)))
        error = self.assertRaises(StoreUnusable, AUTHTOKEN.make, self.state, os.urandom)
        self.assertIn("authtoken cannot be read", str(error))
