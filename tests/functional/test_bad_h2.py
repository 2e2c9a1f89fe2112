"""
Visitors of HTTP/2 that break the protocol, lie, or waste: on a running server, with bytes that no library would send. What one of
them does ends its request or its connection, with the right code, and costs others nothing. What needs no server is in
``tests/edge/test_http2_attacks.py``, what services do in ``tests/functional/test_http2_bad_services.py``.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from typing import Any, Callable, Sequence

from h2.errors import ErrorCodes
from hpack import Decoder, Encoder

from ngrok_twisted.upstream.http2_frames import PREFACE, header_frames
from tests.functional.clients import open_tcp, open_tls, tls_context
from tests.functional.edge import Edge
from tests.functional.http_case import HTTPTestCase
from tests.functional.service import PATIENCE, Service, say
from tests.functional.test_live_changes import LiveCase

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS = 1, 4

MEGABYTE = 1024 * 1024

#: How often a connection may make the edge begin something for nothing; see ``ngrok_twisted.edge.http2_patience``.
MOST_RESETS = 250

#: Megabytes by which the server may grow for one visitor that takes nothing: see ``Channel.WINDOW`` for what SSH adds.
GROWTH = 260

Fields = list[tuple[str, str]]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def number(value: int) -> bytes:
    """Four bytes."""
    return struct.pack(">I", value)


class Answer:
    """
    What came on one stream.

    :ivar status: of the last head that has one; 0 before it.
    :ivar over: the stream has ended, or was reset with the code ``reset``.
    """

    def __init__(self) -> None:
        self.status = 0
        self.fields: dict[bytes, bytes] = {}
        self.body = b""
        self.over = False
        self.reset: int | None = None

    @property
    def end(self) -> int | ErrorCodes:
        """The status, or the code of the reset."""
        return self.status if self.reset is None else ErrorCodes(self.reset)


class Rude:
    """
    A visitor that says what it likes, and reads what it gets without judging.

    :ivar answers: by the number of the stream.
    :ivar goaway: the code of the last GOAWAY.
    :ivar acknowledged: pings that were answered.
    """

    def __init__(self, edge: Edge, host: str, settings: bytes = b"", hello: bool = True) -> None:
        self.host = host
        self.socket = open_tls(edge, host, context=tls_context(edge, ("h2",)))
        self.encoder, self._decoder = Encoder(), Decoder()
        self.answers: dict[int, Answer] = {}
        self.goaway: int | None = None
        self.acknowledged = 0
        self.closed = False
        self._received = b""
        if hello:
            self.send(PREFACE, frame(SETTINGS, 0, 0, settings), frame(WINDOW_UPDATE, 0, 0, number(2**30)))

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def send(self, *pieces: bytes) -> None:
        """Send bytes; an edge that has hung up is no error here."""
        try:
            self.socket.sendall(b"".join(pieces))
        except OSError:
            self.closed = True

    def head(self, path: str = "/", method: str = "GET", *fields: tuple[str, str], authority: str = "") -> Fields:
        """An ordinary head."""
        authority = authority or self.host
        return [(":method", method), (":scheme", "https"), (":authority", authority), (":path", path), *fields]

    def headers(self, stream: int, fields: Fields, end: bool = True) -> bytes:
        """A HEADERS frame."""
        return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, self.encoder.encode(fields))

    def ask(self, stream: int, fields: Fields, body: bytes | None = None) -> Answer:
        """A request, and what became of it."""
        data = b"" if body is None else frame(DATA, END_STREAM, stream, body)
        self.send(self.headers(stream, fields, body is None), data)
        self.wait(lambda: self.answer(stream).over)
        return self.answer(stream)

    def answer(self, stream: int) -> Answer:
        """What came on a stream so far."""
        return self.answers.setdefault(stream, Answer())

    def wait(self, done: Callable[[], Any], seconds: float = 20) -> None:
        """Read until something is true, or the edge has hung up, or said that it will."""
        end = time.monotonic() + seconds
        while not done() and not self.closed and self.goaway is None:
            left = end - time.monotonic()
            assert left > 0, {stream: (answer.end, len(answer.body)) for stream, answer in self.answers.items()}
            self.read(left)

    def read(self, seconds: float) -> bool:
        """Read once; whether anything came."""
        if not self.socket.pending() and not select.select([self.socket], [], [], seconds)[0]:
            return False
        try:
            data = self.socket.recv(65536)
        except OSError:
            data = b""
        self.closed = self.closed or not data
        self._received += data
        while len(self._received) >= 9:
            size = 9 + int.from_bytes(self._received[:3], "big")
            if len(self._received) < size:
                break
            one, self._received = self._received[:size], self._received[size:]
            self._note(one[3], one[4], int.from_bytes(one[5:9], "big"), one[9:])
        return bool(data)

    def _note(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        answer = self.answer(stream)
        if kind == SETTINGS and not flags:
            self.send(frame(SETTINGS, 1, 0))
        elif kind == PING:
            self.acknowledged += flags
        elif kind == GOAWAY:
            self.goaway = int.from_bytes(payload[4:8], "big")
        elif kind == RST_STREAM:
            answer.over, answer.reset = True, int.from_bytes(payload, "big")
        elif kind == HEADERS:
            answer.fields.update(self._decoder.decode(payload, raw=True))
            answer.status = int(answer.fields[b":status"])
        elif kind == DATA:
            answer.body += payload
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            answer.over = True


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


class BadCase(HTTPTestCase):
    """A service, and rude visitors."""

    def rude(self, host: str = "", **options: Any) -> Rude:
        """A new connection."""
        visitor = Rude(self.edge, host or self.host, **options)
        self.addCleanup(visitor.close)
        return visitor

    def told_off(self, visitor: Rude, *codes: int) -> None:
        """The connection was ended with one of these codes, or cut where the visitor would not listen."""
        visitor.wait(lambda: False)
        if visitor.goaway is not None:
            self.assertIn(visitor.goaway, codes)

    def asked(self, target: str) -> int:
        """How many requests the service has got for this."""
        return len([asked for asked in list(self.service.asked) if asked.target == target])


class ResetTests(BadCase):
    """Requests that come to nothing."""

    def test_made_you_reset(self) -> None:
        """Each way to make the edge drop what it has begun ends the connection, before the service has seen many."""
        ways: Sequence[Callable[[Rude, int], bytes]] = (
            lambda v, n: frame(RST_STREAM, 0, n, number(ErrorCodes.CANCEL)),
            lambda v, n: frame(WINDOW_UPDATE, 0, n, number(0)),
            lambda v, n: frame(WINDOW_UPDATE, 0, n, number(2**31 - 1)),
            lambda v, n: frame(DATA, END_STREAM, n) + frame(DATA, 0, n, b"x"),
            lambda v, n: frame(DATA, END_STREAM, n) + v.headers(n, v.head()),
            lambda v, n: v.headers(n, [(":path", "/")]),
            lambda v, n: v.headers(n, [("a", "b")], end=False),
            lambda v, n: frame(PRIORITY, 0, n, number(n) + b"\0"),
            lambda v, n: frame(PRIORITY, 0, n, number(n)),
            lambda v, n: frame(RST_STREAM, 0, n, b"\0"),
            lambda v, n: frame(WINDOW_UPDATE, 0, n, b"\0"),
            lambda v, n: frame(DATA, 8, n, b"\x09x"),
        )
        for way in ways:
            self.service.asked.clear()
            visitor = self.rude()
            for stream in range(1, 1001, 2):
                visitor.send(visitor.headers(stream, visitor.head("/wait", "POST"), end=False), way(visitor, stream))
            self.told_off(visitor, *_ENDS)
            self.assertLess(self.asked("/wait"), MOST_RESETS)

    def test_heads_of_the_dead(self) -> None:
        """Heads on a stream that is over are read and answered for a moment, and not for ever."""
        visitor = self.rude()
        visitor.send(visitor.headers(1, visitor.head("/wait")), frame(RST_STREAM, 0, 1, number(ErrorCodes.CANCEL)))
        for _ in range(100):
            visitor.send(visitor.headers(1, visitor.head("/wait")) * 100)
        self.told_off(visitor, ErrorCodes.ENHANCE_YOUR_CALM)

    def test_too_many(self) -> None:
        """Twice as many requests as may be open: one half is refused, and can be sent again; the other is answered."""
        visitor = self.rude()
        streams = range(1, 401, 2)
        visitor.send(*[visitor.headers(stream, visitor.head("/wait")) for stream in streams])
        visitor.wait(lambda: sum(visitor.answer(stream).over for stream in streams) == 100)
        self.service.gate.set()
        visitor.wait(lambda: all(visitor.answer(stream).over for stream in streams))
        ends = [visitor.answer(stream).end for stream in streams]
        self.assertEqual(ends, [200] * 100 + [ErrorCodes.REFUSED_STREAM] * 100)


#: How a connection may be ended for what a visitor does wrong.
_ENDS = (
    ErrorCodes.PROTOCOL_ERROR,
    ErrorCodes.STREAM_CLOSED,
    ErrorCodes.FRAME_SIZE_ERROR,
    ErrorCodes.FLOW_CONTROL_ERROR,
    ErrorCodes.ENHANCE_YOUR_CALM,
)


class FloodTests(BadCase):
    """Frames, heads and windows that are made to hurt."""

    def test_floods(self) -> None:
        """Whatever is sent without end ends the connection, while others are answered."""
        floods = (
            frame(PING, 0, 0, bytes(8)),
            frame(SETTINGS, 0, 0, b"\0\4\0\0\xff\xff"),
            frame(SETTINGS, 0, 0, b"\0\4\0\0\xff\xff" * 2000),
            frame(DATA, 0, 1),
            frame(DATA, 8, 1, b"\0"),
            frame(PRIORITY, 0, 3, bytes(5)),
            frame(0x77, 0, 0, bytes(100)),
            frame(WINDOW_UPDATE, 0, 1, number(1)),
            frame(HEADERS, 0, 3, b"\x82") + frame(CONTINUATION, 0, 3) * 10_000,
            frame(HEADERS, 0, 3, b"\x82") + frame(CONTINUATION, 0, 3, bytes(16_384)) * 70,
        )
        other = self.rude()
        for stream, flood in enumerate(floods):
            visitor = self.rude()
            visitor.send(visitor.headers(1, visitor.head("/wait", "POST"), end=False))
            for _ in range(10):
                visitor.send(flood * (300 if len(flood) < 1000 else 1))
            self.assertEqual(other.ask(2 * stream + 1, other.head()).end, 200)
            self.told_off(visitor, ErrorCodes.ENHANCE_YOUR_CALM, ErrorCodes.PROTOCOL_ERROR)

    def test_bombs(self) -> None:
        """Heads that are a thousand times as long as what was sent of them do not reach the service."""
        visitor = self.rude()
        field = ("x-bomb", "x" * 4000)
        visitor.ask(1, visitor.head("/", "GET", field))
        reference = visitor.encoder.encode([field])
        for stream in range(3, 203, 2):
            visitor.send(frame(HEADERS, 5, stream, visitor.encoder.encode(visitor.head("/bomb")) + reference * 250))
        self.told_off(visitor, ErrorCodes.ENHANCE_YOUR_CALM)
        self.assertLess(self.asked("/bomb"), 3)

    def test_compression(self) -> None:
        """What cannot be decompressed ends the connection."""
        for block in (
            b"\x80",
            b"\xff\x80\x01",
            b"\xff" + b"\x80" * 50 + b"\x01",
            b"\x3f\xff\xff\xff\xff\x7f\x82",
            b"\x82\x20\x84",
            b"\x40\x7f\xff\xff\xff\xff\x0f",
            b"\x40\x81\xff\x81\xff",
            b"\x40\x84\xff\xff\xff\xff\x00",
        ):
            visitor = self.rude()
            visitor.send(frame(HEADERS, 5, 1, block))
            self.told_off(visitor, ErrorCodes.COMPRESSION_ERROR)

    def test_limits(self) -> None:
        """A head at its limits passes, one beyond them is answered 431, and one far beyond them ends the connection."""
        cases = ((b"\0\1a\0" * 990, 200), (b"\0\1a\0" * 1010, 431), (b"\0\1a\0" * 2010, None))
        for more, end in cases:
            visitor = self.rude()
            visitor.send(*header_frames(1, visitor.encoder.encode(visitor.head()) + more, True, 16_384))
            visitor.wait(lambda: visitor.answer(1).over)
            self.assertEqual((visitor.answer(1).end or None, visitor.goaway), (end, None if end else 11))

    def test_shut_windows(self) -> None:
        """A hundred downloads of 100 MB that nobody takes: little is kept of them, and it is given back."""
        before = self.edge.resident_megabytes()
        visitor, other = self.rude(settings=b"\0\4" + number(0)), self.rude()
        for stream in range(1, 201, 2):
            visitor.send(visitor.headers(stream, visitor.head(f"/size/{100 * MEGABYTE}")))
        for turn in range(5):
            self.assertEqual(other.ask(2 * turn + 1, other.head()).end, 200)
            time.sleep(0.2)
        self.assertLess(self.edge.resident_megabytes() - before, GROWTH)
        visitor.send(*[frame(WINDOW_UPDATE, 0, 1, number(1))] * 200)
        visitor.wait(lambda: len(visitor.answer(1).body) == 200)

    def test_crumbs(self) -> None:
        """Bodies that come two bytes at a time, and that nobody takes, cost what they are long."""
        before = self.edge.resident_megabytes()
        visitor = self.rude()
        for stream in range(1, 41, 2):
            head = visitor.headers(stream, visitor.head("/wait", "POST", ("content-length", "10000000")), end=False)
            visitor.send(head, frame(DATA, 0, stream, b"xy") * 32_000)
        visitor.send(frame(PING, 0, 0, bytes(8)))
        visitor.wait(lambda: visitor.acknowledged)
        self.assertLess(self.edge.resident_megabytes() - before, 60)


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


class VersionTests(BadCase):
    """Who says one version and speaks another."""

    def test_versions(self) -> None:
        """HTTP/1.1 after ALPN h2 ends the connection; HTTP/2 where HTTP/1.1 was agreed on is answered 505."""
        visitor = self.rude(hello=False)
        visitor.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.told_off(visitor, ErrorCodes.PROTOCOL_ERROR)
        for alpn in (("http/1.1",), ()):
            connection = open_tls(self.edge, self.host, context=tls_context(self.edge, alpn))
            self.addCleanup(connection.close)
            connection.sendall(PREFACE + frame(SETTINGS, 0, 0))
            self.assertTrue(self.read_until(connection, b"\r\n").startswith(b"HTTP/1.1 505 "))
        plain = open_tcp(self.edge.http)
        self.addCleanup(plain.close)
        plain.sendall(PREFACE + frame(SETTINGS, 0, 0))
        self.assertTrue(self.read_until(plain, b"\r\n").startswith(b"HTTP/1.1 505 "))

    def test_half_prefaces(self) -> None:
        """Hundreds of visitors in the middle of the preface cost little, and others are answered."""
        before = self.edge.resident_megabytes()
        for _ in range(200):
            self.rude(hello=False).send(PREFACE[:12])
        visitor = self.rude()
        self.assertEqual(visitor.ask(1, visitor.head()).end, 200)
        self.assertLess(self.edge.resident_megabytes() - before, 60)


class SharedTests(LiveCase):
    """One connection for several names (RFC 9113 section 9.1.1), and edges that change under it."""

    def setUp(self) -> None:
        """Two edges under one certificate."""
        super().setUp()
        self.names = [self.domain(), self.domain()]
        self.edges = [self.https_edge(name, self.fixed(name)) for name in self.names]

    def visitor(self, host: str) -> Rude:
        """A new connection."""
        visitor = Rude(self.edge, host)
        self.addCleanup(visitor.close)
        return visitor

    def test_another_name(self) -> None:
        """A request for a name that is another edge's is sent away with 421, and the connection goes on."""
        visitor = self.visitor(self.names[0])
        for stream, (name, status) in enumerate(
            [(self.names[1], 421), (self.names[1].upper() + ".", 421), (self.names[0], 200)]
        ):
            self.assertEqual(visitor.ask(2 * stream + 1, visitor.head(authority=name)).end, status, name)

    def test_changed_while_connected(self) -> None:
        """What an edge gains applies to the next request; where the connection would not be let in now, it is ended."""
        edge, route = self.edges[0]
        visitor = self.visitor(self.names[0])
        self.assertNotIn(b"x-new", visitor.ask(1, visitor.head()).fields)
        self.api("PUT", f"{route}/response_headers", {"add": {"x-new": "1"}})
        self.assertEqual(visitor.ask(3, visitor.head()).fields[b"x-new"], b"1")
        self.api("PUT", f"{edge}/tls_termination", {"min_version": "1.3"})
        self.assertEqual(visitor.ask(5, visitor.head()).end, 421)
        self.assertEqual(visitor.goaway, ErrorCodes.NO_ERROR)
