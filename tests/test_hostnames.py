"""
Tests of `ngrok_twisted.hostnames`.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Refused
from ngrok_twisted.hostnames import (
    RESERVATION_CODES,
    covers,
    is_below,
    is_wildcard,
    normalise,
    parents,
    split_hostport,
    wildcards,
)

labels = st.from_regex(r"[a-z]([a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
names = st.lists(labels, min_size=1, max_size=6).map(".".join)


class NormaliseTests(SynchronousTestCase):
    """`normalise`."""

    def refused(self, name: str, code: int) -> None:
        """The name is refused with this code."""
        self.assertEqual(self.assertRaises(Refused, normalise, name).code, code)

    def test_forms(self) -> None:
        """Case, a trailing dot and non-ASCII letters make no difference."""
        for written, meant in (
            ("A.Example.COM", "a.example.com"),
            ("a.example.com.", "a.example.com"),
            ("localhost", "localhost"),
            ("*.Example.com", "*.example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("*.BÜCHER.example.", "*.xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("a。example.com", "a.example.com"),
            ("a--b.example.com", "a--b.example.com"),
        ):
            self.assertEqual(normalise(written), meant)

    def test_refusals(self) -> None:
        """Each way to be wrong has ngrok's own code."""
        for name, code in (
            ("a b.example", 326),
            ("a/b.example", 326),
            ("a\x00.example", 326),
            ("a.*.example", 326),
            ("a*.example", 326),
            ("*", 326),
            ("*.*.example", 326),
            ("a_b.example", 355),
            ("", 327),
            (".", 327),
            ("*.", 326),
            ("a..example", 327),
            (".example", 327),
            ("a.example..", 327),
            ("-a.example", 328),
            ("a-.example", 329),
            ("ab--c.example", 330),
            ("xn--.example", 329),
            ("xn--zzzzzzzzzzzzzz9.example", 347),
            ("xn--bcher-KVB\u0301.example", 347),
            ("a" * 64 + ".example", 396),
            (".".join(["a" * 50] * 6), 397),
            ("ü" * 300, 397),
            ("192.0.2.1", 331),
            ("example.123", 331),
        ):
            self.refused(name, code)

    def test_longest(self) -> None:
        """Names of 253 characters are names, also with a trailing dot; longer ones are not."""
        name = ".".join(["a" * 63] * 3 + ["b" * 61])
        self.assertEqual(len(name), 253)
        self.assertEqual(normalise(name + "."), name)
        self.refused(name + "b", 397)

    def test_reservation_codes(self) -> None:
        """A name that is to be reserved is refused with the codes of reservations."""
        for name, code in (("a_b.example", 438), ("a.*.example", 402), ("*-a.example", 403), ("a" * 254, 423)):
            self.assertEqual(self.assertRaises(Refused, normalise, name, RESERVATION_CODES).code, code)

    def test_message_is_safe(self) -> None:
        """A refusal quotes a name without its control characters, and not more than a line of it."""
        message = self.assertRaises(Refused, normalise, "\x1b[2J" + "x" * 200).message
        self.assertNotIn("\x1b", message)
        self.assertLess(len(message), 200)

    @given(names)
    def test_fixed_point(self, name: str) -> None:
        """What is in normal form stays as it is, however it is written."""
        self.assertEqual(normalise(name), name)
        self.assertEqual(normalise(name.upper() + "."), name)

    @given(st.text(max_size=300))
    def test_anything(self, text: str) -> None:
        """Any text is refused, or comes out in a form that stays as it is and has only proper characters."""
        try:
            name = normalise(text)
        except Refused:
            return
        self.assertEqual(normalise(name), name)
        self.assertTrue(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.*"))
        self.assertTrue(0 < len(name) <= 253)


class PatternTests(SynchronousTestCase):
    """Wildcards, and names above names."""

    def test_covers(self) -> None:
        """A wildcard covers every name below, wildcards too, but not the name it hangs on; a name covers itself."""
        for pattern, name, answer in (
            ("*.example.com", "a.example.com", True),
            ("*.example.com", "a.b.example.com", True),
            ("*.example.com", "*.example.com", True),
            ("*.example.com", "*.a.example.com", True),
            ("*.example.com", "example.com", False),
            ("*.example.com", "aexample.com", False),
            ("*.a.example.com", "*.example.com", False),
            ("example.com", "example.com", True),
            ("example.com", "a.example.com", False),
        ):
            self.assertIs(covers(pattern, name), answer, (pattern, name))

    @given(names)
    def test_wildcards_cover(self, name: str) -> None:
        """Exactly the wildcards over a name cover it, the most specific first."""
        found = list(wildcards(name))
        self.assertEqual(len(found), name.count("."))
        self.assertTrue(all(is_wildcard(wildcard) and covers(wildcard, name) for wildcard in found))
        self.assertEqual(found, sorted(found, key=len, reverse=True))

    def test_parents(self) -> None:
        """The names above a name come nearest first; a wildcard hangs on the first of its own."""
        self.assertEqual(list(parents("a.b.c")), ["b.c", "c"])
        self.assertEqual(list(wildcards("*.b.c")), ["*.b.c", "*.c"])

    def test_below(self) -> None:
        """A name is below another, not below itself."""
        self.assertTrue(is_below("a.b.c", "b.c"))
        self.assertFalse(is_below("b.c", "b.c"))
        self.assertFalse(is_below("ab.c", "b.c"))


class HostportTests(SynchronousTestCase):
    """`split_hostport`."""

    def test_split(self) -> None:
        """Name and port are told apart; the name is normalised."""
        self.assertEqual(split_hostport("Tcp.Example.com:20010"), ("tcp.example.com", 20010))
        self.assertEqual(split_hostport("example.com", 443), ("example.com", 443))

    def test_refusals(self) -> None:
        """A missing, foreign or impossible port is refused."""
        for text, code in (
            ("example.com", 18003),
            ("example.com:", 9033),
            ("example.com:+1", 9033),
            ("example.com:\u0661", 9033),
            ("example.com:0", 9030),
            ("example.com:65536", 9030),
            ("example.com:00000000443", 9030),
            (":443", 327),
            ("[::1]:443", 326),
        ):
            self.assertEqual(self.assertRaises(Refused, split_hostport, text).code, code, text)

    @given(names, st.integers(1, 65535))
    def test_round_trip(self, name: str, port: int) -> None:
        """Every name and port that are written come back."""
        self.assertEqual(split_hostport(f"{name}:{port}"), (name, port))
