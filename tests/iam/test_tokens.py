"""
Tests for `ngrok_twisted.iam.tokens`.
"""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.iam.tokens import TokenTable, declared_hash, looks_made, matches, new_token, token_hash
from ngrok_twisted.records.api_key import APIKey
from ngrok_twisted.records.base import Delete, Put, Snapshot
from ngrok_twisted.records.ids import new_id
from ngrok_twisted.records.vault import Vault

ID = "ak_" + "0123456789ABCDEFGHIJKLMNOPQ"


class NewTokenTests(SynchronousTestCase):
    """Tokens that the server makes."""

    @given(st.binary(min_size=24, max_size=24))
    def test_form(self, drawn: bytes) -> None:
        """A token is the id's KSUID and 21 base62 characters, whatever was drawn, and it is the one of its hash."""
        token, hash = new_token(ID, lambda count: drawn[:count])
        self.assertTrue(re.match(r"0123456789ABCDEFGHIJKLMNOPQ_[0-9A-Za-z]{21}\Z", token))
        self.assertTrue(looks_made(token) and matches(token, hash))
        self.assertNotIn(token.rpartition("_")[2], hash)

    def test_drawn(self) -> None:
        """Every bit that is drawn counts, so that no two tokens are the same by chance."""
        draws = [bytes(place == number // 8 and 1 << number % 8 for place in range(24)) for number in range(192)]
        self.assertEqual(len({new_token(ID, lambda count: drawn)[0] for drawn in draws}), 192)

    def test_foreign(self) -> None:
        """Other texts do not look like tokens."""
        token = new_token(ID, lambda count: bytes(count))[0]
        for text in (
            "",
            ID,
            token + "0",
            token[1:],
            token.replace("_", "-"),
            token + "\n",
            "\u0660" * 27 + "_" + "0" * 21,
        ):
            self.assertFalse(looks_made(text), text)

    def test_other_hash(self) -> None:
        """A token is not that of another hash, or of none."""
        self.assertFalse(matches("a", token_hash("b")))
        self.assertFalse(matches("a", ""))
        self.assertFalse(matches("\udc80", token_hash("b")))


class DeclaredTests(SynchronousTestCase):
    """Tokens of the operator's own."""

    def test_accepted(self) -> None:
        """Whatever a header can carry and nobody guesses will do; space around it does not count."""
        for token in ("0123456789abcdef", "!" * 512, "tr:ck-y/ch@racters=="):
            self.assertEqual(declared_hash(f" {token}\n"), token_hash(token))

    def test_refused(self) -> None:
        """What is short, long, or cannot stand in a header is refused without being repeated."""
        for token in (
            "",
            "0123456789abcde",
            "!" * 513,
            "0123456789 abcdef",
            "0123456789abcde\u00e9",
            "0123456789abcdef\0",
        ):
            error = self.assertRaises(ValueError, declared_hash, token)
            self.assertNotIn("0123456789", str(error))


class TokenTableTests(SynchronousTestCase):
    """Looking up whose token it is."""

    def setUp(self) -> None:
        """Two keys."""
        self.records = Snapshot().with_changes([self.put("ak_1", "one"), self.put("ak_2", "two")])
        self.table = TokenTable(lambda: self.records, APIKey)

    @staticmethod
    def put(id: str, token: str) -> Put:
        """Write a key."""
        return Put(APIKey(id=id, token_hash=token_hash(token)))

    def found(self, token: str) -> str | None:
        """The id of whose token it is."""
        record = self.table.find(token)
        return None if record is None else record.id

    def test_found(self) -> None:
        """Each token leads to its own record; others, and hashes themselves, to none."""
        self.assertEqual([self.found(token) for token in ("one", "two")], ["ak_1", "ak_2"])
        self.assertEqual({self.found(token) for token in ("", "One", "one ", token_hash("one"), "\udc80")}, {None})

    def test_changes(self) -> None:
        """What is made, replaced or deleted counts at the next look-up."""
        self.assertIsNone(self.found("three"))
        self.records = self.records.with_changes([self.put("ak_3", "three"), self.put("ak_1", "new")])
        self.assertEqual([self.found(token) for token in ("three", "new", "one")], ["ak_3", "ak_1", None])
        self.records = self.records.with_changes([Delete(APIKey, "ak_2")])
        self.assertIsNone(self.found("two"))

    def test_first(self) -> None:
        """A token that stands twice belongs to whoever had it first."""
        self.records = self.records.with_changes([self.put("ak_0", "one")])
        self.assertEqual(self.found("one"), "ak_1")

    def test_kept(self) -> None:
        """A change of other records does not make the table anew."""
        self.found("one")
        before = self.table._by_hash
        self.records = self.records.with_changes([Put(Vault(id=new_id("vault", 0.0), name="v"))])
        self.found("one")
        self.assertIs(self.table._by_hash, before)
