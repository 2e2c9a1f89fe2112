"""Tests of `ngrok_twisted.transports.agent.json_object`."""

from __future__ import annotations

import json
from time import perf_counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.transports.agent.json_object import MOST_DEPTH, MOST_MARKS, BadObject, ObjectReader, write

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(max_size=6), VALUES, max_size=5)


def read(*pieces: bytes, limit: int = 1 << 20) -> Any:
    """What a reader gives for pieces; ``None`` if they are not enough."""
    reader = ObjectReader(limit)
    for piece in pieces:
        found = reader.feed(piece)
        if found is not None:
            return found
    return None


class ObjectReaderTests(SynchronousTestCase):
    """Finding the end of an object."""

    @settings(deadline=None)
    @given(
        OBJECTS, st.booleans(), st.lists(st.integers(0, 200), max_size=6), st.sampled_from([b"", b"\n", b" x{", b"}"])
    )
    def test_any_split(self, value: Any, ascii: bool, cuts: list[int], rest: bytes) -> None:
        """However an object is cut, it is given with the piece that completes it, and with none before; what follows it
        changes nothing."""
        text = json.dumps(value, ensure_ascii=ascii).encode()
        places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
        pieces = [text[a:b] for a, b in zip(places, places[1:])]
        reader = ObjectReader(1 << 20)
        for piece in pieces[:-1]:
            self.assertIsNone(reader.feed(piece))
        self.assertEqual(reader.feed(pieces[-1] + rest), value)

    @settings(deadline=None, max_examples=300)
    @given(st.lists(st.text('{}[]":,\\u0dab1 \n').map(str.encode) | st.binary(max_size=6), max_size=8))
    def test_any_bytes(self, pieces: list[bytes]) -> None:
        """No bytes raise anything else, and what they mean does not depend on how they are cut."""

        def outcome(*pieces: bytes) -> Any:
            try:
                return read(*pieces)
            except BadObject:
                return "bad"

        self.assertEqual(outcome(*pieces), outcome(b"".join(pieces)))

    def test_marks_in_strings(self) -> None:
        """Brackets and quotes inside strings do not count, even if the text is cut behind a backslash."""
        text = rb'{"a}":"\"}]{\\","b":["}"]}'
        value = {"a}": '"}]{\\', "b": ["}"]}
        self.assertEqual(read(text), value)
        for cut in range(len(text)):
            self.assertEqual(read(text[:cut], text[cut:]), value)
        self.assertEqual(read(*(bytes((byte,)) for byte in text)), value)

    def test_blanks_before(self) -> None:
        """Blanks and line ends may stand before it."""
        self.assertEqual(read(b" \r\n", b"\t{}"), {})

    def test_bad(self) -> None:
        """What can never become an object is refused as early as can be seen."""
        for pieces in (
            [b"[]"],
            [b"null"],
            [b'"text"'],
            [b"GET / HTTP/1.1\r\n"],
            [b"{]"],
            [b"{nonsense}"],
            [b'{"a":1,}'],
            [b'{"a":NaN}'],
            [b'{"a":-Infinity}'],
            [b'{"a":' + b"1" * 5000 + b"}"],
            [b'{"a":"\xff"}'],
            [b'{"a":"\xed\xa0\x80"}'],
            [rb'{"a":"\ud800"}'],
            [rb'{"\udc00":1}'],
            [b'{"a":"\n"}'],
            ["{}".encode("utf-16")],
        ):
            self.assertRaises(BadObject, read, *pieces)

    def test_pairs_of_surrogates(self) -> None:
        """Two halves that belong together are a character."""
        self.assertEqual(read(rb'{"a":"\ud83d\ude00"}'), {"a": "\N{GRINNING FACE}"})

    def test_too_large(self) -> None:
        """An object over the limit is refused, whether or not its end is there; one of just that size is not."""
        text = b'{"a":"' + b"x" * 100 + b'"}'
        self.assertEqual(read(text, limit=len(text)), json.loads(text))
        self.assertEqual(read(text + b" " * 50, limit=len(text)), json.loads(text))
        self.assertRaises(BadObject, read, text, limit=len(text) - 1)
        self.assertRaises(BadObject, read, text[:50], limit=49)

    def test_too_deep(self) -> None:
        """Nesting has a bound, which is met before the end."""
        deep = b'{"a":' + b"[" * (MOST_DEPTH - 1)
        self.assertIsNone(read(deep))
        self.assertRaises(BadObject, read, deep, b"[")

    def test_too_many(self) -> None:
        """So has the number of members, so that no request takes long to look at."""
        self.assertRaises(BadObject, read, b'{"a":[' + b"[]," * MOST_MARKS)
        self.assertRaises(BadObject, read, b'{"a":[' + b'"",' * MOST_MARKS)

    def test_linear(self) -> None:
        """A long text that comes in small pieces is searched once, not once for each piece."""
        pieces = [b'{"a":"'] + [b"\\n}" * 20] * 15_000 + [b'"}']
        began = perf_counter()
        self.assertIsNotNone(read(*pieces))
        # 30 ms on the slowest machine tried; a search from the start each time takes minutes.
        self.assertLess(perf_counter() - began, 5)

    def test_message_quotes_nothing(self) -> None:
        """The text of the error has nothing of what came."""
        try:
            read(b'{"Authtoken": "secret", }')
        except BadObject as bad:
            self.assertNotIn("secret", f"{bad}{bad.__cause__}{bad.__suppress_context__ or bad.__context__}")
        else:
            self.fail("it was taken")


class WriteTests(SynchronousTestCase):
    """Messages out."""

    def test_compact(self) -> None:
        """Messages have no blanks, and are ASCII."""
        self.assertEqual(write({"a": [1, "é"], "b": None}), b'{"a":[1,"\\u00e9"],"b":null}')
