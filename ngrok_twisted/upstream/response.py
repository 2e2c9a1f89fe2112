"""
Reading the head of an upstream's response: strict, free of I/O.
"""

from __future__ import annotations

import re

from ngrok_twisted.upstream.headers import without_named
from ngrok_twisted.upstream.memo import Memo, size_of
from ngrok_twisted.upstream.syntax import (
    Fields,
    MalformedMessage,
    check_bytes,
    parse_length,
    parse_response_fields,
    tokens,
)
from ngrok_twisted.wrapper import ResponseHead

# How the body ends (RFC 9112 section 6.3).
NO_BODY, BY_LENGTH, CHUNKED, UNTIL_CLOSE = range(4)

# The reason phrase may be missing, with or without the space before it.
_STATUS_LINE = re.compile(rb"HTTP/1\.([0-9]) ([1-5][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?")

# What is done with a field of a response, by its lower-case name.
_DROP, _CONNECTION, _LENGTH, _CODING, _UPGRADE = range(1, 6)

_RESPONSE_FIELDS: dict[bytes, int] = {
    b"connection": _CONNECTION,
    b"content-length": _LENGTH,
    b"transfer-encoding": _CODING,
    b"upgrade": _UPGRADE,
    b"keep-alive": _DROP,
    b"proxy-connection": _DROP,
    b"proxy-authenticate": _DROP,
    b"te": _DROP,
    # Only the edge says that the edge failed.
    b"ngrok-error-code": _DROP,
}

_NEVER_NAMED = frozenset([b"close", b"keep-alive", b"upgrade", b"set-cookie", b"location", b"content-type"])


class UpstreamResponse:
    """
    :ivar head: the `ResponseHead` for the visitor: fields that speak of the connection are gone.
    :ivar framing: one of ``NO_BODY``, ``BY_LENGTH``, ``CHUNKED``, ``UNTIL_CLOSE``.
    :ivar persistent: the upstream keeps the connection open.
    """

    __slots__ = ("head", "framing", "persistent")

    def __init__(self, head: ResponseHead, framing: int, persistent: bool) -> None:
        self.head = head
        self.framing = framing
        self.persistent = persistent


class _Said:
    """
    What the head of a response says, whatever it answers. It is shared by all responses with the same bytes.
    """

    __slots__ = ("status", "reason", "fields", "length", "persistent", "chunked")

    status: int
    reason: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    length: int | None
    persistent: bool
    chunked: bool


def parse_response(head: bytes, method: bytes) -> UpstreamResponse:
    """
    :param head: everything up to and including the empty line.
    :param method: of the request: a response to HEAD has no body.
    :raises MalformedMessage: it is not HTTP/1.x, or its framing can be read in two ways.
    """
    said = _HEADS[head]
    status, length = said.status, said.length
    bodiless = method == b"HEAD" or status < 200 or status == 204 or status == 304
    if bodiless:
        framing = NO_BODY
        if status == 204 or status < 200:
            length = None
    elif said.chunked:
        framing = CHUNKED
    else:
        framing = UNTIL_CLOSE if length is None else BY_LENGTH
    shown = ResponseHead(status, said.reason, list(said.fields), length, bodiless)
    return UpstreamResponse(shown, framing, said.persistent)


def _read(head: bytes) -> _Said:
    check_bytes(head)
    line_end = head.index(b"\r\n")
    match = _STATUS_LINE.fullmatch(head, 0, line_end)
    if match is None:
        raise MalformedMessage("invalid status line")
    minor, status = match[1], int(match[2])
    length: int | None = None
    coding = connection = None
    kept: Fields = []
    kind_of = _RESPONSE_FIELDS.get
    for field in parse_response_fields(head[line_end + 2 :]):
        kind = kind_of(field[0].lower())
        if kind is None:
            kept.append(field)
        elif kind == _CONNECTION:
            connection = field[1] if connection is None else connection + b"," + field[1]
        elif kind == _LENGTH:
            if length is not None:
                raise MalformedMessage("several Content-Length fields")
            length = parse_length(field[1])
        elif kind == _CODING:
            coding = field[1] if coding is None else coding + b"," + field[1]
        elif kind == _UPGRADE and status == 101:
            kept.append(field)
    said = _Said()
    said.status = status
    said.reason = match[3] or b""
    said.length = length
    said.chunked = _is_chunked(length, coding, minor)
    said.persistent = minor != b"0"
    if connection == b"keep-alive":
        said.persistent = True
    elif connection is not None:
        said.persistent, kept = _connection(connection, said.persistent, kept)
    said.fields = tuple(kept)
    return said


def _remember(head: bytes) -> tuple[_Said, int]:
    said = _read(head)
    return said, len(head) + size_of(said.fields)


# Services answer many requests with the same head: what it says is worked out once.
_HEADS = Memo(_remember)


def _connection(value: bytes, persistent: bool, fields: Fields) -> tuple[bool, Fields]:
    """What ``Connection`` says of the connection, and the fields without those it names."""
    options = set(tokens(value))
    persistent = b"close" not in options and (persistent or b"keep-alive" in options)
    named = options - _NEVER_NAMED
    return persistent, without_named(fields, named) if named else fields


def _is_chunked(length: int | None, coding: bytes | None, minor: bytes) -> bool:
    """
    :raises MalformedMessage: both framings at once, or a coding that we do not know to end.
    """
    if coding is None:
        return False
    if length is not None or minor == b"0" or coding.lower() != b"chunked":
        raise MalformedMessage("ambiguous framing")
    return True
