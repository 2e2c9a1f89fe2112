"""
Tests for ``ngrok_twisted.edge.head``, as far as they are not those of ``test_http1_conformance``: the short way of requests
whose fields came before.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.head import parse_request, repeated_request
from ngrok_twisted.errors import BadRequest, HeaderTooLarge
from ngrok_twisted.upstream.memo import MAX_BYTES

FIELDS = b"Host: head.example:8443\r\nX-Repeated: yes\r\n\r\n"
MANY = 100


class RepeatedTests(SynchronousTestCase):
    """What is known of a header serves the next request that has the same."""

    def setUp(self) -> None:
        """The fields came before."""
        self.first = parse_request(b"GET / HTTP/1.1\r\n" + FIELDS, MANY)

    def test_same(self) -> None:
        """Another method and another target, and the same to be said of the rest."""
        known = repeated_request(b"POST /other?x HTTP/1.1\r\n" + FIELDS, MANY)
        assert known is not None
        method, target, said = known
        self.assertEqual((method, target), (b"POST", b"/other?x"))
        for name in ("authority", "host", "port", "length", "persistent", "expects_continue", "upgrade", "minor"):
            self.assertEqual(getattr(said, name), getattr(self.first, name), name)
        self.assertEqual(list(said.fields), self.first.fields)
        self.assertIs(said, self.first.told)

    def test_new(self) -> None:
        """A header that differs in one byte is not known, nor is a part of one, or one with something behind it."""
        line = b"GET / HTTP/1.1\r\n"
        for fields in (FIELDS.replace(b"yes", b"yet"), FIELDS[:-1], FIELDS + b"GET", FIELDS[:-2], b""):
            self.assertIsNone(repeated_request(line + fields, MANY), fields)
        for data in (b"", b"\r\n", b"\r\n" + line + FIELDS, FIELDS, b"GET / HTTP/1.1\n" + FIELDS):
            self.assertIsNone(repeated_request(data, MANY), data)

    def test_out_of_the_ordinary(self) -> None:
        """Whatever has to be judged by its first line goes the long way, and is judged there."""
        for line in (
            *(b"CONNECT / HTTP/1.1", b"GET / HTTP/1.0", b"GET / HTTP/1.2", b"GET / HTTP/2.0", b"OPTIONS * HTTP/1.1"),
            *(b"GET http://head.example:8443/ HTTP/1.1", b"GET  / HTTP/1.1", b"GET /# HTTP/1.1", b"GET / HTTP/1.1 "),
            *(
                b"G\xc3T / HTTP/1.1",
                b"GET /\x7f HTTP/1.1",
                b"GET /a b HTTP/1.1",
                b" GET / HTTP/1.1",
                b"GET /\nx HTTP/1.1",
            ),
        ):
            self.assertIsNone(repeated_request(line + b"\r\n" + FIELDS, MANY), line)

    def test_never_good(self) -> None:
        """What was refused is not remembered."""
        bad = b"GET / HTTP/1.1\r\nHost: head.example\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"
        for _ in range(2):
            self.assertRaises(BadRequest, parse_request, bad, MANY)
            self.assertIsNone(repeated_request(bad, MANY))

    def test_too_many(self) -> None:
        """Where fewer fields are allowed, a header that was good elsewhere is not."""
        data = b"GET / HTTP/1.1\r\n" + FIELDS
        self.assertIsNone(repeated_request(data, 1))
        self.assertRaises(HeaderTooLarge, parse_request, data, 1)
        self.assertIsNotNone(repeated_request(data, 2))

    def test_long(self) -> None:
        """A long request is not looked for."""
        self.assertIsNone(repeated_request(b"GET /" + b"a" * MAX_BYTES + b" HTTP/1.1\r\n" + FIELDS, MANY))

    def test_own_list(self) -> None:
        """A request may change its list of fields without another one seeing it."""
        self.first.fields.append((b"X-New", b"1"))
        self.assertNotIn((b"X-New", b"1"), parse_request(b"GET / HTTP/1.1\r\n" + FIELDS, MANY).fields)
