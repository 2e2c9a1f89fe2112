"""
Tests for `ngrok_twisted.control.api.filters`.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.api.errors import APIError
from ngrok_twisted.control.api.filters import COMPARISONS_MAX, DEPTH_MAX, SEARCHES_MAX, TEXT_MAX, compile_filter

#: 2026-01-08 in UTC.
NOW = 1_767_830_400.0

FIELDS = (
    "id",
    "created_at",
    "description",
    "metadata",
    "acl",
    "certificate.id",
    "ip_policy",
    "pooling_enabled",
    "port",
    "type",
)

SHOWN: dict[str, Any] = {
    "id": "cr_1",
    "created_at": "2026-01-01T00:00:00Z",
    "description": "the first",
    "metadata": "",
    "acl": ["bind:*.example.com", "bind:a=b"],
    "certificate": None,
    "ip_policy": {"id": "ipp_1", "uri": "https://api.example.com/ip_policies/ipp_1"},
    "pooling_enabled": True,
    "port": 443,
    "type": "ephemeral",
    "secret": "hidden",
}


def wanted(text: str, shown: dict[str, Any] = SHOWN) -> bool:
    """Whether a filter wants an object."""
    return compile_filter(text, FIELDS, NOW)(shown)


class MeaningTests(SynchronousTestCase):
    """What filters want."""

    def check(self, *, true: tuple[str, ...] = (), false: tuple[str, ...] = ()) -> None:
        """Each of these is so of `SHOWN`."""
        for text in true:
            self.assertIs(wanted(text), True, text)
        for text in false:
            self.assertIs(wanted(text), False, text)

    def test_texts(self) -> None:
        """Texts are compared with either quotes, and sort as texts do."""
        self.check(
            true=(
                'obj.id == "cr_1"',
                "obj.id != 'cr_2'",
                'obj.metadata == ""',
                'obj.id < "cr_2"',
                '"cr_0" < obj.id',
                'obj.id >= "cr_1"',
                'obj.description == "the\\x20\\u0066irst"',
            ),
            false=('obj.id == "CR_1"', 'obj.id > "cr_1"', "obj.metadata != ''", "obj.metadata == null"),
        )

    def test_numbers(self) -> None:
        """Numbers are compared as numbers, whole or not, and are no texts and no truths."""
        self.check(
            true=("obj.port == 443", "obj.port > 442.5", "obj.port <= 443.0", "obj.port > -1", "4.43e2 == obj.port"),
            false=('obj.port == "443"', "obj.port == true", "obj.port < 443", "obj.pooling_enabled == 1"),
        )

    def test_truth(self) -> None:
        """A field that is true is a condition; one that is anything else is not."""
        self.check(
            true=("obj.pooling_enabled", "true", "!obj.id", "!!obj.pooling_enabled", "obj.pooling_enabled == true"),
            false=("obj.id", "!obj.pooling_enabled", "false", "obj.port"),
        )

    def test_precedence(self) -> None:
        """And binds tighter than or, not tighter than either, and parentheses tightest."""
        self.check(
            true=("true || true && false", "!false && true", "(obj.id == 'x') == false", "!(false || false)"),
            false=("(true || true) && false", "!(true || false)", "!true || false"),
        )

    def test_null(self) -> None:
        """What is not there is null; comparing it with anything else is not true and no error."""
        self.check(
            true=(
                "obj.certificate.id == null",
                "obj.ip_policy != null",
                "obj.certificate.id != 'x'",
                "obj.id.x == null",
            ),
            false=("obj.certificate.id == 'x'", "obj.certificate.id < 'x'", "obj.id == null"),
        )

    def test_references(self) -> None:
        """An object counts as its id."""
        self.check(
            true=('obj.ip_policy == "ipp_1"', 'obj.ip_policy.id == "ipp_1"', 'obj.ip_policy in ["x", "ipp_1",]'),
            false=('obj.ip_policy == "ipp_2"',),
        )

    def test_lists(self) -> None:
        """A value is looked for in a list of values, or in a field that is a list."""
        self.check(
            true=(
                "timestamp('2026-01-01T00:00:00Z') in ['2026-01-01T01:00:00+01:00']",
                "'bind:a=b' in obj.acl",
                "obj.id in ['x', 'cr_1']",
                "!(obj.id in [])",
                "443 in [1, 443]",
            ),
            false=("'bind:a' in obj.acl", "obj.id in ['x']", "obj.acl == []", "'x' in obj.description"),
        )

    def test_sizes(self) -> None:
        """Sizes of texts are characters, of lists items; null has none, and a number has no size."""
        self.check(
            true=(
                "size(obj.acl) == 2",
                "obj.acl.size() > 1",
                "size(obj.description) == 9",
                "size(obj.certificate.id) == 0",
            ),
            false=("size(obj.port) == 0", "size(obj.metadata) > 0"),
        )

    def test_times(self) -> None:
        """Timestamps are compared by the moment they mean, whatever they are written like."""
        self.check(
            true=(
                'obj.created_at == timestamp("2026-01-01T01:00:00+01:00")',
                'obj.created_at < timestamp("2026-01-01T00:00:00.5Z")',
                'obj.created_at >= timestamp(time.now).subtract("7d")',
                'obj.created_at < timestamp(time.now).subtract("6d23h59m59s")',
                'timestamp(time.now) == timestamp("2026-01-01T00:00:00Z").add("1w")',
            ),
            false=('obj.created_at > timestamp(time.now).subtract("24h")', "obj.id < timestamp(time.now)"),
        )

    def test_searches(self) -> None:
        """Texts may be searched."""
        self.check(
            true=(
                'obj.description.startsWith("the ")',
                'obj.description.contains("fir") && obj.description.endsWith("t")',
                '!obj.metadata.contains("x")',
            ),
            false=(
                'obj.description.startsWith("first")',
                'obj.port.contains("4")',
                "obj.certificate.id == null && false",
            ),
        )

    def test_spellings(self) -> None:
        """A resource may have other words for the values of a field, beside the values themselves."""
        spellings = {"type": {"agent": "ephemeral"}}
        for text in (
            "obj.type == 'agent'",
            "'ephemeral' == obj.type",
            "obj.type in ['cloud', 'agent']",
            "obj.type != 'cloud'",
        ):
            self.assertTrue(compile_filter(text, FIELDS, NOW, spellings)(SHOWN), text)
        self.assertFalse(
            compile_filter("obj.description == 'agent'", FIELDS, NOW, spellings)({"description": "ephemeral"})
        )

    def test_long_chains(self) -> None:
        """Many conditions side by side are no deeper than two."""
        self.check(true=(" || ".join(["obj.id == 'x'"] * 99 + ["true"]),))


class RefusalTests(SynchronousTestCase):
    """What is no filter."""

    def refusal(self, text: str) -> APIError:
        """Why a filter is refused."""
        error = self.assertRaises(APIError, wanted, text)
        self.assertEqual((error.status, error.code), (400, 250), text)
        return error

    def test_places(self) -> None:
        """The message says where a filter goes wrong, counting from one, and how."""
        for text, place, why in (
            ("", 1, "the end"),
            ("obj.id ==", 10, "the end"),
            ("obj.secret == ''", 1, "cannot ask for 'obj.secret'"),
            ("obj.descripton == ''", 1, "did you mean 'description'"),
            ("obj", 1, "needs a field"),
            ("foo == 1", 1, "'foo' is not known"),
            ("obj.id == 'a", 11, "does not end"),
            ("obj.id == 'a' obj.id", 15, "does not belong here"),
            ("'a'", 1, "a condition"),
            ("size(obj.id)", 1, "a condition"),
            ("1 < 'a'", 3, "different types"),
            ("obj.id < true", 8, "compares numbers"),
            ("obj.id == 1 == 2", 13, "side by side"),
            ("obj.id in 'a'", 11, "a list"),
            ("[1] in obj.acl", 1, "not looked for"),
            ("obj.id in [obj.id]", 12, "a list holds"),
            ("obj.id in [(obj.id == '1')]", 13, "a list holds"),
            ("obj.acl[0] == ''", 8, "index"),
            ("obj.port + 1 == 2", 10, "'+'"),
            ("obj.port - 1 == 2", 10, "does not belong here"),
            ("obj.id ? true : false", 8, "'?'"),
            ("obj.id.matches('.*')", 8, "no function"),
            ("obj.id.contains('1')", 8, "no id"),
            ("obj.ip_policy.id.contains('1')", 18, "no id"),
            ("obj.description.contains(obj.id)", 26, "text in quotes"),
            ("'a'.contains('a')", 5, "no id"),
            ("timestamp('now') < timestamp(time.now)", 11, "RFC 3339"),
            ("timestamp('2026-02-30T00:00:00Z') == null", 11, "RFC 3339"),
            ("timestamp(obj.created_at) == null", 11, "time.now"),
            ("timestamp(time.now).add('week') == null", 25, "duration"),
            ("obj.created_at.add('1d') == null", 16, "timestamp"),
            ("size(1) == 1", 6, "size takes"),
            ("obj.id == '\\ud800'", 12, "backslash"),
            ("obj.port == 1" + "0" * 40, 13, "too long"),
            ("obj.port == 1e999", 13, "too large"),
            ("\u00e9", 1, "has no meaning"),
            ("(obj.id == 'a'", 15, "')'"),
        ):
            message = self.refusal(text).message
            self.assertIn(f"At character {place}:", message, text)
            self.assertIn(why, message, text)

    def test_bounds(self) -> None:
        """A filter is bounded in length, depth and costly parts; up to the bounds it is taken."""
        one = "obj.description.contains('x')"
        self.assertFalse(wanted("(" * DEPTH_MAX + "false" + ")" * DEPTH_MAX))
        self.refusal("(" * (DEPTH_MAX + 1) + "false" + ")" * (DEPTH_MAX + 1))
        self.refusal("!" * (DEPTH_MAX + 1) + "false")
        self.assertFalse(wanted(" || ".join([one] * SEARCHES_MAX)))
        self.refusal(" || ".join([one] * (SEARCHES_MAX + 1)))
        self.refusal(" || ".join(["'x' in obj.acl"] * (SEARCHES_MAX + 1)))
        self.assertFalse(wanted(" || ".join(["obj.id == 'x'"] * COMPARISONS_MAX)))
        self.refusal(" || ".join(["obj.id == 'x'"] * (COMPARISONS_MAX + 1)))
        self.assertFalse(wanted("obj.id in [" + "'x'," * 1000 + "]"))
        self.refusal("obj.port in [" + "1," * (COMPARISONS_MAX + 1) + "]")
        self.assertFalse(wanted("false" + " " * (TEXT_MAX - 5)))
        self.refusal("false" + " " * (TEXT_MAX - 4))

    @given(st.text(max_size=80) | st.text("obj.id()[]!&|<>=\"'\\ ,-timestampnwize0", max_size=80))
    def test_anything(self, text: str) -> None:
        """Whatever is sent is taken or refused with the code, and wants an object or does not."""
        try:
            found = wanted(text)
        except APIError as error:
            self.assertEqual(error.code, 250)
            self.assertIn("At character", error.message)
        else:
            self.assertIsInstance(found, bool)


# -- generated expressions against a second reading of what they mean --------------------------------------------------

_TEXTS = st.text("ab\"'\\\u00e9\n", max_size=3)
_NUMBERS = st.integers(-3, 3)
_PATHS = {"description": _TEXTS, "metadata": _TEXTS, "port": _NUMBERS, "acl": st.lists(_TEXTS, max_size=3)}
_OBJECTS = st.fixed_dictionaries({name: st.none() | values for name, values in _PATHS.items()})


def _compared(field: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    signs = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    return st.tuples(signs, st.just(field), values) | st.tuples(
        st.sampled_from(["==", "!="]), st.just(field), st.none()
    )


_LEAVES = st.one_of(
    _compared("description", _TEXTS),
    _compared("metadata", _TEXTS),
    _compared("port", _NUMBERS),
    st.tuples(st.just("in"), st.just("port"), st.lists(_NUMBERS, max_size=3)),
    st.tuples(st.just("has"), st.just("acl"), _TEXTS),
    st.tuples(st.sampled_from(["startsWith", "contains", "endsWith"]), st.just("metadata"), _TEXTS),
    st.tuples(st.just("size"), st.sampled_from(sorted(_PATHS)), _NUMBERS),
)
_EXPRESSIONS = st.recursive(
    _LEAVES,
    lambda inner: st.tuples(st.just("!"), inner) | st.tuples(st.sampled_from(["&&", "||"]), inner, inner),
    max_leaves=12,
)


def _written(value: Any) -> str:
    """A value as a filter writes it."""
    return json.dumps(value)


def _text(tree: Any) -> str:
    """The filter that an expression is written as; parentheses stand only where they must."""
    sign, *parts = tree
    if sign == "!":
        return f"!({_text(parts[0])})"
    if sign in ("&&", "||"):
        sides = [f"({_text(part)})" if sign == "&&" and part[0] == "||" else _text(part) for part in parts]
        return f" {sign} ".join(sides)
    field, value = parts
    if sign == "has":
        return f"{_written(value)} in obj.{field}"
    if sign == "size":
        return f"size(obj.{field}) > {value}"
    if sign in ("startsWith", "contains", "endsWith"):
        return f"obj.{field}.{sign}({_written(value)})"
    return f"obj.{field} {sign} {_written(value)}"


def _true(tree: Any, shown: dict[str, Any]) -> bool:
    """Whether an expression is true, told in another way than the filter does."""
    sign, *parts = tree
    if sign == "!":
        return not _true(parts[0], shown)
    if sign == "&&":
        return _true(parts[0], shown) and _true(parts[1], shown)
    if sign == "||":
        return _true(parts[0], shown) or _true(parts[1], shown)
    held, value = shown[parts[0]], parts[1]
    if sign == "has":
        return held is not None and value in held
    if sign == "in":
        return held in value
    if sign == "size":
        return not isinstance(held, int) and len(held or "") > value
    if sign in ("==", "!="):
        return (held == value) is (sign == "==")
    if held is None:
        return False
    if sign in ("startsWith", "contains", "endsWith"):
        return bool(
            {"startsWith": held.startswith, "contains": held.__contains__, "endsWith": held.endswith}[sign](value)
        )
    return bool({"<": held < value, "<=": held <= value, ">": held > value, ">=": held >= value}[sign])


class ReferenceTests(SynchronousTestCase):
    """The filter and a second reading of what it says."""

    @given(_EXPRESSIONS, _OBJECTS)
    def test_same(self, tree: Any, shown: dict[str, Any]) -> None:
        """They agree about every object."""
        text = _text(tree)
        assume(text.count("(") <= DEPTH_MAX and len(text) <= TEXT_MAX)
        self.assertIs(wanted(text, shown), _true(tree, shown), text)
