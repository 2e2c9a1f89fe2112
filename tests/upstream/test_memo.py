"""Tests for `ngrok_twisted.upstream.memo`, and for what stands on it."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.head import parse_request
from ngrok_twisted.errors import BadRequest
from ngrok_twisted.upstream.headers import FIELD_LINES
from ngrok_twisted.upstream.memo import MAX_BYTES, Memo, size_of
from ngrok_twisted.upstream.response import parse_response
from ngrok_twisted.upstream.syntax import MalformedMessage


class MemoTests(SynchronousTestCase):
    """What is remembered, and how much of it."""

    def setUp(self) -> None:
        """A function that notes when it is asked."""
        self.asked: list[Any] = []
        self.size = 1

        def function(argument: Any) -> tuple[Any, int]:
            self.asked.append(argument)
            if argument == "bad":
                raise ValueError(argument)
            return f"said of {argument}", self.size

        self.memo = Memo(function)

    def test_once(self) -> None:
        """The function is asked once for the same argument."""
        self.assertEqual([self.memo["a"], self.memo["a"], self.memo["b"]], ["said of a", "said of a", "said of b"])
        self.assertEqual(self.asked, ["a", "b"])

    def test_large(self) -> None:
        """A large result is not kept."""
        self.size = MAX_BYTES + 1
        self.assertEqual([self.memo["a"], self.memo["a"]], ["said of a"] * 2)
        self.assertEqual((self.asked, len(self.memo)), (["a", "a"], 0))

    def test_bounded(self) -> None:
        """However many arguments there are, only so many bytes are kept: those of the youngest."""
        self.memo = Memo(lambda argument: (str(argument), MAX_BYTES), 10 * MAX_BYTES)
        for argument in range(100):
            self.memo[argument]
        self.assertEqual(list(self.memo), list(range(91, 100)))

    def test_small(self) -> None:
        """Results of no size take some room, too, and all of it is free again when they are forgotten."""
        self.memo = Memo(lambda argument: (str(argument), 0), 10 * 256)
        for _ in range(2):
            for argument in range(100):
                self.memo[argument]
            self.assertEqual(list(self.memo), list(range(90, 100)))
            self.memo.clear()
            self.assertEqual(len(self.memo), 0)

    def test_errors(self) -> None:
        """What the function raises is raised each time, and not kept."""
        for _ in range(2):
            self.assertRaises(ValueError, self.memo.__getitem__, "bad")
        self.assertEqual((self.asked, len(self.memo)), (["bad", "bad"], 0))

    def test_many_tiny_fields(self) -> None:
        """Fields of a few bytes each count with the objects that hold them."""
        self.assertGreater(size_of([(b"a", b"")] * 100), MAX_BYTES)
        self.assertLess(size_of([(b"x-name", b"value" * 20)] * 20), MAX_BYTES)


class SharingTests(SynchronousTestCase):
    """Messages with the same bytes share what was said of them, and nothing else."""

    REQUEST = b"GET /%b HTTP/1.%d\r\nHost: a.example\r\nCookie: %b\r\n\r\n"
    RESPONSE = b"HTTP/1.1 200 OK\r\nX-Name: value\r\nContent-Length: 3\r\n\r\n"

    def test_request_fields(self) -> None:
        """What a module does to the fields of one request does not reach the next one with the same bytes."""
        first = parse_request(self.REQUEST % (b"1", 1, b"c=1"), 10)
        first.fields.append((b"X-Verified-User", b"root"))
        second = parse_request(self.REQUEST % (b"2", 1, b"c=1"), 10)
        self.assertEqual(second.fields, [(b"Host", b"a.example"), (b"Cookie", b"c=1")])
        self.assertEqual((first.target, second.target), (b"/1", b"/2"))

    def test_another_cookie(self) -> None:
        """A request that differs in one byte has its own fields."""
        for cookie in (b"c=1", b"c=2", b"c=1"):
            self.assertEqual(parse_request(self.REQUEST % (b"", 1, cookie), 10).fields[1], (b"Cookie", cookie))

    def test_version(self) -> None:
        """The same fields say something else in HTTP/1.0."""
        persistent = [parse_request(self.REQUEST % (b"", minor, b""), 10).persistent for minor in (1, 0, 1)]
        self.assertEqual(persistent, [True, False, True])

    def test_refused_again(self) -> None:
        """An ambiguous request is refused as often as it comes."""
        ambiguous = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
        for _ in range(3):
            self.assertRaises(BadRequest, parse_request, ambiguous, 10)

    def test_response_fields(self) -> None:
        """What a filter does to one response does not reach the next one with the same bytes."""
        first = parse_response(self.RESPONSE, b"GET")
        first.headers.append((b"Set-Cookie", b"secret"))
        first.length = None
        second = parse_response(self.RESPONSE, b"GET")
        self.assertEqual((second.headers, second.length), ([(b"X-Name", b"value")], 3))

    def test_response_to_head(self) -> None:
        """The same head has a body or not, depending on what it answers."""
        bodiless = [parse_response(self.RESPONSE, method).bodiless for method in (b"GET", b"HEAD", b"GET")]
        self.assertEqual(bodiless, [False, True, False])

    def test_line_end_in_a_field(self) -> None:
        """A field that would be read as two lines is refused as often as it comes."""
        for value in (b"a\r\nb: c", b"a\nb", b"a\rb"):
            for _ in range(2):
                self.assertRaises(MalformedMessage, FIELD_LINES.__getitem__, ((b"x", value),))
