"""
Tests for `ngrok_twisted.control.api.filter_words`.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.api.filter_words import SIGNS, BadFilter, words


def read(text: str) -> list[tuple[str, Any]]:
    """Kind and value of each word, without the end."""
    found = [(word.kind, word.value) for word in words(text)]
    assert found.pop() == ("end", "")
    return found


class WordsTests(SynchronousTestCase):
    """`words`."""

    def test_kinds(self) -> None:
        """Names, numbers, texts and signs are told apart, with or without space between them."""
        expected = [("name", "obj"), ("sign", "."), ("name", "a_1"), ("sign", ">="), ("number", 10), ("text", "x")]
        self.assertEqual(read("obj.a_1>=10'x'"), expected)
        self.assertEqual(read("\tobj . a_1 >= 10\r\n'x' "), expected)

    def test_signs(self) -> None:
        """Each sign is read as itself, the longer before the shorter."""
        self.assertEqual(read(" ".join(SIGNS)), [("sign", sign) for sign in SIGNS])
        self.assertEqual(read("<=!==="), [("sign", "<="), ("sign", "!="), ("sign", "==")])

    def test_numbers(self) -> None:
        """A number with a fraction or an exponent is one; a dot without digits behind it is a sign."""
        self.assertEqual(
            read("1 1.5 1e3 2E-1 1.x"),
            [("number", number) for number in (1, 1.5, 1000.0, 0.2, 1)]
            + [
                ("sign", "."),
                ("name", "x"),
            ],
        )
        self.assertIs(type(read("1")[0][1]), int)

    def test_escapes(self) -> None:
        """A backslash stands before what CEL knows."""
        self.assertEqual(
            read(r"""'\n\t\\\'\"\`\?\a\x41\u0042\U0001F600\101'"""), [("text", "\n\t\\'\"`?\aAB\U0001f600A")]
        )
        for text in (r"'\q'", r"'\x4'", r"'\ud83d'", r"'\U00110000'", r"'\1'", r"'\'", "'a", "'a\nb'"):
            self.assertRaises(BadFilter, list, words(text))

    def test_places(self) -> None:
        """Each word knows where it stands, the end included."""
        self.assertEqual([word.place for word in words(" a ==  'x' ")], [1, 3, 7, 11])

    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
    def test_texts(self, text: str) -> None:
        """Whatever JSON writes as a text is that text."""
        self.assertEqual(read(json.dumps(text, ensure_ascii=False)), [("text", text)])

    @given(st.text(max_size=60))
    def test_anything(self, text: str) -> None:
        """Whatever is sent is words or a problem at a place within it."""
        try:
            list(words(text))
        except BadFilter as bad:
            self.assertTrue(0 <= bad.place < len(text))
            self.assertTrue(bad.message)
