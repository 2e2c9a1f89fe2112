"""
`Rude`: a visitor of HTTP/2 that writes its own frames, for tests of what must not be.
"""

from __future__ import annotations

import struct
import time
from typing import Any, Callable

from h2.errors import ErrorCodes
from hpack import Decoder, Encoder

from ngrok_twisted.upstream.http2_frames import PREFACE
from tests.functional.clients import open_tls, tls_context
from tests.functional.edge import Edge
from tests.functional.service import PATIENCE

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS = 1, 4

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
        self.socket.settimeout(PATIENCE)
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
        """Read until something is true, or the edge has hung up, or said that it will, and not politely."""
        end = time.monotonic() + seconds
        while not done() and not self.closed and not self.goaway:
            left = end - time.monotonic()
            assert left > 0, {stream: (answer.end, len(answer.body)) for stream, answer in self.answers.items()}
            self.read(left)

    def read(self, seconds: float) -> bool:
        """Read once; whether anything came."""
        self.socket.settimeout(seconds)  # not select: there may be more than a thousand descriptors
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            return False
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
