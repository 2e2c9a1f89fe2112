"""
Reading the head of an upstream's response: strict, free of I/O.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Sequence, TypeVar

from ngrok_twisted.upstream.headers import FIELD_LINES, lines_of, lines_of_edit, without_named
from ngrok_twisted.upstream.memo import Memo, size_of
from ngrok_twisted.upstream.syntax import (
    Fields,
    MalformedMessage,
    check_bytes,
    parse_length,
    parse_response_fields,
    tokens,
)
from ngrok_twisted.wrapper import HeadEdit, ResponseHead

T = TypeVar("T")

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

#: Ways to take fields out of the same head that are kept: one for each route that does so.
_WITHOUT_MAX = 4

_NEVER_NAMED = frozenset([b"close", b"keep-alive", b"upgrade", b"set-cookie", b"location", b"content-type"])


class Said:
    """
    What the head of a response says, whatever it answers. It is shared by all responses with the same bytes.

    :ivar head: these bytes, up to and including the empty line.
    :ivar framing: of the body, where there is one.
    :ivar line_and_fields: the bytes of the head for a visitor who speaks HTTP/1.1, but for those that speak of the connection.
    :ivar counted: the same with the length of the body and the empty line; empty if it is not known.
    :ivar block: the same for one who speaks HTTP/2, as soon as one was there; empty until then.
    :ivar worked_out: what functions have made of the fields; see `ResponseHead.work_out`.
    """

    __slots__ = (
        "head",
        "status",
        "reason",
        "fields",
        "length",
        "persistent",
        "framing",
        "line_and_fields",
        "counted",
        "block",
        "worked_out",
        "_without",
    )

    head: bytes
    status: int
    reason: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    length: int | None
    persistent: bool
    framing: int
    line_and_fields: bytes
    counted: bytes
    block: bytes
    worked_out: dict[Any, Any]
    _without: dict[frozenset[bytes], bytes]

    def lines_without(self, removed: frozenset[bytes]) -> bytes:
        """
        ``line_and_fields`` without some fields.

        :param removed: their names in lower case.
        """
        known = self._without.get(removed)
        if known is None:
            if len(self._without) >= _WITHOUT_MAX:
                self._without.clear()
            kept = tuple(field for field in self.fields if field[0].lower() not in removed)
            known = self._without[removed] = b"HTTP/1.1 %d %b%b" % (self.status, self.reason, lines_of(kept))
        return known


class UpstreamResponse(ResponseHead):
    """
    The head for the visitor: fields that speak of the connection are gone.

    :ivar said: what the service said.
    :ivar framing: one of ``NO_BODY``, ``BY_LENGTH``, ``CHUNKED``, ``UNTIL_CLOSE``.
    :ivar persistent: the upstream keeps the connection open.
    """

    __slots__ = ("framing", "persistent", "said", "_edit")

    def __init__(self, said: Said) -> None:
        self.said = said
        self._headers = None
        self._edit: HeadEdit | None = None
        self.status = said.status
        self.reason = said.reason
        self.length = said.length
        self.bodiless = False
        self.framing = said.framing
        self.persistent = said.persistent

    @property
    def fields(self) -> Sequence[tuple[bytes, bytes]]:
        """See `ResponseHead`."""
        if self._headers is not None:
            return self._headers
        return self.said.fields if self._edit is None else self._edit.applied(self.said.fields)

    def amend(self, edit: HeadEdit) -> None:
        """See `ResponseHead`."""
        if self._headers is not None:
            super().amend(edit)
        else:
            self._edit = edit if self._edit is None else self._edit.then(edit)

    def work_out(self, function: Callable[[Sequence[tuple[bytes, bytes]]], T]) -> T:
        """See `ResponseHead`."""
        if self._headers is not None or self._edit is not None:
            return function(self.fields)
        known = self.said.worked_out
        if function not in known:
            known[function] = function(self.said.fields)
        made: T = known[function]
        return made

    def as_told(self) -> Said | None:
        """See `ResponseHead`. What lasting edits have made of it is as good as told."""
        said, edit = self.said, self._edit
        if self._headers is not None or self.status != said.status or self.reason is not said.reason:
            return None
        if edit is None:
            return said
        made: Said | None = _AMENDED[said, edit] if edit.lasting else None
        return made

    def as_amended(self) -> tuple[Said, HeadEdit] | None:
        """See `ResponseHead`."""
        said, edit = self.said, self._edit
        if edit is None or self._headers is not None or self.status != said.status or self.reason is not said.reason:
            return None
        return said, edit


def parse_response(head: bytes, method: bytes) -> UpstreamResponse:
    """
    :param head: everything up to and including the empty line.
    :param method: of the request: a response to HEAD has no body.
    :raises MalformedMessage: it is not HTTP/1.x, or its framing can be read in two ways.
    """
    return response_to(method, _HEADS[head])


def response_to(method: bytes, said: Said) -> UpstreamResponse:
    """
    :param method: of the request: a response to HEAD has no body.
    """
    response = UpstreamResponse(said)
    if method == b"HEAD" or response.framing == NO_BODY:
        response.bodiless = True
        response.framing = NO_BODY
    return response


def _read(head: bytes) -> Said:
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
    said = Said()
    said.head = head
    said.status = status
    said.reason = match[3] or b""
    said.framing = _framing(status, length, _is_chunked(length, coding, minor))
    said.length = None if status == 204 or status < 200 else length
    said.persistent = minor != b"0"
    if connection == b"keep-alive":
        said.persistent = True
    elif connection is not None:
        said.persistent, kept = _connection(connection, said.persistent, kept)
    said.fields = tuple(kept)
    said.line_and_fields = b"HTTP/1.1 %d %b%b" % (status, said.reason, FIELD_LINES[said.fields])
    said.worked_out = {}
    said._without = {}
    _count(said, length)
    return said


def _count(said: Said, length: int | None) -> None:
    """Fill in what follows from ``line_and_fields``."""
    said.block = b""
    said.counted = b"" if length is None else b"%b\r\nContent-Length: %d\r\n\r\n" % (said.line_and_fields, length)


def _amend(question: tuple[Said, HeadEdit]) -> tuple[Said, int]:
    """What a service would have said, had it said what an edit makes of it."""
    said, edit = question
    made = Said()
    made.head, made.status, made.reason, made.length = said.head, said.status, said.reason, said.length
    made.persistent, made.framing = said.persistent, said.framing
    made.fields = tuple(edit.applied(said.fields))
    made.line_and_fields = said.lines_without(edit.removed) + lines_of_edit(edit)
    made.worked_out = {}
    made._without = {}
    _count(made, said.length)
    return made, 8 * len(made.line_and_fields) + 2 * size_of(made.fields)  # with what it was made of


# By a pair of what was said and of an edit: a route makes the same of the same.
_AMENDED = Memo(_amend)


def _remember(head: bytes) -> tuple[Said, int]:
    said = _read(head)
    return said, 4 * len(head) + size_of(said.fields)  # visitors get much the same, and it is kept in three forms


# Services answer many requests with the same head: what it says is worked out once.
_HEADS = Memo(_remember)


def _framing(status: int, length: int | None, chunked: bool) -> int:
    if status < 200 or status == 204 or status == 304:
        return NO_BODY
    if chunked:
        return CHUNKED
    return UNTIL_CLOSE if length is None else BY_LENGTH


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
