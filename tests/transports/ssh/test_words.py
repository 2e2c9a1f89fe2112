"""
Tests for `ngrok_twisted.transports.ssh.words`.
"""

from __future__ import annotations

import shlex

from hypothesis import given
from hypothesis.strategies import binary, characters, lists, text
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Refused
from ngrok_twisted.transports.ssh.words import MAX_COMMAND, decode, split

PRINTABLE = text(characters(exclude_categories=("Cc", "Cs")))


class SplitTests(SynchronousTestCase):
    """`split`."""

    def words(self, command: str) -> list[str]:
        return [word.text for word in split(command)]

    def test_table(self) -> None:
        """Spaces separate; quotes and backslashes keep; nothing is expanded."""
        for command, expected in [
            ("", []),
            ("   ", []),
            ("http", ["http"]),
            ("  http \t 80\n", ["http", "80"]),
            ("a 'b c' d", ["a", "b c", "d"]),
            ('a "b c" d', ["a", "b c", "d"]),
            ("a\\ b", ["a b"]),
            ("--x='b c'd", ["--x=b cd"]),
            ("''", [""]),
            ("a''b", ["ab"]),
            ("'\\'", ["\\"]),
            ('"\\" \\\\ \\n"', ['" \\ \\n']),
            ("$HOME `x` ~ *", ["$HOME", "`x`", "~", "*"]),
            ("a\\\nb", ["ab"]),
            ('"a\\\nb"', ["ab"]),
            ("ü é", ["ü", "é"]),
        ]:
            self.assertEqual(self.words(command), expected, command)

    def test_json(self) -> None:
        """A JSON object whose shell quotes were lost keeps its own, and its spaces."""
        for command, expected in [
            ('--metadata {"a": "b c"} x', ["--metadata", '{"a": "b c"}', "x"]),
            ('--metadata={ "a": [1, 2]}', ['--metadata={ "a": [1, 2]}']),
            ('{"a" "b"}', ["{a", "b}"]),
            ("{2,3}", ["{2,3}"]),
            ('x{"a":1}', ["x{a:1}"]),
        ]:
            self.assertEqual(self.words(command), expected, command)

    def test_deep_json(self) -> None:
        """Nesting without end is no fault."""
        self.assertEqual(self.words('{"": ' * 5000), ["{:"] * 5000)

    def test_unbalanced(self) -> None:
        """An open quote or a last backslash is refused with 1110 and the position."""
        for command, position in [("http 'a", 6), ('http "a', 6), ("http a\\", 7)]:
            refused = self.assertRaises(Refused, split, command)
            self.assertEqual(refused.code, 1110)
            self.assertIn(f"position {position}", refused.message)

    def test_positions(self) -> None:
        """Words know where they stand, and whether they were quoted."""
        self.assertEqual([(word.position, word.bare) for word in split("ab '+' +")], [(1, True), (4, False), (8, True)])

    @given(lists(PRINTABLE, max_size=8))
    def test_round_trip(self, words: list[str]) -> None:
        """What a shell's quoting keeps together comes out as it went in."""
        self.assertEqual(self.words(" ".join(map(shlex.quote, words))), words)

    @given(text())
    def test_never_raises(self, command: str) -> None:
        """No text raises anything but Refused."""
        try:
            split(command)
        except Refused as refused:
            self.assertEqual(refused.code, 1110)


class DecodeTests(SynchronousTestCase):
    """`decode`."""

    def test_length(self) -> None:
        """64 KiB are taken, a byte more is not."""
        self.assertEqual(len(decode(b"a" * MAX_COMMAND)), MAX_COMMAND)
        self.assertEqual(self.assertRaises(Refused, decode, b"a" * (MAX_COMMAND + 1)).code, 1110)

    def test_bad_bytes(self) -> None:
        """Bytes that are not UTF-8, and control characters, are refused with their place."""
        for command, place in [
            (b"ab\xff", "byte 3"),
            (b"a\x1b[0m", "position 2"),
            (b"\x00", "position 1"),
            ("\x9b".encode(), "1"),
        ]:
            self.assertIn(place, self.assertRaises(Refused, decode, command).message)

    def test_spaces(self) -> None:
        """Line ends and tabs are spaces, not control characters."""
        self.assertEqual(decode(b"a\tb\r\nc"), "a\tb\r\nc")

    @given(binary(max_size=200))
    def test_never_raises(self, command: bytes) -> None:
        """No bytes raise anything but Refused."""
        try:
            decode(command)
        except Refused as refused:
            self.assertEqual(refused.code, 1110)
