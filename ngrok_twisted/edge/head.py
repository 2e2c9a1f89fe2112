"""
Reading the head of a visitor's request: strict, free of I/O.

Everything that two parsers could read in two ways is refused here, before anybody acts on it (RFC 9112, RFC 9110).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NoReturn

from ngrok_twisted.errors import BadRequest, HeaderTooLarge, VersionNotSupported
from ngrok_twisted.upstream.headers import Told, without_named
from ngrok_twisted.upstream.memo import MAX_BYTES, TOTAL_BYTES, Memo, size_of
from ngrok_twisted.upstream.syntax import (
    Fields,
    MalformedMessage,
    check_bytes,
    parse_length,
    parse_request_fields,
    tokens,
)

# RFC 9112 section 3: a token, one space, a target of visible ASCII without a fragment, one space, the version.
_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21\x22\x24-\x7e]+) HTTP/([0-9])\.([0-9])")

# The same where nothing is to be said about it: HTTP/1.1, origin-form, and not the one method that is refused.
_ORDINARY_LINE = re.compile(rb"(?!CONNECT )([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (/[\x21\x22\x24-\x7e]*) HTTP/1\.1")

# Methods and targets are shorter than this in every product; the whole head has a bound of its own.
_VERSION_OF_OTHERS = re.compile(rb"[^ ]+ [^ ]+ HTTP/([0-9]+)(?:\.[0-9]+)?")

# What a host may be for us: names of letters, digits, hyphens, underscores; IP literals. RFC 3986 would allow more
# (percent-encoding, sub-delims), and nobody could reserve such a name.
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}))(?::([0-9]{1,5}))?")

_ABSOLUTE_FORM = re.compile(rb"(?i:(https?))://([^/?]*)(/[^?]*)?(\?.*)?", re.DOTALL)

_DEFAULT_PORTS = {"http": 80, "https": 443}

# What is done with a field, by its lower-case name.
_HOST_FIELD, _LENGTH, _CODING, _CONNECTION, _EXPECT, _UPGRADE = range(1, 7)

_FIELDS: dict[bytes, int] = {
    b"host": _HOST_FIELD,
    b"content-length": _LENGTH,
    b"transfer-encoding": _CODING,
    b"connection": _CONNECTION,
    b"proxy-connection": 0,
    b"expect": _EXPECT,
    b"upgrade": _UPGRADE,
}

# Options that are not the names of fields, and fields that no visitor may take away by naming them.
_NEVER_NAMED = frozenset(
    b"close keep-alive upgrade te host content-length transfer-encoding connection expect cookie authorization "
    b"x-forwarded-for x-forwarded-proto x-forwarded-host".split()
)

# h2c would let a visitor speak past every module (RFC 9113 dropped it); the edge answers as if it had not been asked.
_REFUSED_UPGRADES = frozenset([b"h2c", b"h2"])


class RequestHead:
    """
    :ivar method: as sent.
    :ivar target: origin-form, or ``*``.
    :ivar minor: 0 for HTTP/1.0, 1 for everything later.
    :ivar told: what the fields say, shared with other requests; ``None`` where nothing is known of it.
    :ivar own_fields: the fields, where nobody else has the same or they were asked for; else ``None``.
    :ivar authority: the value of ``Host``, or of an absolute-form target, as sent.
    :ivar host: the name in it, lower case, without the dot at the end; empty if HTTP/1.0 came without.
    :ivar port: the number in it, or ``None``.
    :ivar length: of the body in bytes, 0 without one, ``None`` for chunked.
    :ivar persistent: the visitor wants to keep the connection.
    :ivar expects_continue: the visitor waits for 100 before it sends the body.
    :ivar upgrade: the protocol to upgrade to, or empty.
    """

    __slots__ = (
        "method",
        "target",
        "minor",
        "told",
        "own_fields",
        "authority",
        "host",
        "port",
        "length",
        "persistent",
        "expects_continue",
        "upgrade",
    )

    method: bytes
    target: bytes
    minor: int
    told: Told | None
    authority: bytes
    host: str
    port: int | None
    length: int | None
    persistent: bool
    expects_continue: bool
    upgrade: bytes

    def __init__(self, told: Told | None = None) -> None:
        self.told = told
        self.own_fields: Fields | None = None

    @property
    def fields(self) -> Fields:
        """In order, duplicates kept, without those that ``Connection`` named. The list is this request's own."""
        if self.own_fields is None:
            self.own_fields = [] if self.told is None else list(self.told.fields)
        return self.own_fields

    @fields.setter
    def fields(self, fields: Fields) -> None:
        self.own_fields = fields


class _Section(Told):
    """
    What the fields of a request say, whatever its first line.

    :ivar lines: how many lines they have, the empty one included.
    :ivar minor: in which version of HTTP they say so; the rest is as in `RequestHead`.
    """

    __slots__ = ("lines", "minor", "host", "port", "length", "persistent", "expects_continue", "upgrade")

    lines: int
    minor: int
    host: str
    port: int | None
    length: int | None
    persistent: bool
    expects_continue: bool
    upgrade: bytes


def repeated_request(data: bytes, max_fields: int) -> tuple[bytes, bytes, _Section] | None:
    """
    An ordinary request whose fields came before, byte for byte: it costs a third of a new one.

    :param data: what there is, perhaps more or less than a head.
    :param max_fields: how many fields there may be.
    :return: the method, the target in origin-form, and what the fields say; ``None`` unless ``data`` is such a head and nothing
        else.
    """
    if len(data) > MAX_BYTES:
        return None  # to look for it would cost more than the rest
    line_end = data.find(b"\r\n")
    said = _SECTIONS.get(data[line_end + 2 :])
    if said is None or said.lines > max_fields + 1:
        return None
    match = _ORDINARY_LINE.fullmatch(data, 0, line_end)
    return None if match is None else (match[1], match[2], said)


def parse_request(data: bytes, max_fields: int) -> RequestHead:
    """
    :param data: everything up to and including the empty line.
    :param max_fields: how many fields there may be.
    :raises BadRequest: it is not a request that can be served; ``status`` says why (400, 405, 417, 431, 501, 505).
    """
    line_end = data.find(b"\r\n")
    match = _REQUEST_LINE.fullmatch(data, 0, line_end)
    if match is None:
        _bad_request_line(data[:line_end])
    method, target, major, minor = match.groups()
    if major != b"1":
        _bad_version(major)
    said = _section(data, line_end, minor, max_fields)
    head = RequestHead(said)
    head.method = method
    head.target = target
    head.minor = said.minor
    head.authority = said.authority
    head.host = said.host
    head.port = said.port
    head.length = said.length
    head.persistent = said.persistent
    head.expects_continue = said.expects_continue
    head.upgrade = said.upgrade
    if target[0] != 0x2F:
        _set_special_target(head)
    if method == b"CONNECT":
        raise BadRequest("The method CONNECT is not allowed here.", status=405)
    return head


def _section(data: bytes, line_end: int, minor: bytes, max_fields: int) -> _Section:
    """What the fields of a head say. They are counted before they are read, so that too many do not cost much."""
    section = data[line_end + 2 :]
    if section.count(b"\n") > max_fields + 1:
        raise HeaderTooLarge("The request has too many header fields.")
    return _read_section(section, 0) if minor == b"0" else _SECTIONS[section]


def _bad_request_line(line: bytes) -> NoReturn:
    other = _VERSION_OF_OTHERS.fullmatch(line)
    if other is not None:
        _bad_version(other[1])
    raise BadRequest("The request line is not valid HTTP.")


def _bad_version(major: bytes) -> NoReturn:
    """RFC 9110 section 15.6.6 for those after 1; 0.9 had no version at all, so this one is made up."""
    if major.lstrip(b"0") and major.lstrip(b"0") != b"1":
        raise VersionNotSupported()
    raise BadRequest("The request line is not valid HTTP.")


def _explain(error: MalformedMessage) -> NoReturn:
    """llhttp refused the fields: 501 where the reason is a coding that we do not know, else 400."""
    fields: Fields = error.args[1] if len(error.args) > 1 else []
    codings = [value for name, value in fields if name.lower() == b"transfer-encoding"]
    lengths = [value for name, value in fields if name.lower() == b"content-length"]
    if codings and not lengths:
        _check_coding(b",".join(codings))
    raise BadRequest("The request's header is not valid HTTP.") from None


def _read_section(section: bytes, minor: int) -> _Section:
    """
    :param section: the head without its first line.
    :param minor: 0 for HTTP/1.0, 1 for everything later.
    """
    try:
        check_bytes(section)
        fields = parse_request_fields(section)
    except MalformedMessage as error:
        _explain(error)
    said = _Section()
    said.fields = tuple(fields)
    said.lines = section.count(b"\n")
    said.minor = minor
    authority: bytes | None = None
    length: int | None = None
    coding = connection = expect = upgrade = None
    kind_of = _FIELDS.get
    for name, value in fields:
        kind = kind_of(name.lower())
        if kind is None:
            continue
        if kind == _HOST_FIELD:
            if authority is not None:
                raise BadRequest("The request has more than one Host.")
            authority = value.rstrip(b" \t")
        elif kind == _CONNECTION:
            connection = value if connection is None else connection + b"," + value
        elif kind == _LENGTH:
            if length is not None:
                raise BadRequest("The request has more than one Content-Length.")
            length = _length(value)
        elif kind == _CODING:
            coding = value if coding is None else coding + b"," + value
        elif kind == _EXPECT:
            expect = value if expect is None else expect + b"," + value
        elif kind == _UPGRADE:
            upgrade = value if upgrade is None else upgrade + b"," + value
    said.length = _framing(minor, length, coding)
    _set_authority(said, minor, authority)
    _set_connection(said, minor, connection, upgrade)
    said.expects_continue = _expects_continue(minor, said.length, expect)
    return said


def _remember(section: bytes) -> tuple[_Section, int]:
    said = _read_section(section, 1)
    return said, 2 * len(section) + size_of(said.fields)  # twice, since it goes upstream much as it came


# A visitor's requests have the same fields again and again: what they say in HTTP/1.1 is worked out once. There is room for
# those of three thousand browsers.
_SECTIONS = Memo(_remember, 2 * TOTAL_BYTES)


def _length(value: bytes) -> int:
    try:
        return parse_length(value)
    except MalformedMessage:
        raise BadRequest("The request's Content-Length is not a number.") from None


def _framing(minor: int, length: int | None, coding: bytes | None) -> int | None:
    """RFC 9112 section 6.3, with every doubtful case refused. :return: as `RequestHead.length`."""
    if coding is None:
        return length or 0
    if length is not None:
        raise BadRequest("The request has both Content-Length and Transfer-Encoding.")
    if minor == 0:
        raise BadRequest("HTTP/1.0 has no Transfer-Encoding.")
    _check_coding(coding)
    return None


def _check_coding(value: bytes) -> None:
    """
    Only ``chunked``, alone. Where it is one of several, the request is malformed or beyond us (RFC 9112 section 6.1).
    """
    if value.lower() == b"chunked":
        return
    names = tokens(value)
    if (
        b"chunked" in names[:-1]
        or not names
        or any(re.fullmatch(rb"[A-Za-z][A-Za-z-]*", name) is None for name in names)
    ):
        raise BadRequest("The request's Transfer-Encoding is not valid.")
    if names == [b"chunked"]:
        raise BadRequest("The request's Transfer-Encoding is not valid.")
    raise BadRequest("The request's Transfer-Encoding is not implemented.", status=501)


def _set_authority(said: _Section, minor: int, authority: bytes | None) -> None:
    """RFC 9112 section 3.2: which host the request is for."""
    if authority is None:
        if minor:
            raise BadRequest("The request has no Host.")
        authority = b""
    elif not authority and minor:
        raise BadRequest("The request's Host is empty.")
    said.authority = authority
    said.host, said.port = split_host(authority) if authority else ("", None)


def _set_special_target(head: RequestHead) -> None:
    """RFC 9112 section 3.2: the target's form where it is not a path."""
    if head.target == b"*" and head.method == b"OPTIONS":
        return
    if head.method != b"CONNECT":
        _set_absolute(head)


def _set_absolute(head: RequestHead) -> None:
    """An absolute-form target: its authority must be the ``Host``, else somebody could read the other one."""
    match = _ABSOLUTE_FORM.fullmatch(head.target)
    if match is None or not match[2]:
        raise BadRequest("The request target is not valid.")
    host, port = split_host(match[2])
    default = _DEFAULT_PORTS[match[1].decode().lower()]
    if head.authority and (host, port or default) != (head.host, head.port or default):
        raise BadRequest("The request target and Host name different hosts.")
    head.authority, head.host, head.port = match[2], host, port
    head.target = (match[3] or b"/") + (match[4] or b"")


@lru_cache(maxsize=4096)
def split_host(authority: bytes) -> tuple[str, int | None]:
    """
    :param authority: ``host`` or ``host:port``.
    :return: the host, lower case, without brackets or the dot at the end; and the port, or ``None``.
    :raises BadRequest: it is neither a name nor an address.
    """
    match = _HOST.fullmatch(authority)
    if match is None or (match[2] is not None and not 0 < int(match[2]) < 65536):
        raise BadRequest("The request's Host is not valid.")
    host = match[1].decode("ascii").lower().removesuffix(".").strip("[]")
    return host, int(match[2]) if match[2] is not None else None


def _set_connection(said: _Section, minor: int, connection: bytes | None, upgrade: bytes | None) -> None:
    said.persistent = minor == 1
    said.upgrade = b""
    if connection is None:
        return
    if connection == b"keep-alive":
        said.persistent = True
        return
    options = set(tokens(connection))
    said.persistent = b"close" not in options and (minor == 1 or b"keep-alive" in options)
    if upgrade is not None and b"upgrade" in options and minor == 1 and said.length == 0:
        if not _REFUSED_UPGRADES.intersection(tokens(upgrade)):
            said.upgrade = upgrade
    named = options - _NEVER_NAMED
    if named:
        said.fields = tuple(without_named(said.fields, named))


def _expects_continue(minor: int, length: int | None, value: bytes | None) -> bool:
    """RFC 9110 section 10.1.1."""
    if value is None or minor == 0:
        return False
    if value.lower() != b"100-continue":
        raise BadRequest("The request's expectation cannot be met.", status=417)
    return length != 0
