"""
`Web`: a local HTTP/1.1 service that does, path by path, all that the tests want to see through a tunnel.
"""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import BinaryIO, Iterator

from tests.functional.service import PATIENCE, Service

BLOCK = bytes(range(256)) * 256
Pairs = list[tuple[str, str]]


def pattern(size: int) -> Iterator[bytes]:
    """``size`` bytes of the pattern that `Web` sends, in blocks."""
    while size > 0:
        yield BLOCK[:size]
        size -= len(BLOCK)


def checksum(size: int) -> str:
    """The SHA-1 of `pattern`."""
    digest = hashlib.sha1()
    for block in pattern(size):
        digest.update(block)
    return digest.hexdigest()


@dataclass
class Asked:
    """
    One request, as the service got it.

    :ivar headers: in the order and the case of the wire.
    :ivar trailers: filled when the body has been read.
    """

    method: str
    target: str
    version: str
    headers: Pairs
    file: BinaryIO
    trailers: Pairs = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def body(self) -> Iterator[bytes]:
        """The body, piece by piece."""
        if "chunked" in ",".join(self.all("transfer-encoding")).lower():
            yield from self._chunks()
        else:
            left = int((self.all("content-length") or ["0"])[0])
            while left:
                data = self.file.read1(min(left, 65536))  # type: ignore[attr-defined]
                if not data:
                    raise ValueError(f"the body ended {left} bytes early")
                left -= len(data)
                yield data

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.file.readline().split(b";")[0], 16):
            data = self.file.read(size)
            if len(data) != size or self.file.readline() != b"\r\n":
                raise ValueError("a broken chunk")
            yield data
        self.trailers = _read_headers(self.file)


def _read_headers(file: BinaryIO) -> Pairs:
    pairs: Pairs = []
    while line := file.readline().rstrip(b"\r\n").decode("latin-1"):
        name, _, value = line.partition(":")
        pairs.append((name, value.strip()))
    return pairs


class Web(Service):
    """
    :ivar name: sent in ``X-Service`` with every answer.
    :ivar gate: ``/wait`` and the second half of ``/half`` answer when this is set.
    :ivar tick: each release lets ``/events`` send one more event.
    :ivar asked: every request, newest last.
    :ivar arrived: how many bytes of bodies have been read so far.
    """

    def __init__(self, name: str = "web", port: int = 0) -> None:
        self.name = name
        self.gate = threading.Event()
        self.tick = threading.Semaphore(0)
        self.asked: list[Asked] = []
        self.arrived = 0
        super().__init__(self._talk_http, port)

    def _talk_http(self, connection: socket.socket) -> None:
        file = connection.makefile("rb")
        while len(line := file.readline().decode("latin-1").split()) == 3:
            request = Asked(line[0], line[1], line[2], _read_headers(file), file)
            self.asked.append(request)
            path, _, argument = request.target.partition("?")[0].lstrip("/").partition("/")
            answer = getattr(self, "do_" + path.replace("-", "_"), self.do_)
            if answer(connection, request, argument) is False or request.all("connection") == ["close"]:
                return

    def send(
        self, connection: socket.socket, body: bytes = b"", status: str = "200 OK", headers: Pairs | None = None
    ) -> None:
        """One answer with a length."""
        head = self.head(status, [("Content-Length", str(len(body))), *(headers or [])])
        connection.sendall(head + body)

    def head(self, status: str, headers: Pairs) -> bytes:
        """The head of an answer."""
        lines = [f"HTTP/1.1 {status}", f"X-Service: {self.name}", *(f"{name}: {value}" for name, value in headers)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    # -- paths: each is called with the connection, the request and the rest of the path; False closes ---------------

    def do_(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """Anything else: a greeting."""
        for _ in request.body():
            pass
        body = b"" if request.method == "HEAD" else f"hello from {self.name}\n".encode()
        self.send(connection, body, headers=[("Content-Type", "text/plain")] if body else [])

    def do_echo(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """What the service got, as JSON."""
        digest, length = hashlib.sha1(), 0
        for data in request.body():
            digest.update(data)
            length += len(data)
            self.arrived += len(data)
        seen = {
            "method": request.method,
            "target": request.target,
            "version": request.version,
            "headers": request.headers,
            "trailers": request.trailers,
            "length": length,
            "sha1": digest.hexdigest(),
        }
        self.send(connection, json.dumps(seen).encode(), headers=[("Content-Type", "application/json")])

    def do_size(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """``/size/N``: N bytes of the pattern with a length; only the head for HEAD."""
        connection.sendall(self.head("200 OK", [("Content-Length", argument)]))
        if request.method != "HEAD":
            for block in pattern(int(argument)):
                connection.sendall(block)

    def do_chunks(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """``/chunks/N``: N chunks of 1000 bytes each, and a trailer with the count."""
        connection.sendall(self.head("200 OK", [("Transfer-Encoding", "chunked"), ("Trailer", "X-Count")]))
        for _ in range(int(argument)):
            connection.sendall(b"3e8;name=value\r\n" + BLOCK[:1000] + b"\r\n")
        connection.sendall(f"0\r\nX-Count: {argument}\r\n\r\n".encode())

    def do_until_close(self, connection: socket.socket, request: Asked, argument: str) -> bool:
        """``/until-close/N``: N bytes, ended by the end of the connection."""
        connection.sendall(self.head("200 OK", [("Connection", "close")]))
        for block in pattern(int(argument)):
            connection.sendall(block)
        return False

    def do_old(self, connection: socket.socket, request: Asked, argument: str) -> bool:
        """An answer in HTTP/1.0."""
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold\n")
        return False

    def do_short(self, connection: socket.socket, request: Asked, argument: str) -> bool:
        """A length of 1000, and 10 bytes."""
        connection.sendall(self.head("200 OK", [("Content-Length", "1000")]) + b"0123456789")
        return False

    def do_events(self, connection: socket.socket, request: Asked, argument: str) -> bool:
        """Server-sent events, one for each `tick`, for ever."""
        connection.sendall(self.head("200 OK", [("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache")]))
        number = 0
        while self.tick.acquire(timeout=PATIENCE):
            connection.sendall(f"id: {number}\ndata: event {number}\n\n".encode())
            number += 1
        return False

    def do_status(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """``/status/N``: that status; no body and no length for 204 and 304."""
        for _ in request.body():
            pass
        if argument in ("204", "304"):
            connection.sendall(self.head(f"{argument} Fine", [("ETag", '"x"')]))
        else:
            self.send(connection, b"body of %d\n" % int(argument), f"{argument} Fine")

    def do_hints(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """103 twice, then 200."""
        for link in ("</a.css>", "</b.css>"):
            connection.sendall(f"HTTP/1.1 103 Early Hints\r\nLink: {link}\r\n\r\n".encode())
        self.send(connection, b"hinted\n")

    def do_continue(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """100 as RFC 9110 section 10.1.1 wants it, then `do_echo`."""
        if request.all("expect"):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.do_echo(connection, request, argument)

    def do_early(self, connection: socket.socket, request: Asked, argument: str) -> bool:
        """A refusal before the body has been read."""
        self.send(connection, b"too much\n", "413 Content Too Large", [("Connection", "close")])
        time.sleep(0.5)
        return False

    def do_wait(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """An answer when the `gate` is open."""
        self.gate.wait(PATIENCE)
        self.send(connection, b"waited\n")

    def do_half(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """``/half/N``: half of N bytes now, the other half when the `gate` is open."""
        size = int(argument)
        connection.sendall(self.head("200 OK", [("Content-Length", argument)]) + b"a" * (size // 2))
        self.gate.wait(PATIENCE)
        connection.sendall(b"b" * (size - size // 2))

    def do_slowly(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """``/slowly/N``: N bytes, one at a time, 20 ms apart; the head as slowly."""
        for byte in self.head("200 OK", [("Content-Length", argument)]):
            connection.sendall(bytes([byte]))
            time.sleep(0.002)
        for _ in range(int(argument)):
            connection.sendall(b"s")
            time.sleep(0.02)

    def do_large_head(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """``/large-head/N``: a header with N bytes of value."""
        self.send(connection, b"large\n", headers=[("X-Large", "v" * int(argument))])

    def do_pretend(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """Headers that only the edge may send."""
        self.send(connection, b"pretended\n", headers=[("ngrok-error-code", "ERR_NGROK_1"), ("Server", "mine")])

    def do_cookies(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """Two cookies: a header that must not be joined."""
        self.send(connection, b"", headers=[("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2, c; Path=/")])

    def do_upgrade(self, connection: socket.socket, request: Asked, argument: str) -> bool:
        """Switch to whatever protocol is asked for: it echoes."""
        offer = request.all("upgrade")
        if not offer:
            self.send(connection, b"no upgrade asked\n", "426 Upgrade Required", [("Upgrade", "echo/1")])
            return True
        connection.sendall(self.head("101 Switching Protocols", [("Connection", "Upgrade"), ("Upgrade", offer[0])]))
        while data := request.file.read1(65536):  # type: ignore[attr-defined]
            connection.sendall(data)
        return False
