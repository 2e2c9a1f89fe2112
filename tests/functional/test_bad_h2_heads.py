"""
Heads, bodies and trailers of HTTP/2 that lie, on their way to a service that speaks HTTP/1.1 and shows the very bytes it
got; and answers in HTTP/1.1 that HTTP/2 cannot carry.
"""

from __future__ import annotations

import socket
from typing import Any

from h2.errors import ErrorCodes

from tests.functional.rude_h2 import DATA, Fields, frame
from tests.functional.service import Service, say
from tests.functional.test_bad_h2 import BadCase


def record(connection: socket.socket) -> None:
    """A service whose answer to a request is the very bytes of it."""
    received = b""
    while data := connection.recv(65536):
        received += data
        head, end, body = received.partition(b"\r\n\r\n")
        _, named, length = head.lower().partition(b"content-length: ")
        if b"transfer-encoding: chunked" in head.lower():
            whole = body.endswith(b"0\r\n\r\n") or b"\r\n0\r\n" in body
        else:
            whole = len(body) >= (int(length.split(b"\r\n")[0]) if named else 0)
        if end and whole:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(received) + received)
            received = b""


class HeadTests(BadCase):
    """Heads that lie, seen by a service that shows the very bytes it got."""

    def setUp(self) -> None:
        """Publish that service."""
        super().setUp()
        self.recorder = self.new_name()
        self.publish(self.serve(Service(record)), self.recorder)

    def outcome(self, fields: Fields, body: bytes | None = None) -> Any:
        """The status or the code, and what the service saw."""
        answer = self.rude(self.recorder).ask(1, fields, body)
        return answer.end, answer.body if answer.status == 200 else b""

    def head(self, name: str, value: str, method: str = "GET") -> Fields:
        """A head in which one pseudo-header field is another, or which has one more field."""
        head: Fields = [(":method", method), (":scheme", "https"), (":authority", self.recorder), (":path", "/")]
        if name in dict(head):
            return [(known, value if known == name else usual) for known, usual in head]
        return [*head, (name, value)]

    def test_malformed(self) -> None:
        """What RFC 9113 calls malformed is reset, and nothing of it is seen."""
        cases = [
            *[(":method", value) for value in ("", "G ET", "GET\0", "GET /x HTTP/1.1\r\nA: b")],
            *[(":path", value) for value in ("", "/a b", "/a#b", "/a\tb", "/a\r\nX: y", "/\x80", "/ HTTP/1.1\r\n\r\n")],
            *[("a", value) for value in ("b\r\nc: d", "b\nc", "b\rc", "b\0c", " b", "b ", "\x7f", "\x01")],
            *[(name, "b") for name in ("a\r\nb", "a:b", " a", "a ", "", "A", ":", ":a", ":status", ":protocol", "é")],
            *[("connection", "close"), ("keep-alive", "1"), ("proxy-connection", "x"), ("upgrade", "h2c")],
            *[("transfer-encoding", "chunked"), ("te", "gzip"), ("te", "trailers, gzip")],
            *[("content-length", value) for value in ("5", "+5", "5, 5", "", "0x5", "-1", "9" * 30)],
        ]
        for name, value in cases:
            self.assertEqual(self.outcome(self.head(name, value)), (ErrorCodes.PROTOCOL_ERROR, b""), (name, value))

    def test_pseudo(self) -> None:
        """Pseudo-header fields stand in front, once each, and none is missing."""
        usual = self.head("a", "b")
        for fields in (
            *[[*usual[:4], usual[place], usual[4]] for place in range(4)],
            *[[field for field in usual if field[0] != name] for name in (":method", ":path", ":scheme")],
            [*usual[:3], usual[4], usual[3]],
        ):
            self.assertEqual(self.outcome(fields), (ErrorCodes.PROTOCOL_ERROR, b""), fields)

    def test_refused(self) -> None:
        """What could be said as wrongly in HTTP/1.1 is answered as there, or with the host's own name."""
        name = self.recorder
        bad = [f"u@{name}", f"{name}:99999", f"{name}:", f"{name}/x", f"{name}, {name}", f"{name}\0", f"{name} ", ""]
        cases = [
            *[(":authority", value, 400) for value in (*bad, f"{name}\r\nHost: x")],
            *[(":authority", value, 421) for value in (self.host, "127.0.0.1", "[::1]", "nobody.example")],
            *[(":scheme", value, 400) for value in ("", "ftp", "https://x", "https\r\n")],
            *[(":path", value, 400) for value in ("*", "x", f"https://{name}/")],
            *[("host", value, 400) for value in (self.host, "", f"u@{name}")],
            ("expect", "x", 417),
        ]
        for field, value, status in cases:
            self.assertEqual(self.outcome(self.head(field, value)), (status, b""), (field, value))
        for authority in (name.upper(), f"{name}.", f"{name}:443"):
            self.assertEqual(self.outcome(self.head(":authority", authority))[0], 200, authority)

    def test_connect(self) -> None:
        """CONNECT is for WebSockets, and for nothing else."""
        plain = [(":method", "CONNECT"), (":authority", self.recorder)]
        self.assertEqual(self.outcome(plain)[0], 405)
        self.assertEqual(self.outcome([*plain, (":path", "/")])[0], ErrorCodes.PROTOCOL_ERROR)
        for protocol, status in (("connect-udp", 501), ("h2c", 501), ("", 501), ("websocket", 502)):
            extended = [(":method", "CONNECT"), (":protocol", protocol), (":scheme", "https"), *plain[1:]]
            self.assertEqual(self.outcome([*extended, (":path", "/")])[0], status, protocol)

    def test_bodies(self) -> None:
        """Lengths that lie either way are reset; what looks like another request stays a body."""
        for length in ("3", "7", "0"):
            outcome = self.outcome(self.head("content-length", length, "POST"), b"hello")
            self.assertEqual(outcome, (ErrorCodes.PROTOCOL_ERROR, b""), length)
        inner = b"0\r\n\r\nGET /inner HTTP/1.1\r\n\r\n"
        for method in ("POST", "GET"):
            _, seen = self.outcome(self.head("a", "b", method), inner)
            self.assertTrue(seen.endswith(b"\r\n\r\n%x\r\n" % len(inner) + inner + b"\r\n0\r\n\r\n"), seen)

    def test_fields(self) -> None:
        """What passes is what it was: cookies in one piece, and nothing that is the edge's to say."""
        fields = [*self.head("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"), ("te", "trailers")]
        _, seen = self.outcome([*fields, ("http2-settings", "AA"), ("proxy-authorization", "x")])
        lines = seen.decode().lower().split("\r\n")
        self.assertEqual(lines[0], "get / http/1.1")
        self.assertEqual(
            [line for line in lines if line.startswith(("cookie", "te", "x:"))],
            ["x: y", "te: trailers", "cookie: a=1; b=2"],
        )
        self.assertFalse([line for line in lines if line.startswith(("http2", "proxy"))])

    def test_trailers(self) -> None:
        """Trailers are no second head."""
        passing = [("content-length", "9"), ("host", "x"), ("authorization", "x"), ("cookie", "x"), ("expect", "x")]
        broken = [(":path", "/"), ("connection", "x"), ("transfer-encoding", "chunked"), ("A", "b"), ("a", "b\r\nc: d")]
        for name, value in [*passing, *broken]:
            visitor = self.rude(self.recorder)
            visitor.send(visitor.headers(1, self.head("a", "b", "POST"), end=False), frame(DATA, 0, 1, b"hi"))
            visitor.send(visitor.headers(1, [(name, value), ("x-sum", "7")]))
            visitor.wait(lambda: visitor.answer(1).over)
            answer = visitor.answer(1)
            if (name, value) in broken:
                self.assertEqual((answer.end, answer.body), (ErrorCodes.PROTOCOL_ERROR, b""), name)
            else:
                self.assertTrue(answer.body.endswith(b"\r\n0\r\nx-sum: 7\r\n\r\n"), answer.body)


class ServiceTests(BadCase):
    """Answers in HTTP/1.1 that HTTP/2 cannot carry."""

    def test_answers(self) -> None:
        """What cannot be said is a 502; what speaks of the service's connection stays behind."""
        length = b"Content-Length: 2\r\n"
        early = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        cases = [
            *[(b"HTTP/1.1 200 OK\r\n" + length + field + b"\r\n\r\nhi", 502) for field in _WRONG],
            *[(b"HTTP/1.1 200 OK\r\n" + length + field + b"\r\n\r\nhi", 200) for field in _LEFT_BEHIND],
            *[(b"HTTP/1.1 %d Odd\r\nContent-Length: 0\r\n\r\n" % status, 502) for status in (0, 101, 600, 999)],
            (early * 1000 + b"HTTP/1.1 200 OK\r\n" + length + b"\r\nhi", 502),
            (b"HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\nabc", 204),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", ErrorCodes.INTERNAL_ERROR),
            (b"\0\0\0\4\0\0\0\0\0", 502),
        ]
        answers = iter([answer for answer, _ in cases])
        name = self.new_name()
        self.publish(self.serve(Service(lambda connection: say(next(answers))(connection))), name)
        visitor = self.rude(name)
        for turn, (said, end) in enumerate(cases):
            answer = visitor.ask(2 * turn + 1, visitor.head())
            self.assertEqual(answer.end, end, said[-80:])
            self.assertFalse({b"connection", b"keep-alive", b"upgrade", b"x-a"} & set(answer.fields), said)


_WRONG = (
    b":status: 500",
    b"A b: c",
    b"A : c",
    b": c",
    b"A: b\x01",
    b"A: b\0",
    b"A: b\rc",
    b"A: b\r\n c",
    b"\xc3\xa9: a",
)
_LEFT_BEHIND = (
    b"Connection: close, X-A\r\nX-A: 1",
    b"Keep-Alive: 5\r\nProxy-Connection: x",
    b"Connection: upgrade\r\nUpgrade: h2c",
)
