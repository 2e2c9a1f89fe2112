"""
Tests for ``ngrok_twisted.upstream.http2_fields``.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.upstream.chunked import MAX_TRAILERS
from ngrok_twisted.upstream.http2_fields import read_trailers, request_block, response_head, trailers_block
from ngrok_twisted.upstream.http2_frames import StreamBroken
from ngrok_twisted.upstream.http2_hpack import decode, encode
from ngrok_twisted.upstream.syntax import MalformedMessage
from ngrok_twisted.wrapper import HeadEdit

OURS = [(b"x-forwarded-for", b"1.2.3.4"), (b"x-forwarded-proto", b"https"), (b"x-forwarded-host", b"a.example")]


def request(*fields: tuple[bytes, bytes], **changed: Any) -> list[tuple[bytes, bytes]]:
    """The fields of a request's block."""
    options: dict[str, Any] = {
        "scheme": b"http",
        "host": b"a.example",
        "rewritten_host": b"",
        "peer": b"1.2.3.4",
        "proto": b"https",
        "length": 0,
        "expects_continue": False,
        **changed,
    }
    method, target = options.pop("method", b"GET"), options.pop("target", b"/")
    return decode(request_block(method, target, list(fields), **options))


class RequestTests(SynchronousTestCase):
    """Heads for services."""

    def test_pseudo(self) -> None:
        """What HTTP/1.1 has in its first line and in ``Host`` stands in front."""
        self.assertEqual(
            request(method=b"PUT", target=b"/a?b", scheme=b"https")[:4],
            [(b":method", b"PUT"), (b":scheme", b"https"), (b":path", b"/a?b"), (b":authority", b"a.example")],
        )

    def test_fields(self) -> None:
        """The visitor's fields pass in order, in lower case, without what speaks of a connection."""
        self.assertEqual(
            request(
                (b"Host", b"a.example"),
                (b"B", b" 1 "),
                (b"Connection", b"close"),
                (b"Keep-Alive", b"5"),
                (b"Transfer-Encoding", b"chunked"),
                (b"Upgrade", b"h2c"),
                (b"HTTP2-Settings", b"x"),
                (b"TE", b"gzip, trailers"),
                (b"A", b"2"),
                (b"b", b"3"),
            )[4:],
            [(b"b", b"1"), (b"te", b"trailers"), (b"a", b"2"), (b"b", b"3"), *OURS],
        )

    def test_forwarded(self) -> None:
        """What the visitor says of where it comes from stands in front of what we say."""
        sent = [(b"X-Forwarded-For", b"9.9.9.9"), (b"X-Forwarded-Proto", b"http"), (b"X-Forwarded-Host", b"b.example")]
        self.assertEqual(
            request(*sent)[4:],
            [
                (b"x-forwarded-for", b"9.9.9.9, 1.2.3.4"),
                (b"x-forwarded-proto", b"http, https"),
                (b"x-forwarded-host", b"b.example"),
            ],
        )

    def test_length(self) -> None:
        """A length is told if it is known; that there is no body is told if the visitor told it."""
        self.assertIn((b"content-length", b"7"), request(length=7))
        self.assertNotIn(b"content-length", dict(request(length=None)))
        self.assertNotIn(b"content-length", dict(request(length=0)))
        self.assertIn((b"content-length", b"0"), request((b"Content-Length", b"0"), length=0))

    def test_expect(self) -> None:
        """A visitor that waits for 100 makes the service say it."""
        self.assertIn((b"expect", b"100-continue"), request((b"Expect", b"100-continue"), expects_continue=True))

    def test_edits(self) -> None:
        """Modules remove what they name, also what the edge adds, add theirs and set the host."""
        edit = HeadEdit(frozenset([b"x-forwarded-for", b"a"]), [(b"X-Mine", b"1")], b"b.example")
        fields = request((b"A", b"1"), (b"C", b"2"), edit=edit)
        self.assertEqual(fields[3], (b":authority", b"b.example"))
        self.assertEqual(fields[4:], [(b"c", b"2"), *OURS[1:], (b"x-mine", b"1")])

    def test_websocket(self) -> None:
        """A WebSocket is asked for with an extended CONNECT, without the handshake of HTTP/1.1."""
        fields = request((b"Sec-WebSocket-Key", b"x"), (b"Sec-WebSocket-Version", b"13"), websocket=True)
        self.assertEqual(
            [value for name, value in fields if name in (b":method", b":protocol")], [b"CONNECT", b"websocket"]
        )
        self.assertNotIn(b"sec-websocket-key", dict(fields))
        self.assertIn((b"sec-websocket-version", b"13"), fields)

    def test_no_host(self) -> None:
        """HTTP/1.0 may come without a host."""
        self.assertNotIn(b":authority", dict(request(host=b"")))

    def test_injection(self) -> None:
        """What has no place in a field is refused, and never sent."""
        for field in (
            (b"a b", b"c"),
            (b"a:", b"c"),
            (b":path", b"/"),
            (b"", b"c"),
            (b"a", b"b\r\nc: d"),
            (b"a", b"b\0"),
        ):
            with self.assertRaises(MalformedMessage):
                request(field)
            with self.assertRaises(MalformedMessage):
                request(edit=HeadEdit(added=[field]))
        for changed in ({"target": b"/\r\n"}, {"host": b"a\0"}, {"method": b"G\nET"}):
            with self.assertRaises(MalformedMessage):
                request(**changed)

    def test_trailers(self) -> None:
        """Trailers pass without what must not stand there."""
        block = trailers_block([(b"X-Sum", b"1"), (b"Content-Length", b"5"), (b"Host", b"b")])
        self.assertEqual(decode(block), [(b"x-sum", b"1")])
        with self.assertRaises(MalformedMessage):
            trailers_block([(b"a", b"\n")])


class ResponseTests(SynchronousTestCase):
    """Heads of services."""

    def test_head(self) -> None:
        """Fields pass in order, the length is known, and HTTP/1.1 gets a reason."""
        head = response_head(
            encode([(b":status", b"404"), (b"b", b" 1 "), (b"content-length", b"12"), (b"set-cookie", b"x")]), b"GET"
        )
        self.assertEqual((head.status, head.reason, head.length, head.bodiless), (404, b"Not Found", 12, False))
        self.assertEqual(head.headers, [(b"b", b"1"), (b"set-cookie", b"x")])

    def test_each_gets_its_own(self) -> None:
        """A head that a filter changes is not another's."""
        block = encode([(b":status", b"200"), (b"a", b"b")])
        response_head(block, b"GET").headers.clear()
        self.assertEqual(response_head(block, b"GET").headers, [(b"a", b"b")])

    def test_bodiless(self) -> None:
        """HEAD, 1xx, 204 and 304 have no body; where no length can be told, none is."""
        for method, status, length in ((b"HEAD", b"200", 3), (b"GET", b"304", 3), (b"GET", b"204", None)):
            head = response_head(encode([(b":status", status), (b"content-length", b"3")]), method)
            self.assertEqual((head.bodiless, head.length), (True, length))

    def test_broken(self) -> None:
        """What is not the head of a response breaks its stream."""
        good = (b":status", b"200")
        for fields in (
            [],
            [(b"a", b"b")],
            [(b"a", b"b"), good],
            [good, good],
            [good, (b":path", b"/")],
            [(b":status", b"20")],
            [(b":status", b"600")],
            [(b":status", b"+20")],
            [(b":status", b"101")],
            [good, (b"A", b"b")],
            [good, (b"a b", b"c")],
            [good, (b"a:", b"c")],
            [good, (b"", b"c")],
            [good, (b"a", b"b\r\nc: d")],
            [good, (b"a", b"b\0")],
            [good, (b"connection", b"close")],
            [good, (b"keep-alive", b"5")],
            [good, (b"proxy-connection", b"x")],
            [good, (b"transfer-encoding", b"chunked")],
            [good, (b"upgrade", b"x")],
            [good, (b"content-length", b"x")],
            [good, (b"content-length", b"-1")],
            [good, (b"content-length", b"1"), (b"content-length", b"1")],
        ):
            with self.assertRaises(StreamBroken):
                response_head(encode(fields), b"GET")

    def test_trailers(self) -> None:
        """Trailers pass without what must not stand there; pseudo-headers and too many break the stream."""
        self.assertEqual(
            read_trailers(encode([(b"grpc-status", b"0"), (b"content-length", b"5"), (b"set-cookie", b"x")])),
            [(b"grpc-status", b"0")],
        )
        for fields in ([(b":status", b"200")], [(b"a", b"x" * MAX_TRAILERS)], [(b"connection", b"x")]):
            with self.assertRaises(StreamBroken):
                read_trailers(encode(fields))
