"""
Tests of `ngrok_twisted.document`.
"""

from __future__ import annotations

import json
from typing import Any

import yaml
from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted import document
from ngrok_twisted.document import Positions, join, load_yaml
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.records.base import Problem

_LEAVES = (
    strategies.none()
    | strategies.booleans()
    | strategies.integers(-(10**17), 10**17)
    | strategies.text(strategies.characters(exclude_categories=("Cs", "Cc")), max_size=20)
)
_DATA = strategies.recursive(
    _LEAVES,
    lambda inner: strategies.lists(inner, max_size=4)
    | strategies.dictionaries(
        strategies.text(strategies.sampled_from("abc<-. 1"), min_size=1, max_size=6), inner, max_size=4
    ),
    max_leaves=12,
)


def read(text: str | bytes) -> Any:
    """The data of a document."""
    return load_yaml(text)[0]


class ValueTests(SynchronousTestCase):
    """What texts mean."""

    def test_scalars(self) -> None:
        """Numbers, true, false and null are what YAML 1.2 says; everything else is text."""
        cases = {
            "443": 443,
            "-1": -1,
            "0": 0,
            "1.5": 1.5,
            "1e3": 1000.0,
            "true": True,
            "False": False,
            "null": None,
            "~": None,
            "": None,
            "off": "off",
            "yes": "yes",
            "No": "No",
            "22:22": "22:22",
            "0123": "0123",
            "0x10": "0x10",
            "1_000": "1_000",
            "2026-11-22": "2026-11-22",
            ".inf": ".inf",
            ".": ".",
            "9" * 30: "9" * 30,
            "'443'": "443",
            '"true"': "true",
            "!!str 443": "443",
        }
        for text, value in cases.items():
            found = read(f"key: {text}")["key"]
            self.assertEqual((type(found), found), (type(value), value), text)

    def test_block(self) -> None:
        """A block of text, such as a certificate, keeps its lines."""
        self.assertEqual(read("pem: |\n  one\n  two\n"), {"pem": "one\ntwo\n"})

    def test_empty(self) -> None:
        """A document without anything is nothing."""
        self.assertIsNone(read("# only a comment\n"))

    def test_number_keys(self) -> None:
        """Keys are text even where they look like numbers."""
        self.assertEqual(read("{443: a, true: b}"), {"443": "a", "true": "b"})

    def test_byte_order_mark(self) -> None:
        """A byte order mark is passed over."""
        self.assertEqual(read(b"\xef\xbb\xbfa: 1"), {"a": 1})

    @given(_DATA)
    def test_round_trip(self, data: Any) -> None:
        """Whatever JSON or PyYAML writes is read as it was."""
        data = {"data": data}
        self.assertEqual(read(json.dumps(data, ensure_ascii=False)), data)
        self.assertEqual(read(yaml.safe_dump(data, allow_unicode=True, sort_keys=False)), data)

    @given(strategies.text(max_size=60) | strategies.binary(max_size=60))
    def test_rubbish(self, text: str | bytes) -> None:
        """Any input is read or refused with `InvalidConfig`, and nothing else happens."""
        try:
            read(text)
        except InvalidConfig as error:
            self.assertEqual(len(error.problems), 1)


class AliasTests(SynchronousTestCase):
    """Anchors, aliases and merge keys."""

    def test_alias(self) -> None:
        """An alias stands for what was anchored."""
        self.assertEqual(read("a: &x {b: [1, 2]}\nc: *x"), {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}})

    def test_merge(self) -> None:
        """A merge key brings in what is not there; the first of several wins."""
        text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}"
        self.assertEqual(read(text)["c"], {"x": 3, "y": 1, "z": 2})

    def test_bomb(self) -> None:
        """Aliases of aliases that would make millions of values are refused."""
        lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
        error = self.assertRaises(InvalidConfig, read, "\n".join(lines))
        self.assertIn("once its aliases are expanded", str(error))

    def test_ring(self) -> None:
        """An alias inside its own anchor is refused."""
        error = self.assertRaises(InvalidConfig, read, "a: &x [1, *x]")
        self.assertIn("no finished anchor &x", str(error))


class RefusalTests(SynchronousTestCase):
    """What is refused, and on which line."""

    def refused(self, text: str | bytes) -> str:
        """:return: what is said of a bad document."""
        return str(self.assertRaises(InvalidConfig, load_yaml, text, "c.yaml"))

    def test_duplicate(self) -> None:
        """A key that is there twice is refused with both lines."""
        self.assertEqual(
            self.refused("a:\n  b: 1\n  c: 2\n  b: 3\n"), "c.yaml:4: a.b: this key is there already, on line 2"
        )

    def test_syntax(self) -> None:
        """An error of syntax has its line, and repeats nothing of the text."""
        said = self.refused("a: 1\nb: [geheim\nc: 2\n")
        self.assertIn("c.yaml:3: is not valid YAML: ", said)
        self.assertNotIn("geheim", said)

    def test_tag(self) -> None:
        """Tags that would make objects are refused."""
        self.assertIn("c.yaml:1: a: tags such as", self.refused("a: !!python/object/apply:os.system [ls]"))

    def test_second_document(self) -> None:
        """A second document is refused."""
        self.assertIn("c.yaml:2: holds a second document", self.refused("a: 1\n---\nb: 2"))

    def test_not_text(self) -> None:
        """Bytes that are not UTF-8 are refused with their line."""
        self.assertIn("c.yaml:2: is not UTF-8 text", self.refused(b"a: 1\nb: \xff"))

    def test_complex_key(self) -> None:
        """A key that is a list is refused."""
        self.assertIn("a key must be plain text", self.refused("? [a, b]\n: 1"))

    def test_deep(self) -> None:
        """Nesting without end is refused, however long the text is."""
        self.assertIn("nested more than", self.refused("[" * 100_000))

    def test_large(self) -> None:
        """A file above the limit is refused unread."""
        self.assertIn("larger than 4 MiB", self.refused(b" " * (document.MAX_SIZE + 1)))

    def test_many(self) -> None:
        """Too many values are refused."""
        self.patch(document, "MAX_VALUES", 10)
        self.assertIn("more than 10 values", self.refused("[" + "1," * 20 + "]"))


class PositionsTests(SynchronousTestCase):
    """`Positions`."""

    def test_lines(self) -> None:
        """Each path has its line; what is not there has the line of what is around it."""
        _, positions = load_yaml("a:\n  - b: 1\n    c: 2\n  - d: 3\n")
        lines = {path: positions.line(path) for path in ("a", "a[0].b", "a[0].c", "a[1]", "a[1].e.f", "a[7]", "x")}
        self.assertEqual(lines, {"a": 1, "a[0].b": 2, "a[0].c": 3, "a[1]": 4, "a[1].e.f": 4, "a[7]": 1, "x": 1})

    def test_locate(self) -> None:
        """A problem gets its file and line."""
        positions = Positions("c.yaml")
        positions.note("a.b", 7)
        self.assertEqual(str(positions.locate(Problem("a.b[2]", "is odd"))), "c.yaml:7: a.b[2]: is odd")

    def test_join(self) -> None:
        """Paths read like Python."""
        self.assertEqual(join(join(join("", "edges"), "https"), 2), "edges.https[2]")
