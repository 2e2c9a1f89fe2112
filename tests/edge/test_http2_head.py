"""
Tests for ``ngrok_twisted.edge.http2_head``: what a request may look like, and what becomes of a response.
"""

from __future__ import annotations

from typing import Any

from hpack import Decoder
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.http2_head import parse_request, parse_trailers, response_block, trailer_block
from ngrok_twisted.errors import BadRequest
from ngrok_twisted.upstream.syntax import MalformedMessage

METHOD, SCHEME, PATH = (b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/a?b")
AUTHORITY = (b":authority", b"A.example.:8443")
GET = [METHOD, SCHEME, AUTHORITY, PATH]

WEBSOCKET = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), *GET[1:]]


def replaced(name: bytes, value: bytes) -> list[tuple[bytes, bytes]]:
    """The GET with another value for one of its fields."""
    return [(key, value if key == name else old) for key, old in GET]


class RequestTests(SynchronousTestCase):
    """Heads that are good."""

    def test_plain(self) -> None:
        """A GET says the same as it would in HTTP/1.1."""
        head = parse_request([*GET, (b"accept", b"*/*")], True)
        self.assertEqual((head.method, head.target), (b"GET", b"/a?b"))
        self.assertEqual((head.authority, head.host, head.port), (b"A.example.:8443", "a.example", 8443))
        self.assertEqual(head.fields, [(b"host", b"A.example.:8443"), (b"accept", b"*/*")])
        self.assertEqual((head.length, head.upgrade, head.expects_continue), (0, b"", False))

    def test_length(self) -> None:
        """A body has the length that was announced, or one that nobody knows; a head that is all has none."""
        self.assertIsNone(parse_request(GET, False).length)
        self.assertEqual(parse_request([*GET, (b"content-length", b"5")], False).length, 5)
        self.assertEqual(parse_request([*GET, (b"content-length", b"0")], True).length, 0)

    def test_host(self) -> None:
        """``host`` does instead of ``:authority``, and may stand beside it if it names the same."""
        without = [METHOD, SCHEME, PATH, (b"host", b"a.example")]
        self.assertEqual(parse_request(without, True).host, "a.example")
        for host in (b"a.example:8443", b"A.EXAMPLE:8443"):
            head = parse_request([*GET, (b"host", host)], True)
            self.assertEqual(head.fields, [(b"host", b"A.example.:8443")])
        parse_request([*replaced(b":authority", b"a.example"), (b"host", b"a.example:443")], True)

    def test_cookies(self) -> None:
        """A cookie that came in pieces goes on in one."""
        head = parse_request([*GET, (b"cookie", b"a=b"), (b"x", b"y"), (b"cookie", b"c=d; e=f")], True)
        self.assertEqual(head.fields[1:], [(b"x", b"y"), (b"cookie", b"a=b; c=d; e=f")])

    def test_options(self) -> None:
        """OPTIONS may ask for everything."""
        fields = [(b":method", b"OPTIONS"), SCHEME, AUTHORITY, (b":path", b"*")]
        self.assertEqual(parse_request(fields, True).target, b"*")

    def test_continue(self) -> None:
        """Who announces a body may want to be told to send it."""
        expecting = [*GET, (b"expect", b"100-Continue")]
        self.assertTrue(parse_request(expecting, False).expects_continue)
        self.assertFalse(parse_request(expecting, True).expects_continue)

    def test_trailers_wanted(self) -> None:
        """``te: trailers`` goes on."""
        self.assertIn((b"te", b"trailers"), parse_request([*GET, (b"te", b"trailers")], True).fields)

    def test_websocket(self) -> None:
        """An extended CONNECT is a GET that wants to be upgraded, without a body."""
        head = parse_request([*WEBSOCKET, (b"sec-websocket-version", b"13")], False)
        self.assertEqual((head.method, head.target, head.upgrade, head.length), (b"GET", b"/a?b", b"websocket", 0))
        self.assertIn((b"upgrade", b"websocket"), head.fields)
        self.assertIn((b"sec-websocket-version", b"13"), head.fields)

    def test_is_not_shared(self) -> None:
        """Who changes one request's fields changes no other's."""
        parse_request([*GET, (b"a", b"b")], True).fields.append((b"c", b"d"))
        self.assertEqual(len(parse_request([*GET, (b"a", b"b")], True).fields), 2)


#: RFC 9113 section 8: the stream is reset.
MALFORMED: tuple[tuple[str, list[Any]], ...] = (
    ("no method", GET[1:]),
    ("an empty method", replaced(b":method", b"")),
    ("a method with a space", replaced(b":method", b"GET /x HTTP/1.1")),
    ("a method with a line end", replaced(b":method", b"GET\r\n")),
    ("no scheme", [METHOD, AUTHORITY, PATH]),
    ("no path", GET[:3]),
    ("an empty path", replaced(b":path", b"")),
    ("a path with a space", replaced(b":path", b"/ HTTP/1.1")),
    ("a path with a line end", replaced(b":path", b"/\r\nx: y")),
    ("a path with a NUL", replaced(b":path", b"/\x00")),
    ("a path with a fragment", replaced(b":path", b"/a#b")),
    ("a path beyond ASCII", replaced(b":path", "/ü".encode())),
    ("a pseudo-header field twice", [METHOD, *GET]),
    ("a path twice", [*GET, PATH]),
    ("a status", [*GET, (b":status", b"200")]),
    ("one that nobody knows", [*GET, (b":unknown", b"x")]),
    ("one behind a field", [METHOD, SCHEME, AUTHORITY, (b"x", b"y"), PATH]),
    ("a protocol without CONNECT", [*GET, (b":protocol", b"websocket")]),
    ("CONNECT with a path", replaced(b":method", b"CONNECT")),
    ("an extended CONNECT without a path", WEBSOCKET[:-1]),
    ("an upper-case name", [*GET, (b"X-Y", b"z")]),
    ("an empty name", [*GET, (b"", b"z")]),
    ("a colon in a name", [*GET, (b"x:y", b"z")]),
    ("a space in a name", [*GET, (b"x y", b"z")]),
    ("a line end in a name", [*GET, (b"x\r\ny", b"z")]),
    ("a NUL in a name", [*GET, (b"x\x00", b"z")]),
    ("a line end in a value", [*GET, (b"x", b"y\r\nz: a")]),
    ("a bare CR in a value", [*GET, (b"x", b"y\rz")]),
    ("a bare LF in a value", [*GET, (b"x", b"y\nz")]),
    ("a NUL in a value", [*GET, (b"x", b"y\x00")]),
    ("a DEL in a value", [*GET, (b"x", b"y\x7f")]),
    ("white space before a value", [*GET, (b"x", b" y")]),
    ("white space behind a value", [*GET, (b"x", b"y\t")]),
    ("connection", [*GET, (b"connection", b"close")]),
    ("proxy-connection", [*GET, (b"proxy-connection", b"close")]),
    ("keep-alive", [*GET, (b"keep-alive", b"timeout=5")]),
    ("transfer-encoding", [*GET, (b"transfer-encoding", b"chunked")]),
    ("upgrade", [*GET, (b"upgrade", b"websocket")]),
    ("te that is more than trailers", [*GET, (b"te", b"trailers, deflate")]),
    ("two hosts", [*GET, (b"host", b"a.example:8443"), (b"host", b"a.example:8443")]),
    ("two lengths", [*GET, (b"content-length", b"1"), (b"content-length", b"1")]),
    ("a length that is none", [*GET, (b"content-length", b"+1")]),
    ("a list of lengths", [*GET, (b"content-length", b"1, 1")]),
)

#: What is as wrong in HTTP/1.1, and answered as there.
ANSWERED: tuple[tuple[str, list[Any], int], ...] = (
    ("no host", [METHOD, SCHEME, PATH], 400),
    ("an empty host", replaced(b":authority", b""), 400),
    ("somebody else's name", replaced(b":authority", b"user@a.example"), 400),
    ("a host with a path", replaced(b":authority", b"a.example/x"), 400),
    ("a host with a line end", replaced(b":authority", b"a.example\r\n"), 400),
    ("two different hosts", [*GET, (b"host", b"b.example:8443")], 400),
    ("two different ports", [*GET, (b"host", b"a.example")], 400),
    ("another scheme", replaced(b":scheme", b"ftp"), 400),
    ("a path without a slash", replaced(b":path", b"a"), 400),
    ("everything, with GET", replaced(b":path", b"*"), 400),
    ("CONNECT", [(b":method", b"CONNECT"), AUTHORITY], 405),
    ("a protocol that is not spoken", [*WEBSOCKET[:1], (b":protocol", b"connect-udp"), *GET[1:]], 501),
    ("miracles", [*GET, (b"expect", b"miracles")], 417),
)


class RefusedTests(SynchronousTestCase):
    """Heads that are not good."""

    def test_malformed(self) -> None:
        """What RFC 9113 calls malformed ends the stream."""
        for what, fields in MALFORMED:
            try:
                parse_request(fields, False)
            except MalformedMessage:
                continue
            self.fail(what)

    def test_answered(self) -> None:
        """What HTTP/1.1 could say as wrongly is answered with the same status."""
        for what, fields, status in ANSWERED:
            error = self.assertRaises(BadRequest, parse_request, fields, False)
            self.assertEqual(error.status, status, what)

    def test_length_without_body(self) -> None:
        """A length that no body follows is malformed."""
        self.assertRaises(MalformedMessage, parse_request, [*GET, (b"content-length", b"5")], True)


class TrailerTests(SynchronousTestCase):
    """What stands behind a body."""

    def test_kept(self) -> None:
        """Fields of the message pass; what would change it after the fact does not."""
        fields = [(b"grpc-status", b"0"), (b"content-length", b"7"), (b"authorization", b"x"), (b"x-sum", b"1")]
        self.assertEqual(parse_trailers(fields), [(b"grpc-status", b"0"), (b"x-sum", b"1")])

    def test_refused(self) -> None:
        """They are as strict as heads, have no pseudo-header fields, and a bound."""
        for fields in (
            [(b":path", b"/")],
            [(b"X", b"y")],
            [(b"x", b"y\r\n")],
            [(b"connection", b"close")],
            [(b"x", b"y" * 17 * 1024)],
        ):
            self.assertRaises(MalformedMessage, parse_trailers, fields)


class ResponseTests(SynchronousTestCase):
    """Responses on their way out."""

    def fields(self, block: bytes) -> list[Any]:
        return [tuple(field) for field in Decoder().decode(block, raw=True)]

    def test_head(self) -> None:
        """Names are in lower case, values without white space around, and the length comes last."""
        block = response_block(200, [(b"Content-Type", b" text/plain "), (b"X-Y", b"")], 5)
        self.assertEqual(
            self.fields(block),
            [(b":status", b"200"), (b"content-type", b"text/plain"), (b"x-y", b""), (b"content-length", b"5")],
        )

    def test_connection_fields(self) -> None:
        """What speaks of the service's connection stays behind."""
        names = (b"Connection", b"Keep-Alive", b"Proxy-Connection", b"Transfer-Encoding", b"Upgrade")
        self.assertEqual(self.fields(response_block(204, [(n, b"x") for n in names])), [(b":status", b"204")])

    def test_smuggled(self) -> None:
        """A field that is not what it seems is refused, from wherever it comes."""
        for field in ((b"a\r\nb", b"c"), (b"a", b"b\r\nc: d"), (b"a b", b"c"), (b":status", b"500"), (b"a", b"\x00")):
            self.assertRaises(MalformedMessage, response_block, 200, [field])

    def test_trailers(self) -> None:
        """Trailers are written likewise, without what has no place there."""
        block = trailer_block([(b"Grpc-Status", b"0"), (b"Content-Length", b"3")])
        self.assertEqual(self.fields(block), [(b"grpc-status", b"0")])
        self.assertEqual(trailer_block([(b"Content-Length", b"3")]), b"")
