"""
The chunked transfer coding (RFC 9112 section 7.1), strictly read and free of I/O.
"""

from __future__ import annotations

import re
from typing import Any

from ngrok_twisted.upstream.syntax import KILOBYTE, TOKEN, Fields, MalformedMessage, parse_field_line

# A size with its extensions. Extensions mean nothing to anybody, so a longer line is an attack and not a message.
MAX_SIZE_LINE = 256

# All trailers together; gRPC's status and message need a few hundred bytes.
MAX_TRAILERS = 16 * KILOBYTE

# 15 hexadecimal digits count a petabyte and cannot overflow anybody's 64 bits.
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")

_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")

# What a trailer must not change after the fact (RFC 9110 section 6.5.1): framing, routing, authentication.
FORBIDDEN_TRAILERS = frozenset(
    b"authorization connection content-encoding content-length content-range content-type cookie expect host keep-alive "
    b"max-forwards ngrok-error-code proxy-authenticate proxy-authorization set-cookie te trailer transfer-encoding upgrade "
    b"x-forwarded-for x-forwarded-host x-forwarded-proto".split()
)

_SIZE, _DATA, _DATA_END, _TRAILERS, _FINISHED = range(5)


class ChunkedDecoder:
    """
    Takes the bytes of a chunked body and gives those of the content.

    :ivar finished: the last chunk and the trailers are complete.
    :ivar trailers: a list of ``(name, value)``, without those that a trailer must not hold.
    :ivar rest: after the end, the bytes that belong to the next message.
    """

    __slots__ = ("trailers", "rest", "_state", "_left", "_partial", "_trailer_bytes")

    def __init__(self) -> None:
        self.trailers: Fields = []
        self.rest = b""
        self._state = _SIZE
        self._left = 0
        self._partial = b""
        self._trailer_bytes = 0

    @property
    def finished(self) -> bool:
        """Whether the end was seen."""
        return self._state == _FINISHED

    def feed(self, data: bytes) -> list[Any]:
        """
        :param data: the next bytes.
        :return: the content in it: a list of ``memoryview`` objects on ``data``, none empty.
        :raises MalformedMessage: it is not chunked coding.
        """
        if self._partial:
            data = self._partial + data
            self._partial = b""
        pieces: list[Any] = []
        position, end = 0, len(data)
        while position < end and self._state != _FINISHED:
            if self._state == _DATA:
                taken = min(self._left, end - position)
                pieces.append(memoryview(data)[position : position + taken])
                position += taken
                self._left -= taken
                if not self._left:
                    self._state = _DATA_END
                continue
            line_end = data.find(b"\r\n", position)
            if line_end < 0:
                self._keep(data[position:])
                return pieces
            self._line(data[position:line_end])
            position = line_end + 2
        if self._state == _FINISHED:
            self.rest = data[position:]
        return pieces

    def _keep(self, partial: bytes) -> None:
        """A line that is not complete: bounded, and refused at once where it cannot become a good one."""
        limit = MAX_SIZE_LINE if self._state == _SIZE else 1 if self._state == _DATA_END else MAX_TRAILERS
        if len(partial) > limit + 1 or b"\n" in partial or (self._state == _DATA_END and partial != b"\r"):
            raise MalformedMessage("invalid chunk")
        self._partial = partial

    def _line(self, line: bytes) -> None:
        if self._state == _SIZE:
            self._size_line(line)
        elif self._state == _DATA_END:
            if line:
                raise MalformedMessage("chunk longer than its size")
            self._state = _SIZE
        elif line:
            self._trailer_line(line)
        else:
            self._state = _FINISHED

    def _size_line(self, line: bytes) -> None:
        match = _SIZE_LINE.fullmatch(line)
        if match is None or len(line) > MAX_SIZE_LINE:
            raise MalformedMessage("invalid chunk size")
        self._left = int(match[1], 16)
        self._state = _DATA if self._left else _TRAILERS

    def _trailer_line(self, line: bytes) -> None:
        self._trailer_bytes += len(line) + 2
        if self._trailer_bytes > MAX_TRAILERS:
            raise MalformedMessage("trailers too large")
        name, value = parse_field_line(line)
        if name.lower() not in FORBIDDEN_TRAILERS:
            self.trailers.append((name, value))


def encode_trailers(trailers: Any) -> bytes:
    """
    The end of a chunked body.

    :param trailers: an iterable of ``(name, value)``; those that a trailer must not hold are left out.
    :raises MalformedMessage: one of them would be read as something else.
    """
    if not trailers:
        return b"0\r\n\r\n"
    lines = [b"0"]
    for name, value in trailers:
        if TOKEN.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
            raise MalformedMessage("a trailer that HTTP/1.1 cannot carry")
        if name.lower() not in FORBIDDEN_TRAILERS:
            lines.append(name + b": " + value)
    return b"\r\n".join(lines) + b"\r\n\r\n"
