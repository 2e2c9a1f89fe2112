"""
Visitors of HTTP/2 that break the protocol or waste what others need: on a running server, with bytes that no library
would send. It ends their requests or their connection, with the right code, and costs others nothing. What needs no
server is in ``tests/edge/test_http2_attacks.py``; heads that lie are in ``test_bad_h2_heads.py``, services in
``test_http2_bad_services.py``.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Sequence

from h2.errors import ErrorCodes

from ngrok_twisted.upstream.http2_frames import PREFACE, header_frames
from tests.functional.clients import open_tcp, open_tls, tls_context
from tests.functional.http_case import HTTPTestCase
from tests.functional.rude_h2 import (
    CONTINUATION,
    DATA,
    END_STREAM,
    HEADERS,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Rude,
    frame,
    number,
)
from tests.functional.test_live_changes import LiveCase

MEGABYTE = 1024 * 1024

#: How often a connection may make the edge begin something for nothing; see ``ngrok_twisted.edge.http2_patience``.
MOST_RESETS = 250

#: Megabytes by which the server may grow for one visitor that takes nothing: SSH adds a window of 256 KiB for each, see `SSHLimits`.
GROWTH = 90


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
        field = ("x-bomb", "x" * 3000)
        visitor.ask(1, visitor.head("/bomb", "GET", field))
        block = visitor.encoder.encode(visitor.head("/bomb")) + 250 * visitor.encoder.encode([field])
        self.assertLess(len(block), 300)
        for stream in range(3, 203, 2):
            visitor.send(frame(HEADERS, 5, stream, block))
        self.told_off(visitor, ErrorCodes.ENHANCE_YOUR_CALM)
        self.assertLess(self.asked("/bomb"), 4)

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
