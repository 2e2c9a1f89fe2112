"""
Tests for `ngrok_twisted.control.api.requests`.
"""

from __future__ import annotations

import json
from typing import Any, Callable

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.api.errors import APIError
from ngrok_twisted.control.api.method import Method, Query
from ngrok_twisted.control.api.requests import (
    DEPTH_MAX,
    VALUES_MAX,
    base_url,
    check_version,
    parse_json,
    read_body,
    read_path,
    read_query,
)

ID = "vault_" + "0" * 27
LIST = Method(verb="GET", path="/x", action="list", perform=print, query=("before_id", "limit", "filter"))
ENDPOINTS = Method(verb="GET", path="/x", action="list", perform=print, query=("before_id", "limit", "id", "url"))
PLAIN = Method(verb="GET", path="/x/{id}", action="get", perform=print)


class RequestCase(SynchronousTestCase):
    """Compares codes."""

    def code(self, function: Callable[..., Any], *arguments: Any) -> int | None:
        """ngrok's code of a refusal."""
        error = self.assertRaises(APIError, function, *arguments)
        assert isinstance(error, APIError)
        self.assertEqual(error.status, 400)
        return error.code


class VersionTests(RequestCase):
    """The header ``ngrok-version``."""

    def test_version(self) -> None:
        """It is 2; anything else, and nothing, is refused."""
        check_version("2")
        check_version(" 2 ")
        self.assertEqual(self.code(check_version, None), 218)
        for other in ("", "1", "3", "2.0", "two"):
            self.assertEqual(self.code(check_version, other), 217)


class PathTests(SynchronousTestCase):
    """Paths are decoded."""

    def test_decoded(self) -> None:
        """Percent-encoding and UTF-8."""
        self.assertEqual(read_path(b"/a%5Fb//c/"), "/a_b//c/")
        self.assertEqual(read_path(b"/%C3%A9"), "/é")

    def test_impossible(self) -> None:
        """What is no text, badly encoded, or hides a slash, is no path of the API."""
        for raw in (b"/%ff", b"/%", b"/%4", b"/%zz", b"/a%2fb", b"/a%2Fb"):
            self.assertIsNone(read_path(raw))


class QueryTests(RequestCase):
    """The query of a list."""

    def test_nothing(self) -> None:
        """Nothing, empty pieces and empty values ask for the first page."""
        for raw in (b"", b"&", b"before_id=&limit=&filter="):
            self.assertEqual(read_query(raw, LIST), Query())

    def test_values(self) -> None:
        """Each parameter is decoded."""
        raw = f"before_id={ID}&limit=7&filter=obj.name+%3D%3D+%22%C3%A9%22".encode()
        self.assertEqual(read_query(raw, LIST), Query(before_id=ID, limit=7, filter='obj.name == "é"'))

    def test_alias(self) -> None:
        """One client spells before_id its own way."""
        self.assertEqual(read_query(f"beforeId={ID}".encode(), LIST).before_id, ID)
        self.assertEqual(self.code(read_query, f"beforeId={ID}&before_id={ID}".encode(), LIST), 232)
        self.assertEqual(self.code(read_query, f"beforeId={ID}".encode(), PLAIN), 231)

    def test_repeated(self) -> None:
        """Some may be repeated where a method takes them; others may not."""
        self.assertEqual(read_query(b"id=a&id=b&url=c", ENDPOINTS), Query(id=("a", "b"), url=("c",)))
        self.assertEqual(self.code(read_query, b"limit=1&limit=1", LIST), 232)
        self.assertEqual(self.code(read_query, b"id=a", LIST), 231)

    def test_unknown(self) -> None:
        """Unknown parameters are named."""
        error = self.assertRaises(APIError, read_query, b"nonsense=1&limit=1&more=", LIST)
        self.assertEqual(error.code, 231)
        self.assertIn("more, nonsense;", error.message)
        self.assertEqual(self.code(read_query, b"limit=1", PLAIN), 231)

    def test_limit(self) -> None:
        """The limit is a number from 1 to 100."""
        for good in (b"1", b"100", b"007"):
            self.assertEqual(read_query(b"limit=" + good, LIST).limit, int(good))
        for far in (b"0", b"101", b"-1", b"999999999"):
            self.assertEqual(self.code(read_query, b"limit=" + far, LIST), 233)
        for odd in (b"x", b"1.5", b"1e1", b"-", b"%D9%A3", b"1" * 5000):
            self.assertEqual(self.code(read_query, b"limit=" + odd, LIST), 244)

    def test_before_id(self) -> None:
        """What is no id cannot have anything before it."""
        for odd in (b"x", b"vault_1", b"'; drop", ID.encode() + b"0"):
            self.assertEqual(self.code(read_query, b"before_id=" + odd, LIST), 223)

    def test_unparsable(self) -> None:
        """What is badly encoded, no text, or far too much, is refused."""
        for raw in (b"limit=%", b"limit=%zz", b"%ff=1", b"filter=%ff", b"id=1&" * 201):
            self.assertEqual(self.code(read_query, raw, ENDPOINTS if b"id=" in raw else LIST), 230)


class BodyTests(RequestCase):
    """What is read of a body, and how it must be labelled."""

    def test_nothing(self) -> None:
        """No body is an empty object, whatever it is labelled."""
        self.assertEqual(read_body(b"", [], []), {})
        self.assertEqual(read_body(b"", [b"text/plain"], []), {})

    def test_labels(self) -> None:
        """JSON, in UTF-8 if it says so."""
        for label in (b"application/json", b"Application/JSON; charset=UTF-8", b'application/json;charset="utf-8"'):
            self.assertEqual(read_body(b'{"a":1}', [label], []), {"a": 1})

    def test_bad_labels(self) -> None:
        """No label and another label are refused, and so is any further encoding."""
        self.assertEqual(self.code(read_body, b"{}", [], []), 216)
        for label in (
            b"text/json",
            b"",
            b"application/x-www-form-urlencoded",
            b"application/json; charset=latin1",
            b"\xff",
        ):
            self.assertEqual(self.code(read_body, b"{}", [label], []), 210)
        self.assertEqual(self.code(read_body, b"{}", [b"application/json"] * 2, []), 210)
        self.assertEqual(self.code(read_body, b"{}", [b"application/json"], [b"gzip"]), 210)


class JSONTests(RequestCase):
    """JSON that has exactly one meaning."""

    def test_values(self) -> None:
        """What people send comes back as it is."""
        data = {"a": [1, -2.5, "é\n", None, True, {}], "b": {"c": ""}, "d": "😀 [{"}
        self.assertEqual(parse_json(json.dumps(data).encode()), data)
        self.assertEqual(parse_json(json.dumps(data, ensure_ascii=False).encode()), data)

    def test_refused(self) -> None:
        """What is no JSON, not text, or means several things, is refused."""
        for raw in (
            b"{",
            b"nope",
            b" ",
            b"{} {}",
            b"{'a': 1}",
            b"\xff",
            b"\xef\xbb\xbf{}",
            b'{"a": 1, "a": 1}',
            b'{"a": {"b": 1, "b": 2}}',
            b'{"a": NaN}',
            b"[Infinity]",
            b"[-Infinity]",
            b"[1e999]",
            b'["\\ud800"]',
            b'{"\\udc00": 1}',
            b"[" + b"9" * 5000 + b"]",
            b"[0." + b"9" * 5000 + b"]",
            b'"\x00"',
        ):
            self.assertEqual(self.code(parse_json, raw), 213, raw[:40])

    def test_depth(self) -> None:
        """Nesting has a bound, which brackets in texts do not count for."""
        deepest = b"[" * DEPTH_MAX + b"]" * DEPTH_MAX
        self.assertEqual(json.dumps(parse_json(deepest)), deepest.decode())
        for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
            self.assertEqual(self.code(parse_json, opening * 100_000 + b"1" + closing * 100_000), 213)
        self.assertEqual(parse_json(b'["' + b"[" * 1000 + b'\\"{", [], []]'), ["[" * 1000 + '"{', [], []])
        self.assertEqual(len(parse_json(b"[" + b"[]," * 1000 + b"[]]")), 1001)

    def test_many_values(self) -> None:
        """The number of values has a bound, which commas in texts do not count for."""
        for raw in (
            b"[" + b"1," * VALUES_MAX + b"1]",
            b"{" + b",".join(b'"k%d":1' % number for number in range(VALUES_MAX + 1)) + b"}",
            b"[" + b"[1]," * (VALUES_MAX // 2) + b"1]",
        ):
            self.assertEqual(self.code(parse_json, raw), 213)
        self.assertEqual(len(parse_json(b"[" + b"1," * (VALUES_MAX - 1) + b"1]")), VALUES_MAX)
        self.assertEqual(parse_json(b'["' + b",[" * VALUES_MAX + b'"]'), [",[" * VALUES_MAX])

    def test_hostile(self) -> None:
        """Quotes that never end cost no more than their length."""
        for raw in (b"[" * 50 + b'\\"' * 500_000, b"[" * 50 + b'"' + b'\\"' * 500_000, b"[" * 50 + b'"' * 1_000_001):
            self.assertEqual(self.code(parse_json, raw), 213)

    def test_secrets(self) -> None:
        """A refusal repeats nothing of the body."""
        error = self.assertRaises(APIError, parse_json, b'{"value": "s3cret", "value": 1, s3cret}')
        self.assertNotIn("s3cret", error.message)


class BaseURLTests(SynchronousTestCase):
    """What URLs in answers start with."""

    def test_secure(self) -> None:
        """On https it is the public one, whatever the request says."""
        self.assertEqual(base_url(b"other:1", True, "https://api.example.com", "h:1"), "https://api.example.com")

    def test_plain(self) -> None:
        """On the plain listener it is the host that was asked for, as it was written."""
        for host in (b"127.0.0.1:4040", b"localhost", b"[::1]:4040"):
            self.assertEqual(base_url(host, False, "https://api", "h:1"), "http://" + host.decode())

    def test_no_host(self) -> None:
        """Where there is no host, or nothing like one, it is where the request arrived."""
        for host in (b"", b"a b", b"a/b", b"u@h", b"h:1:2", b'h"', b"h\n"):
            self.assertEqual(base_url(host, False, "https://api", "127.0.0.1:4040"), "http://127.0.0.1:4040")
