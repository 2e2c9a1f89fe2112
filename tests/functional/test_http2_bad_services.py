"""
Services that speak HTTP/2 and mean harm: their visitors get a 502, and the server does not notice otherwise.
"""

from __future__ import annotations

import socket
import struct
from http.client import HTTPException
from typing import Callable, Iterator

from tests.functional.case import EdgeTestCase
from tests.functional.clients import fetch, open_tls
from tests.functional.service import Service

DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 5, 6, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4

#: ``:status: 200`` as a header block.
OK = b"\x88"

#: Megabytes by which the server may grow.
GROWTH = 30


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def field(name: bytes, value: bytes) -> bytes:
    """A literal field."""
    return b"\0" + bytes((len(name),)) + name + bytes((len(value),)) + value


Attack = Callable[[], Iterator[bytes]]


def attacking(attack: Attack) -> Callable[[socket.socket], None]:
    """A service that waits for a request, and then sends this until it is cut off, and reads nothing."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(frame(SETTINGS, 0, 0))
        received = b""
        while b"x-forwarded-for" not in received:
            data = connection.recv(65536)
            if not data:
                return
            received += data
        for piece in attack():
            connection.sendall(piece)
        while connection.recv(65536):
            pass

    return talk


def forever(*pieces: bytes) -> Attack:
    """The first ones once, the last one again and again."""

    def attack() -> Iterator[bytes]:
        yield from pieces[:-1]
        many = pieces[-1] * max(1, 65536 // len(pieces[-1]))
        for _ in range(4000):
            yield many

    return attack


def once(*pieces: bytes) -> Attack:
    """These."""
    return lambda: iter(pieces)


FLOODS = {
    "pings": forever(frame(PING, 0, 0, bytes(8))),
    "settings": forever(frame(SETTINGS, 0, 0, b"\0\4\0\0\0\1" * 60)),
    "windows": forever(frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1")),
    "empty data": forever(frame(HEADERS, END_HEADERS, 1, OK), frame(DATA, 0, 1)),
    "continuations": forever(frame(HEADERS, 0, 1, OK), frame(CONTINUATION, 0, 1, bytes(16384))),
    "empty continuations": forever(frame(HEADERS, 0, 1), frame(CONTINUATION, 0, 1)),
    "informational": forever(frame(HEADERS, END_HEADERS, 1, field(b":status", b"103") + field(b"link", b"x" * 100))),
    "unknown frames": forever(frame(0x77, 0, 0, bytes(100))),
    "resets": forever(frame(RST_STREAM, 0, 1, b"\0\0\0\7")),
}

MESSAGES = {
    "push": once(frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + OK)),
    "bomb": once(frame(HEADERS, END_HEADERS, 1, OK + b"\x90" * 16000)),
    "table": once(frame(HEADERS, END_HEADERS, 1, b"\x3f\xe1\x1f" + OK)),
    "status twice": once(frame(HEADERS, 5, 1, OK + OK)),
    "no status": once(frame(HEADERS, 5, 1, field(b"a", b"b"))),
    "upper case": once(frame(HEADERS, 5, 1, OK + field(b"Server", b"b"))),
    "line end": once(frame(HEADERS, 5, 1, OK + field(b"a", b"b\r\nset-cookie: c=d"))),
    "line end in a name": once(frame(HEADERS, 5, 1, OK + field(b"a: b\r\nset-cookie", b"c=d"))),
    "zero": once(frame(HEADERS, 5, 1, OK + field(b"a", b"b\0"))),
    "transfer-encoding": once(frame(HEADERS, 5, 1, OK + field(b"transfer-encoding", b"chunked"))),
    "connection": once(frame(HEADERS, 5, 1, OK + field(b"connection", b"close"))),
    "two lengths": once(frame(HEADERS, 5, 1, OK + field(b"content-length", b"0") + field(b"content-length", b"1"))),
    "too short": once(frame(HEADERS, 5, 1, OK + field(b"content-length", b"7"))),
    "101": once(frame(HEADERS, 5, 1, field(b":status", b"101"))),
    "body first": once(frame(DATA, 1, 1, b"hello")),
    "other stream": once(frame(HEADERS, 5, 7, OK)),
    "large frame": once(frame(DATA, 0, 1, bytes(20000))),
    "goaway": once(frame(GOAWAY, 0, 0, bytes(8))),
}


class BadServiceTests(EdgeTestCase):
    """One attack after the other."""

    seconds = 240

    def attacked(self, name: str, attack: Attack) -> int:
        """The status that a visitor gets; 0 if the answer breaks."""
        service = self.serve(Service(attacking(attack)))
        try:
            url = self.publish(service, command="http --upstream-protocol http2")
            return fetch(self.edge, url).status
        except (OSError, HTTPException):
            return 0
        finally:
            service.close()

    def test_messages(self) -> None:
        """A response that is none is a 502, or a 503 where the service only says goodbye each time."""
        for name, attack in MESSAGES.items():
            self.assertEqual(self.attacked(name, attack), 503 if name == "goaway" else 502, name)

    def test_floods(self) -> None:
        """Whoever floods is cut off, and the server stays as large as it was."""
        self.attacked("warm", MESSAGES["push"])
        before = self.edge.resident_megabytes()
        for name, attack in FLOODS.items():
            began = self.edge.cpu_seconds()
            status = self.attacked(name, attack)
            self.assertNotEqual(status, 200, name)
            self.assertLess(self.edge.cpu_seconds() - began, 10, name)
        self.assertLess(self.edge.resident_megabytes() - before, GROWTH)

    def test_stuck(self) -> None:
        """A service that never opens its window makes its visitor wait, and holds next to nothing of what it sends."""

        def talk(connection: socket.socket) -> None:
            connection.sendall(frame(SETTINGS, 0, 0))
            while connection.recv(65536):
                pass

        url = self.publish(self.serve(Service(talk)), command="http --upstream-protocol http2")
        before = self.edge.resident_megabytes()
        name = url.partition("://")[2].partition(":")[0]
        connections = []
        for _ in range(10):
            connection = open_tls(self.edge, name)
            self.addCleanup(connection.close)
            connection.settimeout(0.5)
            connection.sendall(f"POST / HTTP/1.1\r\nHost: {name}\r\nContent-Length: 100000000\r\n\r\n".encode())
            try:
                for _ in range(1000):
                    connection.sendall(bytes(100000))
            except TimeoutError:
                connections.append(connection)
        self.assertEqual(len(connections), 10)
        self.assertLess(self.edge.resident_megabytes() - before, GROWTH)
