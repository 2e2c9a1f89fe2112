"""
Tests of `ngrok_twisted.control.durable`.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control import durable


class CreatePrivateTests(SynchronousTestCase):
    """`create_private`."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = str(self.folder / "file")

    def test_private(self) -> None:
        """The file is there with its content, for its owner alone, and nothing else is."""
        durable.create_private(self.path, b"content")
        self.assertEqual(Path(self.path).read_bytes(), b"content")
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        self.assertEqual(os.listdir(self.folder), ["file"])

    def test_exists(self) -> None:
        """A file that is there already is left alone."""
        durable.create_private(self.path, b"first")
        self.assertRaises(FileExistsError, durable.create_private, self.path, b"second")
        self.assertEqual(Path(self.path).read_bytes(), b"first")
        self.assertEqual(os.listdir(self.folder), ["file"])

    def test_failed(self) -> None:
        """If it cannot be flushed there is no file at all."""
        self.patch(durable.os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError("no space")))
        self.assertRaises(OSError, durable.create_private, self.path, b"content")
        self.assertEqual(os.listdir(self.folder), [])
