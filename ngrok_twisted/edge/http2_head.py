"""
Reading the head of an HTTP/2 request, and writing that of a response (RFC 9113 section 8): strict, free of I/O.

What goes on from here goes on as HTTP/1.1 too, to services that read lines: nothing passes that could end one, or that a parser
could take for something else.

Two kinds of mistakes are told apart. What RFC 9113 calls malformed raises `MalformedMessage`, and the stream is reset. What
could be said in HTTP/1.1 just as wrongly raises a `BadRequest`, and is answered as there.
"""

from __future__ import annotations

import re
from typing import Iterable, Sequence

from ngrok_twisted.edge.head import RequestHead, split_host
from ngrok_twisted.edge.http2_hpack import block_of
from ngrok_twisted.errors import BadRequest
from ngrok_twisted.upstream.chunked import FORBIDDEN_TRAILERS, MAX_TRAILERS
from ngrok_twisted.upstream.headers import Told
from ngrok_twisted.upstream.memo import Memo, size_of
from ngrok_twisted.upstream.syntax import Fields, MalformedMessage, parse_length

Pairs = Sequence[tuple[bytes, bytes]]

# RFC 9113 section 8.2.1, and RFC 9110 section 5.6.2: a token without upper-case letters.
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")

# RFC 9110 section 5.5, without white space at the ends: RFC 9113 section 8.2.1 forbids it there.
_VALUE = re.compile(rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?")

_METHOD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

# Those that visitors use; others are looked at each time.
_METHODS = frozenset(b"GET HEAD POST PUT PATCH DELETE OPTIONS".split())

# What a target is made of, as `ngrok_twisted.edge.head` has it.
_TARGET = re.compile(rb"[\x21\x22\x24-\x7e]+")

# RFC 9113 section 8.2.2: they speak of a connection, and HTTP/2 has its own words for that.
CONNECTION_FIELDS = frozenset([b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"])

_PSEUDO = frozenset([b":method", b":scheme", b":authority", b":path", b":protocol"])

_DEFAULT_PORTS = {b"https": 443, b"http": 80}

#: What an extended CONNECT may ask for (RFC 8441).
WEBSOCKET = b"websocket"


class _Section(Told):
    """
    What the fields of a request say, whatever its method and target.

    :ivar host: the value of ``host``, or ``None``.
    :ivar length: the value of ``content-length``, or ``None``.
    :ivar expect: the value of ``expect``, or ``None``.
    """

    __slots__ = ("host", "length", "expect")

    host: bytes | None
    length: int | None
    expect: bytes | None


def parse_request(fields: Pairs, ended: bool) -> RequestHead:
    """
    :param fields: as decoded, pseudo-header fields included.
    :param ended: no body follows.
    :return: the head as it would be in HTTP/1.1. An extended CONNECT for WebSocket is a GET that asks for an upgrade.
    :raises MalformedMessage: the stream is to be reset.
    :raises BadRequest: it is to be answered with this.
    """
    pseudo, said = _split(fields)
    head = RequestHead(said)
    head.minor, head.persistent = 1, True
    head.method, head.target, head.upgrade = _request_line(pseudo)
    _set_authority(head, pseudo, said)
    if head.upgrade:
        head.length = 0
        head.fields += [(b"connection", b"Upgrade"), (b"upgrade", head.upgrade)]
    elif ended:
        if said.length:
            raise MalformedMessage("a length without a body")
        head.length = 0
    else:
        head.length = said.length
    head.expects_continue = said.expect is not None and _expects_continue(said.expect, head.length)
    return head


def _split(fields: Pairs) -> tuple[dict[bytes, bytes], _Section]:
    """The pseudo-header fields, which come first, and what the others say."""
    pseudo: dict[bytes, bytes] = {}
    for name, value in fields:
        if name[:1] != b":":
            break
        if name not in _PSEUDO or name in pseudo:
            raise MalformedMessage("a pseudo-header field that may not be there")
        pseudo[name] = value
    return pseudo, _SECTIONS[pseudo.get(b":authority"), tuple(fields[len(pseudo) :])]


def _request_line(pseudo: dict[bytes, bytes]) -> tuple[bytes, bytes, bytes]:
    """
    RFC 9113 section 8.3.1.

    :return: the method, the target, and what to upgrade to, if anything.
    """
    method = pseudo.get(b":method", b"")
    if method not in _METHODS and _METHOD.fullmatch(method) is None:
        raise MalformedMessage("no method")
    upgrade = b""
    if method == b"CONNECT":
        upgrade = _protocol(pseudo)
        method = b"GET"
    elif b":protocol" in pseudo:
        raise MalformedMessage(":protocol without CONNECT")
    target = pseudo.get(b":path", b"")
    if _TARGET.fullmatch(target) is None or b":scheme" not in pseudo:
        raise MalformedMessage("no path, or no scheme")
    if target[0] != 0x2F and not (target == b"*" and method == b"OPTIONS"):
        raise BadRequest("The request target is not valid.")
    return method, target, upgrade


def _protocol(pseudo: dict[bytes, bytes]) -> bytes:
    """What a CONNECT asks for (RFC 8441 section 4)."""
    protocol = pseudo.get(b":protocol")
    if protocol is None:
        if b":scheme" in pseudo or b":path" in pseudo:
            raise MalformedMessage("CONNECT with a path")
        raise BadRequest("The method CONNECT is not allowed here.", status=405)
    if protocol.lower() != WEBSOCKET:
        raise BadRequest("This protocol is not spoken here.", status=501)
    return WEBSOCKET


def _set_authority(head: RequestHead, pseudo: dict[bytes, bytes], said: _Section) -> None:
    """Which host the request is for: the two places that may say so have to agree (RFC 9113 section 8.3.1)."""
    default = _DEFAULT_PORTS.get(pseudo[b":scheme"].lower())
    if default is None:
        raise BadRequest("The request's scheme is not spoken here.")
    authority, host = said.authority, said.host
    if not authority:
        raise BadRequest("The request has no Host.")
    head.authority = authority
    head.host, head.port = split_host(authority)
    if host is not None and host != authority:
        other, port = split_host(host)
        if (other, port or default) != (head.host, head.port or default):
            raise BadRequest("The request's :authority and Host name different hosts.")


def _expects_continue(value: bytes, length: int | None) -> bool:
    """RFC 9110 section 10.1.1."""
    if value.lower() != b"100-continue":
        raise BadRequest("The request's expectation cannot be met.", status=417)
    return length != 0


def check_field(name: bytes, value: bytes) -> None:
    """
    :raises MalformedMessage: RFC 9113 section 8.2 forbids the field, whatever the message.
    """
    if _NAME.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
        raise MalformedMessage("a character that may not be in a field")
    if name in CONNECTION_FIELDS:
        raise MalformedMessage("a field that speaks of a connection")


def _read_section(authority: bytes | None, fields: tuple[tuple[bytes, bytes], ...]) -> _Section:
    """
    :param authority: the value of ``:authority``, if it is there.
    """
    said = _Section()
    said.host = said.length = said.expect = None
    kept: Fields = []
    cookies: list[bytes] = []
    for field in fields:
        name, value = field
        check_field(name, value)
        if name == b"cookie":
            cookies.append(value)
        elif name == b"host":
            if said.host is not None:
                raise MalformedMessage("several hosts")
            said.host = value
        else:
            kept.append(field)
            if name == b"content-length":
                if said.length is not None:
                    raise MalformedMessage("several lengths")
                said.length = parse_length(value)
            elif name == b"expect":
                said.expect = value if said.expect is None else said.expect + b"," + value
            elif name == b"te" and value.lower() != b"trailers":
                raise MalformedMessage("te is not trailers")
    if cookies:
        kept.append((b"cookie", b"; ".join(cookies)))  # RFC 9113 section 8.2.3
    said.authority = authority or said.host or b""
    said.fields = ((b"host", said.authority), *kept)
    return said


def _remember(question: tuple[bytes | None, tuple[tuple[bytes, bytes], ...]]) -> tuple[_Section, int]:
    authority, fields = question
    said = _read_section(authority, fields)
    return said, 3 * size_of(said.fields)  # twice, since they go upstream much as they came


# A visitor's requests have the same fields again and again: what they say is worked out once.
_SECTIONS = Memo(_remember)


def parse_trailers(fields: Pairs) -> Fields:
    """
    What came behind a body, without what has no place there.

    :raises MalformedMessage: the stream is to be reset.
    """
    if sum(len(name) + len(value) for name, value in fields) > MAX_TRAILERS:
        raise MalformedMessage("too many trailers")
    for name, value in fields:
        check_field(name, value)
    return [field for field in fields if field[0] not in FORBIDDEN_TRAILERS]


# -- the other way -----------------------------------------------------------------------------------------------------


def _lowered(fields: Iterable[tuple[bytes, bytes]], dropped: frozenset[bytes]) -> Iterable[tuple[bytes, bytes]]:
    for name, value in fields:
        lower = name.lower()
        if lower not in dropped:
            value = value.strip(b" \t")
            check_field(lower, value)
            yield lower, value


def _field_block(fields: tuple[tuple[bytes, bytes], ...]) -> tuple[bytes, int]:
    block = block_of(_lowered(fields, CONNECTION_FIELDS))
    return block, size_of(fields) + len(block)


_BLOCKS = Memo(_field_block)


def response_block(status: int, fields: Pairs, length: int | None = None) -> bytes:
    """
    The header block of a response.

    :param fields: as the service sent them, in any case; what speaks of its connection stays behind.
    :param length: what ``content-length`` is to say, if anything.
    :raises MalformedMessage: a field would not be what it seems.
    """
    start = block_of(((b":status", b"%d" % status),))
    end = b"" if length is None else block_of(((b"content-length", b"%d" % length),))
    return start + _BLOCKS[tuple(fields)] + end


def trailer_block(fields: Pairs) -> bytes:
    """
    The header block behind a response's body; empty if nothing may stand there.

    :raises MalformedMessage: as `response_block`.
    """
    return block_of(_lowered(fields, FORBIDDEN_TRAILERS))
