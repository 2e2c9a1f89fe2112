"""
Tests for `ngrok_twisted.webhook.parts`.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.delivery import NotGenuine
from ngrok_twisted.webhook.parts import (
    BODY,
    MAX_JSON,
    MAX_SIGNATURES,
    Header,
    InHeader,
    InPairs,
    Member,
    Pair,
    Stamp,
    Text,
    milliseconds,
    moment,
    pairs,
    read_json,
    read_object,
    seconds,
)
from tests.webhook.vectors import delivery


class PartTests(SynchronousTestCase):
    """What messages are made of."""

    def word(self, part: Any, arrived: Any) -> str:
        """Why there is no such part."""
        word: str = self.assertRaises(NotGenuine, part.of, arrived).word
        return word

    def test_simple(self) -> None:
        """Bodies, constant texts and header fields are as they are."""
        arrived = delivery(headers={"X-One": "1"}, body=b"body")
        self.assertEqual([part.of(arrived) for part in (BODY, Text(b"."), Header(b"x-one"))], [b"body", b".", b"1"])
        self.assertEqual(self.word(Header(b"x-two"), arrived), "missing")

    def test_pair(self) -> None:
        """A pair is found by its name, if there is but one."""
        arrived = delivery(headers={"X-Sig": "t=1, v1=a=b==,v1=c,x"})
        self.assertEqual(Pair(b"x-sig", b"t").of(arrived), b"1")
        self.assertEqual(self.word(Pair(b"x-sig", b"v1"), arrived), "missing")
        self.assertEqual(self.word(Pair(b"x-sig", b"x"), arrived), "missing")
        self.assertEqual(list(pairs(b"t=1, v1=a=b==,x")), [(b"t", b"1"), (b"v1", b"a=b==")])

    def test_member(self) -> None:
        """A member of the body is its text or number."""
        arrived = delivery(body=b'{"at": 17, "who": "me", "what": []}')
        self.assertEqual([Member(name).of(arrived) for name in ("at", "who")], [b"17", b"me"])
        self.assertEqual([self.word(Member(name), arrived) for name in ("what", "where")], ["missing", "missing"])
        self.assertEqual(self.word(Member("at"), delivery(body=b"[]")), "shape")


class SignaturesTests(SynchronousTestCase):
    """Where signatures stand."""

    def test_header(self) -> None:
        """They are all the fields of these names, without what stands before them; what lacks that is none."""
        where = InHeader((b"x-a", b"x-b"), b"sha256=")
        arrived = delivery(headers={"X-A": "sha256=1", "x-a": "sha1=2", "X-B": "SHA256=3"})
        self.assertEqual(where.found(arrived), [b"1", b"3"])
        self.assertTrue(where.present(delivery(headers={"X-B": "x"})))
        self.assertFalse(where.present(delivery(headers={"X-C": "x"})))

    def test_several(self) -> None:
        """One field may hold several, up to a bound."""
        where = InHeader((b"x-a",), b"v1=", b",")
        self.assertEqual(where.found(delivery(headers={"X-A": "v1=1, v2=2,v1=3"})), [b"1", b"3"])
        many = delivery(headers={"X-A": "v1=1," * (MAX_SIGNATURES * 2)})
        self.assertEqual(len(where.found(many)), MAX_SIGNATURES)

    def test_pairs(self) -> None:
        """They may be pairs of one field, which may be there once only."""
        where = InPairs(b"x-a", b"v1")
        self.assertEqual(where.found(delivery(headers={"X-A": "t=1,v1=2,v0=3,v1=4"})), [b"2", b"4"])
        self.assertRaises(NotGenuine, where.found, delivery(headers={"X-A": "v1=1", "x-a": "v1=2"}))
        self.assertTrue(where.present(delivery(headers={"X-A": ""})))


class StampTests(SynchronousTestCase):
    """Timestamps."""

    def test_numbers(self) -> None:
        """Numbers are digits, and not too many."""
        self.assertEqual((seconds(b"1700000000"), milliseconds(b"1700000000500")), (1700000000.0, 1700000000.5))
        for wrong in (b"", b"-1", b"1.5", b"1e3", b" 1", b"1_0", b"9" * 16, "٣".encode(), b"nan"):
            self.assertEqual((seconds(wrong), milliseconds(wrong)), (None, None), wrong)

    def test_moments(self) -> None:
        """Moments are RFC 3339; without an offset they are UTC."""
        for text in (
            b"2023-11-14T22:13:20Z",
            b"2023-11-14T22:13:20.000000000Z",
            b"2023-11-14T14:13:20-08:00",
            b"2023-11-14T22:13:20+0000",
            b"2023-11-14T22:13:20",
        ):
            self.assertEqual(moment(text), 1700000000.0, text)
        for wrong in (
            b"",
            b"2023-11-14",
            b"2023-13-14T22:13:20Z",
            b"2023-W01-1T22:13:20",
            b"0000-01-01T00:00:00Z",
            b"\xff",
        ):
            self.assertIsNone(moment(wrong), wrong)

    @given(
        st.one_of(st.binary(max_size=30), st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,12}Z").map(str.encode))
    )
    def test_anything(self, text: bytes) -> None:
        """Whatever stands there, it is a time or none."""
        for read in (seconds, milliseconds, moment):
            found = read(text)
            self.assertTrue(found is None or isinstance(found, float))

    def test_check(self) -> None:
        """A delivery is good for as long as the tolerance says, in both directions."""
        stamp = Stamp(part=Header(b"x-time"), tolerance=10)
        for now, word in ((90, ""), (110, ""), (89, "stale"), (111, "stale")):
            arrived = delivery(headers={"X-Time": "100"}, now=now)
            if word:
                self.assertEqual(self.assertRaises(NotGenuine, stamp.check, arrived).word, word)
            else:
                stamp.check(arrived)
        unreadable = delivery(headers={"X-Time": "soon"}, now=100)
        self.assertEqual(self.assertRaises(NotGenuine, stamp.check, unreadable).word, "shape")


class JSONTests(SynchronousTestCase):
    """JSON from strangers."""

    def test_read(self) -> None:
        """JSON is read, and an object must be one."""
        self.assertEqual(read_json(b"[1]"), [1])
        self.assertEqual(read_object(b'{"a": {"b": "\xc3\xab"}}'), {"a": {"b": "ë"}})
        for wrong in (b"", b"{", b"[" * 100_000, b"9" * 5000, b"\xff", b"\xef\xbb\xbf{}"):
            self.assertRaises(NotGenuine, read_json, wrong)
        self.assertRaises(NotGenuine, read_object, b"[]")

    def test_too_long(self) -> None:
        """What is too long to be a message is not read."""
        self.assertEqual(len(read_json(b'"' + b"x" * (MAX_JSON - 2) + b'"')), MAX_JSON - 2)
        self.assertRaises(NotGenuine, read_json, b'"' + b"x" * (MAX_JSON - 1) + b'"')
