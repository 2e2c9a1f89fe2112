"""
The grammar of HTTP/1.1 that both sides of the edge share: strict, free of I/O.

What a message says is read by llhttp (through ``httptools``). What it may not say is decided here, before and after: two
parsers that disagree about one message are how requests are smuggled, so whatever can be read in two ways is refused.
"""

from __future__ import annotations

import re
from typing import Any

import httptools

Fields = list[tuple[bytes, bytes]]

KILOBYTE = 1024

# RFC 9110 section 5.6.2: what methods and field names are made of.
TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

# Nobody sends 10**18 bytes, and the number still fits what every peer counts with (RFC 9110 section 8.6).
_LENGTH = re.compile(rb"[0-9]{1,18}")

# One field line of a trailer section (RFC 9112 section 5, without obs-fold).
_FIELD_LINE = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?[ \t]*"
)

_ALLOWED_IN_HEAD = bytes(byte for byte in range(256) if byte in b"\t\r\n" or 32 <= byte != 127)

# llhttp wants a first line of its own: ours was checked before, with unknown methods and later minor versions allowed.
_REQUEST_LINE = b"GET / HTTP/1.1\r\n"
_STATUS_LINE = b"HTTP/1.1 200 OK\r\n"


class MalformedMessage(Exception):
    """A message that is not HTTP/1.1, or that can be read in two ways."""


class _Collector:
    """What llhttp calls for each field."""

    __slots__ = ("fields",)

    def __init__(self) -> None:
        self.fields: Fields = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))


def check_bytes(head: bytes) -> None:
    """
    Refuse line ends other than CRLF, and control characters (RFC 9112 sections 2.2 and 5, RFC 9110 section 5.5).

    :param head: everything up to and including the empty line.
    :raises MalformedMessage: there is one.
    """
    if head.count(b"\n") != head.count(b"\r\n") or head.translate(None, _ALLOWED_IN_HEAD):
        raise MalformedMessage("bare line end or control character")


def parse_request_fields(section: bytes) -> Fields:
    """
    The fields of a request, in order, duplicates kept.

    :param section: the head without its first line, up to and including the empty line.
    :raises MalformedMessage: llhttp refuses it; ``args[1]`` is the list of fields read so far.
    """
    return _parse(httptools.HttpRequestParser, _REQUEST_LINE + section)


def parse_response_fields(section: bytes) -> Fields:
    """
    The fields of a response, in order, duplicates kept.

    :param section: the head without its first line, up to and including the empty line.
    :raises MalformedMessage: llhttp refuses it.
    """
    return _parse(httptools.HttpResponseParser, _STATUS_LINE + section)


def _parse(parser: Any, head: bytes) -> Fields:
    collector = _Collector()
    try:
        parser(collector).feed_data(head)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as error:
        raise MalformedMessage(str(error), collector.fields) from None
    return collector.fields


def parse_field_line(line: bytes) -> tuple[bytes, bytes]:
    """
    One line of a trailer section.

    :raises MalformedMessage: it is not a field line.
    """
    match = _FIELD_LINE.fullmatch(line)
    if match is None:
        raise MalformedMessage("invalid trailer")
    return match[1], match[2] or b""


def parse_length(value: bytes) -> int:
    """
    :param value: of a ``Content-Length``.
    :raises MalformedMessage: it is anything but decimal digits; lists of equal numbers are refused too.
    """
    if _LENGTH.fullmatch(value) is None:
        raise MalformedMessage("invalid Content-Length")
    return int(value)


def tokens(value: bytes) -> list[bytes]:
    """The lower-case elements of a comma-separated list, empty ones left out (RFC 9110 section 5.6.1)."""
    return [element for element in (part.strip(b" \t").lower() for part in value.split(b",")) if element]
