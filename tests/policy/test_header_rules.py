"""
Tests for `ngrok_twisted.policy.header_rules`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted import schema
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.policy.header_edits import HeaderEdits
from ngrok_twisted.policy.header_rules import HEADERS_MAX, NAME_MAX, VALUE_MAX, HeaderLines, HeaderMap, Side
from tests.policy.asked import facts

SIDE = Side(
    untouchable=frozenset({"own"}),
    not_added=frozenset({"never"}),
    needed=frozenset({"host"}),
    forms={"host": re.compile(rb"[a-z.]+")},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Map(HeaderMap):
    """Of some side."""

    side: ClassVar[Side] = SIDE


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines(HeaderLines):
    """Of some side."""

    side: ClassVar[Side] = SIDE


class RulesTests(SynchronousTestCase):
    """What may be configured."""

    def codes(self, cls: Any = Map, **data: Any) -> list[tuple[str, int]]:
        """The places and codes of what is wrong."""
        error = self.assertRaises(InvalidConfig, schema.parse, cls, data)
        return [(problem.path, problem.code) for problem in error.problems]

    def test_lower_case(self) -> None:
        """Added names become lower case; removed ones stay as they were written."""
        made = schema.parse(Map, {"add": {"X-One": "1"}, "remove": ["X-Two"]})
        self.assertEqual((made.add, made.remove), ({"x-one": "1"}, ("X-Two",)))
        self.assertEqual(schema.parse(Map, schema.dump(made)), made)

    def test_nothing(self) -> None:
        """Neither has to be there."""
        self.assertEqual(schema.parse(Map, {"add": None, "remove": None}), Map())

    def test_twice(self) -> None:
        """A name in different case is the same name."""
        self.assertEqual(self.codes(add={"X-A": "1", "x-a": "2"}), [("add.x-a", 7069)])

    def test_names(self) -> None:
        """Names are tokens, not too long, and none of those that the server sets itself."""
        for name in ("", " ", "a b", "a:", "é", "a\r\nb", "\x00"):
            self.assertEqual([code for _, code in self.codes(add={name: "1"})], [7023], name)
            self.assertEqual(self.codes(remove=[name]), [("remove[0]", 7023)], name)
        for name in (
            "Connection Content-Length Transfer-Encoding TE Trailer Upgrade Keep-Alive Expect HTTP2-Settings "
            "Proxy-Connection Proxy-Authorization Own"
        ).split():
            self.assertEqual(self.codes(add={name: "1"}), [(f"add.{name}", 7023)])
            self.assertEqual(self.codes(remove=[name]), [("remove[0]", 7023)])
        self.assertEqual([code for _, code in self.codes(add={"a" * (NAME_MAX + 1): "1"})], [7105])
        self.assertEqual(self.codes(add={"Never": "1"}), [("add.Never", 7023)])
        Map(remove=("Never",), add={"a" * NAME_MAX: "1"})

    def test_values(self) -> None:
        """Values are one line, not too long, and their templates can be read."""
        for value in ("a\r\nb", "a\nb", " a", "a\t", "a\x00", "\x7f", "\ud800", "${", "${a b}", "${1}"):
            self.assertEqual(self.codes(add={"x": value}), [("add.x", 7024)], value)
        self.assertEqual(self.codes(add={"x": "é" * (VALUE_MAX // 2 + 1)}), [("add.x", 7106)])
        for value in ("", "a b", "a\tb", "é", "${req.method}", "$${", "x" * VALUE_MAX):
            Map(add={"x": value})

    def test_many(self) -> None:
        """There are ten at most of each."""
        names = [f"x-{number}" for number in range(HEADERS_MAX + 1)]
        self.assertEqual(self.codes(add=dict.fromkeys(names, "1"), remove=names), [("add", 7015), ("remove", 7015)])
        Map(add=dict.fromkeys(names[1:], "1"), remove=tuple(names[1:]))

    def test_needed(self) -> None:
        """What a message cannot be without goes only if another takes its place, and there is one of it."""
        self.assertEqual(self.codes(remove=["Host"]), [("remove[0]", 7164)])
        Map(remove=("Host",), add={"host": "a.example"})
        self.assertEqual(self.codes(add={"host": "a b"}), [("add.host", 7024)])
        Map(add={"host": "${req.host}"})
        self.assertEqual(self.codes(Lines, add=["host: a", "Host: b"]), [("add[1]", 7069)])

    def test_lines(self) -> None:
        """Flags may repeat a name; what is before the first colon is the name."""
        made = Lines(add=("X-A: 1:2", "x-a:  ", "X-A:3 "), remove=("X-B",))
        self.assertEqual([item[1:] for item in made.added()], [("X-A", "1:2"), ("x-a", ""), ("X-A", "3")])
        for line in ("", "a", ":", ": x", "a b: c"):
            self.assertEqual(self.codes(Lines, add=[line])[0], ("add[0]", 7023), line)

    @given(
        st.dictionaries(st.text(max_size=5), st.text(max_size=8), max_size=3), st.lists(st.text(max_size=5), max_size=3)
    )
    def test_any(self, add: dict[str, str], remove: list[str]) -> None:
        """What passes can be sent; what does not is refused with a problem."""
        try:
            made = Map(add=add, remove=tuple(remove))
        except InvalidConfig:
            return
        for name, value in HeaderEdits(made.added(), made.remove).edit(facts().request).added:
            self.assertRegex(name, rb"^[!-9;-~]+$")
            self.assertRegex(value, rb"^[\t\x20-\x7e\x80-\xff]*$")
