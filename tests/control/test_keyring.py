"""
Tests of `ngrok_twisted.control.keyring`.
"""

from __future__ import annotations

import os
import stat

from hypothesis import given, strategies
from twisted.python.filepath import FilePath
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.keyring import MARK, Keyring, open_keyring
from ngrok_twisted.errors import StoreUnusable

KEYRING = Keyring(bytes(range(32)))


class KeyringTests(SynchronousTestCase):
    """`Keyring`."""

    @given(strategies.text(), strategies.text())
    def test_round_trip(self, text: str, place: str) -> None:
        """What was sealed opens, in its own place."""
        sealed = KEYRING.seal(text, place)
        self.assertTrue(sealed.startswith(MARK))
        self.assertEqual(KEYRING.open(sealed, place), text)

    def test_different(self) -> None:
        """The same text is sealed differently each time."""
        self.assertNotEqual(KEYRING.seal("a", "p"), KEYRING.seal("a", "p"))

    def test_refused(self) -> None:
        """A text that was changed, moved, cut, sealed with another key or never sealed does not open."""
        sealed = KEYRING.seal("geheim", "p")
        cases = [
            (KEYRING, sealed, "q"),
            (Keyring(bytes(32)), sealed, "p"),
            (KEYRING, sealed[:-8] + "AAAAAAA=", "p"),
            (KEYRING, sealed[:20], "p"),
            (KEYRING, MARK, "p"),
            (KEYRING, MARK + "*", "p"),
            (KEYRING, "geheim", "p"),
        ]
        for keyring, text, place in cases:
            error = self.assertRaises(StoreUnusable, keyring.open, text, place)
            self.assertNotIn("geheim", str(error))


class OpenTests(SynchronousTestCase):
    """`open_keyring`."""

    def setUp(self) -> None:
        self.state = FilePath(self.mktemp())
        self.state.makedirs()

    def test_made_once(self) -> None:
        """The first call makes a private file, later ones read it."""
        sealed = open_keyring(self.state).seal("a", "p")
        self.assertEqual(open_keyring(self.state).open(sealed, "p"), "a")
        self.assertEqual(stat.S_IMODE(os.stat(self.state.child("keyring").path).st_mode), 0o600)
        self.assertEqual([file.basename() for file in self.state.children()], ["keyring"])

    def test_another(self) -> None:
        """There may be others beside that of the database; what one has sealed another does not open."""
        sealed = open_keyring(self.state, name="other").seal("a", "p")
        self.assertEqual([file.basename() for file in self.state.children()], ["other"])
        self.assertEqual(open_keyring(self.state, name="other").open(sealed, "p"), "a")
        self.assertRaises(StoreUnusable, open_keyring(self.state).open, sealed, "p")

    def test_not_made(self) -> None:
        """Where none may be made, a missing one is an error."""
        self.assertRaises(StoreUnusable, open_keyring, self.state, create=False)
        self.assertEqual(self.state.children(), [])

    def test_broken(self) -> None:
        """A file that is not a keyring is an error."""
        for content in (b"", b"rubbish", b"ngrok_twisted-keyring-1 AAAA", b"\xff", b"other " + b"A" * 43 + b"="):
            self.state.child("keyring").setContent(content)
            self.assertRaises(StoreUnusable, open_keyring, self.state)
