"""
`ObjectReader`: one JSON object that arrives in pieces, and whose end nothing else marks.

Agents do not end their side of a stream after a request, nor some of them after a reply (spec 4.1), so that the object's end
has to be found in its bytes. The search looks at each byte once, and no byte of a string one by one.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

# Objects and lists within one another. Those of agents go four deep; the parser of the standard library would recurse.
MOST_DEPTH = 32

# Brackets and strings of one object: a bound for the time that the search takes. A request with a hundred headers and as many
# networks has some thousand.
MOST_MARKS = 20_000

_SPACE = b" \t\r\n"
_OUTSIDE = re.compile(rb'["{}\[\]]')
_INSIDE = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)


class BadObject(Exception):
    """What came is no JSON object, or a larger one than is taken. The text says which, and quotes nothing of it."""


class ObjectReader:
    """
    Feed it until it gives the object. Once it has raised, or given it, no more must be fed.

    :ivar size: bytes that are kept here.
    """

    __slots__ = ("size", "_limit", "_data", "_at", "_depth", "_marks", "_inside")

    def __init__(self, limit: int) -> None:
        """:param limit: bytes that the object may have."""
        self.size = 0
        self._limit = limit
        self._data = bytearray()
        self._at = 0  # where the search goes on
        self._depth = 0
        self._marks = 0
        self._inside = False  # a string has begun

    def feed(self, data: bytes) -> dict[str, Any] | None:
        """
        :return: the object, when it is whole; what follows it is ignored.
        :raises BadObject: it can never be one, or is too large.
        """
        held = self._data
        if not held:
            data = data.lstrip(_SPACE)
            if not data:
                return None
            if data[0] != 0x7B:
                raise BadObject("it does not begin as a JSON object does")
        held += data
        end = self._search()
        if (end or len(held)) > self._limit:
            raise BadObject(f"it is larger than {self._limit} bytes")
        self.size = len(held)
        return parse(held[:end]) if end else None

    def _search(self) -> int:
        """:return: where the object ends; 0 if it goes on."""
        held, at = self._data, self._at
        size = len(held)
        while at < size:
            if self._inside:
                at = _INSIDE.match(held, at).end()  # type: ignore[union-attr]  # it matches nothing at least
                if at == size or held[at] != 0x22:
                    break  # in mid-string; a backslash at the very end is looked at again with what it escapes
                self._inside = False
                at += 1
                continue
            mark = _OUTSIDE.search(held, at)
            if mark is None:
                at = size
                break
            at = mark.end()
            if self._count(held[at - 1]):
                return at
        self._at = at
        return 0

    def _count(self, mark: int) -> bool:
        """:return: whether the object ends with this mark."""
        self._marks += 1
        if self._marks > MOST_MARKS:
            raise BadObject("it has too many members")
        if mark == 0x22:
            self._inside = True
        elif mark in b"{[":
            self._depth += 1
            if self._depth > MOST_DEPTH:
                raise BadObject("it is nested too deeply")
        else:
            self._depth -= 1
        return not self._depth


def parse(data: bytes | bytearray) -> dict[str, Any]:
    """
    :param data: the text of one JSON object (RFC 8259), UTF-8.
    :raises BadObject: it is none. Halves of surrogate pairs, which no text may have in it, are not taken either.
    """
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_no_number)
        if b"\\u" in data:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise BadObject("it is not valid JSON") from None
    if not isinstance(value, dict):
        raise BadObject("it is not a JSON object")
    return value


def write(message: Any) -> bytes:
    """:return: a message as compact JSON."""
    return json.dumps(message, separators=(",", ":")).encode("ascii")


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)  # NaN and the infinities, which RFC 8259 section 6 does not know
