"""
Tests of `ngrok_twisted.control.files`.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.files import MAX_SIZE, Files


class FilesTests(SynchronousTestCase):
    """`Files`."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.files = Files(self.folder, {"TOKEN": " t \n", "EMPTY": ""}, Path("/home/me"))

    def refused(self, text: str) -> str:
        """Why a text is not found."""
        return str(self.assertRaises(ValueError, self.files.external, text))

    def test_place(self) -> None:
        """Paths are relative to the folder, or to the home."""
        self.assertEqual(self.files.place("a/b"), self.folder / "a" / "b")
        self.assertEqual(self.files.place("/a"), Path("/a"))
        self.assertEqual(self.files.place("~/a"), Path("/home/me/a"))
        self.assertEqual(self.files.place("~"), Path("/home/me"))

    def test_external(self) -> None:
        """Texts come without the blanks around them; a PEM ends with a line end."""
        (self.folder / "a").write_text("token\n")
        (self.folder / "b").write_text("-----BEGIN X-----\n")
        self.assertEqual(self.files.external("file:a"), "token")
        self.assertEqual(self.files.external("file:b"), "-----BEGIN X-----\n")
        self.assertEqual(self.files.external("env:TOKEN"), "t")

    def test_refused(self) -> None:
        """What is missing, empty, too large or no text is refused with its name."""
        (self.folder / "empty").write_text("\n")
        (self.folder / "large").write_bytes(b"x" * (MAX_SIZE + 1))
        (self.folder / "binary").write_bytes(b"\xff")
        self.assertEqual(self.refused("env:NONE"), "the environment variable NONE is not set")
        self.assertEqual(self.refused("env:EMPTY"), "the environment variable EMPTY is empty")
        self.assertEqual(self.refused("file:empty"), "the file empty is empty")
        self.assertIn("larger than 1024 KiB", self.refused("file:large"))
        self.assertIn("is not UTF-8 text", self.refused("file:binary"))
        self.assertIn("cannot be read: Is a directory", self.refused("file:."))
