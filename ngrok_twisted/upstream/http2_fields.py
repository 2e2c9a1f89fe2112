"""
Heads of requests and responses in HTTP/2 (RFC 9113 section 8): pure functions, as strict as their HTTP/1.1 counterparts.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, Iterable

from ngrok_twisted.upstream.chunked import FORBIDDEN_TRAILERS, MAX_TRAILERS
from ngrok_twisted.upstream.headers import FORWARDED, Passed, without_named
from ngrok_twisted.upstream.http2_frames import StreamBroken
from ngrok_twisted.upstream.http2_hpack import decode, encode
from ngrok_twisted.upstream.memo import Memo, size_of
from ngrok_twisted.upstream.syntax import Fields, MalformedMessage, parse_length
from ngrok_twisted.wrapper import HeadEdit, ResponseHead

# Section 8.2.1, and the token of RFC 9110 section 5.6.2.
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")

# What there cannot be in HTTP/2 (section 8.2.2).
_OF_CONNECTIONS = frozenset(b"connection keep-alive proxy-connection transfer-encoding upgrade".split())

# What does not pass the edge, as in HTTP/1.1: the edge's own word, and what is for the edge.
_DROPPED = frozenset([b"ngrok-error-code", b"proxy-authenticate", b"te"])

_STATUS = re.compile(rb"[1-5][0-9][0-9]")

# HTTP/2 has no reason phrases, and visitors of HTTP/1.1 are used to them.
_REASONS = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}

# What belongs to a WebSocket's handshake in HTTP/1.1 (RFC 8441 section 5).
_OF_UPGRADES = frozenset([b"sec-websocket-key"])

_NOTHING_REMOVED: frozenset[bytes] = frozenset()


def _pass_on(question: tuple[frozenset[bytes], tuple[tuple[bytes, bytes], ...]]) -> tuple[Passed, int]:
    removed, fields = question
    passed = Passed(without_named(fields, removed) if removed else fields, _encoded)
    return passed, size_of(fields) + len(passed.block)


# By a pair of the names that modules take away, and of the visitor's fields.
_PASSED = Memo(_pass_on)


def _encoded(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """
    :raises MalformedMessage: one of them cannot be.
    """
    named = [(name.lower(), value.strip(b" \t")) for name, value in fields]
    for name, value in named:
        if _NAME.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
            raise MalformedMessage("a field that HTTP/2 cannot carry")
    return encode(named)


def request_block(
    method: bytes,
    target: bytes,
    fields: Fields,
    *,
    scheme: bytes,
    host: bytes,
    rewritten_host: bytes,
    peer: bytes,
    proto: bytes,
    length: int | None,
    expects_continue: bool,
    websocket: bool = False,
    edit: HeadEdit | None = None,
) -> bytes:
    """
    The header block of the request as the upstream gets it; the counterpart of `ngrok_twisted.upstream.headers.request_head`.

    :param target: origin-form, or ``*``.
    :param fields: the visitor's, after the modules.
    :param scheme: of the connection to the service, ``http`` or ``https``: some services refuse any other.
    :param host: the visitor's.
    :param rewritten_host: what to send instead, or empty.
    :param peer: the visitor's address.
    :param proto: ``https`` or ``http``, as the visitor came.
    :param length: of the body in bytes; ``None`` if it is not known.
    :param websocket: ask for a WebSocket (RFC 8441 section 5).
    :param edit: what modules change in all of it but the framing.
    :raises MalformedMessage: it cannot be said in HTTP/2.
    """
    removed = _NOTHING_REMOVED if edit is None else edit.removed
    passed = _PASSED[removed | _OF_UPGRADES if websocket else removed, tuple(fields)]
    values = (
        _behind(passed.forwarded_for, peer),
        _behind(passed.forwarded_proto, proto),
        passed.forwarded_host or host,
    )
    authority = rewritten_host or host
    if edit is None:
        ours = _FORWARDED[values]
    else:
        authority = edit.host or authority
        added = [field for field in zip(FORWARDED, values) if field[0] not in removed]
        ours = _encoded([*added, *edit.added])
    block = _pseudo(b"CONNECT" if websocket else method, target, scheme, authority, websocket) + passed.block + ours
    if not websocket and (length or (length == 0 and passed.has_length)):
        block += encode([(b"content-length", b"%d" % length)])
    return block + _EXPECT if expects_continue else block


def _pseudo(method: bytes, target: bytes, scheme: bytes, authority: bytes, websocket: bool) -> bytes:
    """What HTTP/1.1 has in its first line and in ``Host``."""
    fields: Fields = [(b":method", method), (b":scheme", scheme), (b":path", target)]
    if authority:
        fields.append((b":authority", authority))
    if websocket:
        fields.append((b":protocol", b"websocket"))
    for _, value in fields:
        if _VALUE.fullmatch(value) is None:
            raise MalformedMessage("a request line that HTTP/2 cannot carry")
    return encode(fields)


_EXPECT = encode([(b"expect", b"100-continue")])


def _behind(before: bytes, value: bytes) -> bytes:
    return before + b", " + value if before else value


def _forwarded(values: tuple[bytes, bytes, bytes]) -> tuple[bytes, int]:
    block = _encoded(zip(FORWARDED, values))
    return block, size_of(zip(FORWARDED, values)) + len(block)


# What the edge says of where a visitor comes from, by the values of `FORWARDED`: the same for all of its requests.
_FORWARDED = Memo(_forwarded)


def trailers_block(trailers: Any) -> bytes:
    """
    :param trailers: an iterable of ``(name, value)``.
    :return: those that may stand behind a body, as a header block.
    :raises MalformedMessage: one of them cannot be said in HTTP/2.
    """
    return _encoded([(name, value) for name, value in trailers if name.lower() not in FORBIDDEN_TRAILERS])


class _Said:
    """What a header block of a response says, whatever it answers. It is shared by all with the same bytes."""

    __slots__ = ("status", "fields", "length")

    def __init__(self, status: int, fields: tuple[tuple[bytes, bytes], ...], length: int | None) -> None:
        self.status = status
        self.fields = fields
        self.length = length


def response_head(block: bytes, method: bytes) -> ResponseHead:
    """
    :param block: a whole header block.
    :param method: of the request: a response to HEAD has no body.
    :return: the head for the visitor. Where no body may follow it is ``bodiless``.
    :raises ConnectionBroken: the block cannot be read.
    :raises StreamBroken: it is not the head of a response.
    """
    said = _HEADS[block]
    status, length = said.status, said.length
    bodiless = method == b"HEAD" or status < 200 or status == 204 or status == 304
    if status == 204 or status < 200:
        length = None
    return ResponseHead(status, _REASONS.get(status, b""), list(said.fields), length, bodiless)


def _read(block: bytes) -> _Said:
    fields = decode(block)
    if not fields or fields[0][0] != b":status" or _STATUS.fullmatch(fields[0][1]) is None:
        raise StreamBroken("a response without a status")
    status = int(fields[0][1])
    if status == 101:
        raise StreamBroken("101 in HTTP/2")
    kept: Fields = []
    length: int | None = None
    for field in _checked(fields[1:]):
        if field[0] == b"content-length":
            if length is not None:
                raise StreamBroken("several content-length fields")
            length = _length(field[1])
        elif field[0] not in _DROPPED:
            kept.append(field)
    return _Said(status, tuple(kept), length)


def _remember(block: bytes) -> tuple[_Said, int]:
    said = _read(block)
    return said, len(block) + size_of(said.fields)


# Services answer many requests with the same head: what it says is worked out once.
_HEADS = Memo(_remember)


def _checked(fields: Fields) -> Fields:
    """
    :return: the fields, without spaces around their values.
    :raises StreamBroken: one of them cannot be (section 8.2): a pseudo-header too, which may only stand in front.
    """
    checked: Fields = []
    for name, value in fields:
        if _NAME.fullmatch(name) is None or name in _OF_CONNECTIONS or _VALUE.fullmatch(value) is None:
            raise StreamBroken("an invalid field")
        checked.append((name, value.strip(b" \t")))
    return checked


def _length(value: bytes) -> int:
    try:
        return parse_length(value)
    except MalformedMessage:
        raise StreamBroken("an invalid content-length") from None


def read_trailers(block: bytes) -> Fields:
    """
    :param block: the header block behind a response's body.
    :return: its fields, without those that a trailer must not hold.
    :raises ConnectionBroken: the block cannot be read.
    :raises StreamBroken: they are no trailers, or too many.
    """
    fields = _checked(decode(block))
    if sum(len(name) + len(value) for name, value in fields) > MAX_TRAILERS:
        raise StreamBroken("trailers too large")
    return [field for field in fields if field[0] not in FORBIDDEN_TRAILERS]
