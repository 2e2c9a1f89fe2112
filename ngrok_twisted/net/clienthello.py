"""
Reads the first message of a TLS connection, without I/O and without answering it.

The front on port 443 asks it for which name a connection is, then hands the very same bytes to whoever serves that name.

Sources: RFC 8446 section 4.1.2 (ClientHello), 5.1 (records); RFC 6066 section 3 (server name); RFC 7301 section 3.1 (ALPN).

What is decided about names: they are compared in lower case; a name that is no host name (a NUL, a trailing dot, a space,
an empty label, a numeric last label) makes the whole hello invalid; an IP literal, which RFC 6066 forbids but some clients
send, counts as no name at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from struct import Struct

# ngrok's limit for a handshake message; post-quantum hellos have about 2 KB, real ones never reach 17 KB.
MAX_HELLO_BYTES = 64 * 1024

# The same with room for the headers of a hello that is split over many records.
MAX_WIRE_BYTES = 2 * MAX_HELLO_BYTES

MAX_RECORD_BYTES = 16 * 1024  # RFC 8446 section 5.1

_HANDSHAKE = 22
_CLIENT_HELLO = 1
_SERVER_NAME = 0
_ALPN = 16
_SUPPORTED_VERSIONS = 43

# How other protocols that are spoken to the wrong port begin.
_STARTS = {
    **dict.fromkeys(
        (
            b"GET ",
            b"HEAD ",
            b"POST ",
            b"PUT ",
            b"DELETE ",
            b"CONNECT ",
            b"OPTIONS ",
            b"TRACE ",
            b"PATCH ",
            b"PRI * HTTP/2.0\r\n",
        ),
        "http",
    ),
    b"SSH-": "ssh",
}

# The head of an extension: its type and its size (RFC 8446 section 4.2).
_EXTENSION = Struct(">HH")

# Hellos that are remembered: how many, and the largest size in bytes of what they are made of, which is above that of the longest
# host name (253). At most a megabyte.
REMEMBERED = 1024
REMEMBERED_BYTES = 300

# How a connection begins: a record's head, of the message the type and size, and the least that has room for both.
_BEGINNING = Struct(">BBBHBBH")
_SHORTEST = _BEGINNING.size

_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\Z")


class ClientHelloError(Exception):
    """The first bytes of a connection are not a usable ClientHello."""


class NotTLS(ClientHelloError):
    """
    The visitor speaks something else.

    :ivar looks_like: ``"http"``, ``"ssh"``, or an empty string.
    """

    def __init__(self, looks_like: str = "") -> None:
        self.looks_like = looks_like
        super().__init__(f"not TLS but {looks_like.upper()}" if looks_like else "not TLS")

    @property
    def looks_like_http(self) -> bool:
        """Whether it is plain HTTP."""
        return self.looks_like == "http"


class BadClientHello(ClientHelloError):
    """It is TLS, but broken: too large, malformed, or with a name that is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientHello:
    """
    :ivar server_name: the host asked for, lower-case ASCII, or ``None``.
    :ivar alpn: the application protocols offered, in the client's order.
    :ivar versions: the TLS versions offered as numbers (0x0304 is TLS 1.3), in the client's order; unknown numbers
        (GREASE, RFC 8701) are among them.
    """

    server_name: str | None
    alpn: tuple[bytes, ...]
    versions: tuple[int, ...]


class ClientHelloParser:
    """
    Takes the stream in pieces of any size.

    The caller keeps the bytes that it feeds: nothing is taken away from the connection.
    """

    def __init__(self) -> None:
        self._wire = bytearray()
        self._consumed = 0
        self._message = bytearray()
        self._result: ClientHello | ClientHelloError | None = None

    def feed(self, data: bytes) -> ClientHello | None:
        """
        :param data: the next bytes of the connection.
        :return: the hello once it is complete, else ``None``. What follows it is ignored.
        :raises NotTLS: the visitor speaks another protocol.
        :raises BadClientHello: the hello is broken or too large.
        """
        if self._result is None:
            try:
                self._result = None if self._wire or self._consumed else whole_hello(data)
                if self._result is None:
                    self._wire += data
                    self._result = self._advance()
            except ClientHelloError as error:
                self._result = error
            except IndexError:
                self._result = BadClientHello("a length in the ClientHello lies")
        if isinstance(self._result, ClientHelloError):
            raise self._result
        return self._result

    def _advance(self) -> ClientHello | None:
        """Consume every complete record; one unit after the other, so that the way the data was split cannot matter."""
        if not self._consumed and self._wire and self._wire[0] != _HANDSHAKE:
            _refuse_start(bytes(self._wire))
            return None
        while len(self._wire) >= 5:
            length = _record_length(self._wire)
            if self._consumed + 5 + length > MAX_WIRE_BYTES:
                raise BadClientHello("the ClientHello is too large")
            if len(self._wire) < 5 + length:
                return None
            self._message += self._wire[5 : 5 + length]
            del self._wire[: 5 + length]
            self._consumed += 5 + length
            if self._complete():
                return _parse(bytes(self._message), 4)
        return None

    def _complete(self) -> bool:
        """Whether the handshake message is all there."""
        message = self._message
        if message[0] != _CLIENT_HELLO:
            raise BadClientHello("the first handshake message is not a ClientHello")
        if len(message) < 4:
            return False
        length = int.from_bytes(message[1:4])
        if length > MAX_HELLO_BYTES:
            raise BadClientHello("the ClientHello is too large")
        if len(message) > 4 + length:
            raise BadClientHello("something follows the ClientHello in its record")
        return len(message) == 4 + length


def whole_hello(data: bytes) -> ClientHello | None:
    """
    :param data: the first bytes of a connection.
    :return: the hello, if that is how nearly all come: in one record with nothing else in it, and all there.
    :raises BadClientHello: as `ClientHelloParser.feed`.
    """
    if len(data) < _SHORTEST:
        return None
    kind, major, _, record, message, high, length = _BEGINNING.unpack_from(data)
    if kind != _HANDSHAKE or major != 3 or message != _CLIENT_HELLO or high:
        return None
    if not length + 4 == record <= MAX_RECORD_BYTES or len(data) < record + 5:
        return None
    try:
        return _parse(data, _SHORTEST)
    except IndexError:
        raise BadClientHello("a length in the ClientHello lies") from None


def _refuse_start(start: bytes) -> None:
    """
    :raises NotTLS: unless it takes more bytes to say what it is.
    """
    for known, protocol in _STARTS.items():
        if start.startswith(known):
            raise NotTLS(protocol)
    if not any(known.startswith(start) for known in _STARTS):
        raise NotTLS()


def _record_length(wire: bytearray) -> int:
    """The length of the record that starts here."""
    if wire[0] != _HANDSHAKE or wire[1] != 3:
        raise BadClientHello("a record that is no handshake stands before the end of the ClientHello")
    length = int.from_bytes(wire[3:5])
    if not 0 < length <= MAX_RECORD_BYTES:
        raise BadClientHello("a record has an invalid length")
    return length


class _Reader:
    """Walks over a byte string. Every method raises IndexError where it would pass the end."""

    __slots__ = ("_data", "_at", "_end")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._end = len(data)

    def __bool__(self) -> bool:
        return self._at < self._end

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def take(self, size: int) -> bytes:
        start = self._at
        if start + size > self._end:
            raise IndexError
        self._at = start + size
        return self._data[start : start + size]

    def vector(self, size: int) -> bytes:
        """A string whose length stands before it in ``size`` bytes."""
        start = self._at + size
        if start > self._end:
            raise IndexError
        at = start + int.from_bytes(self._data[self._at : start])
        if at > self._end:
            raise IndexError
        self._at = at
        return self._data[start:at]


def _parse(data: bytes, at: int) -> ClientHello:
    """
    A ClientHello's body, RFC 8446 section 4.1.2. It is walked over by numbers: an object for the place would take as long again.

    :param data: has nothing else behind it but whole records.
    :param at: where the body begins, behind the head of the message.
    :raises IndexError: a length in it lies.
    """
    end = at + int.from_bytes(data[at - 3 : at])
    if at + 35 > end:
        raise IndexError
    legacy_version = data[at] << 8 | data[at + 1]
    if data[at] != 3:
        raise BadClientHello("the ClientHello's version is not one of TLS")
    size = data[at + 34]
    if size > 32:
        raise BadClientHello("the session id is too long")
    at += 35 + size
    if at + 2 > end:
        raise IndexError
    size = data[at] << 8 | data[at + 1]
    if not size or size % 2:
        raise BadClientHello("the list of cipher suites is malformed")
    at += 2 + size
    if at >= end:
        raise IndexError
    if not data[at]:
        raise BadClientHello("the list of compression methods is empty")
    at += 1 + data[at]
    if at > end:
        raise IndexError
    found = _extensions(data, at, end) if at < end else {}
    return _told(found.get(_SERVER_NAME), found.get(_ALPN), found.get(_SUPPORTED_VERSIONS), legacy_version)


def _extensions(data: bytes, at: int, end: int) -> dict[int, bytes]:
    """Extensions by type; RFC 8446 section 4.2 forbids two of a kind. A browser sends about twenty."""
    if at + 2 > end:
        raise IndexError
    at, all_of_them = at + 2, at + 2 + (data[at] << 8 | data[at + 1])
    if all_of_them > end:
        raise IndexError
    if all_of_them < end:
        raise BadClientHello("something follows the extensions")
    found: dict[int, bytes] = {}
    count = 0
    unpack = _EXTENSION.unpack_from
    last = end - 4
    while at <= last:
        kind, size = unpack(data, at)
        at += 4
        found[kind] = data[at : at + size]
        at += size
        count += 1
    if at != end:
        raise IndexError
    if len(found) != count:
        raise BadClientHello("an extension stands there twice")
    return found


def _told(name: bytes | None, alpn: bytes | None, versions: bytes | None, legacy_version: int) -> ClientHello:
    """
    The same names, protocols and versions make the same hello: the names of an edge are few, and so are the browsers. Only what
    is short is remembered.
    """
    if len(name or b"") + len(alpn or b"") + len(versions or b"") <= REMEMBERED_BYTES:
        return _remembered(name, alpn, versions, legacy_version)
    return _understood(name, alpn, versions, legacy_version)


def _understood(name: bytes | None, alpn: bytes | None, versions: bytes | None, legacy_version: int) -> ClientHello:
    return ClientHello(
        server_name=_server_name(name), alpn=_alpn(alpn), versions=_versions(versions) or (legacy_version,)
    )


def _server_name(data: bytes | None) -> str | None:
    """RFC 6066 section 3: a list that holds exactly one name, a host name."""
    if data is None:
        return None
    outer = _Reader(data)
    names = _Reader(outer.vector(2))
    if names.number(1) != 0:
        raise BadClientHello("the server name is of an unknown type")
    name = names.vector(2)
    if names or outer:
        raise BadClientHello("the server name extension is malformed")
    return _host(name)


def _host(name: bytes) -> str | None:
    """
    :return: the name in lower case; ``None`` for an IP literal.
    """
    try:
        host = name.decode("ascii").lower()
    except UnicodeDecodeError:
        raise BadClientHello("the server name is not ASCII") from None
    if ":" in host or host[-1:].isdigit():
        try:
            ip_address(host)
        except ValueError:
            pass
        else:
            return None
    if not _HOST_NAME.match(host) or host.rpartition(".")[2].isdigit():
        raise BadClientHello("the server name is not a host name")
    return host


def _alpn(data: bytes | None) -> tuple[bytes, ...]:
    """RFC 7301 section 3.1."""
    if data is None:
        return ()
    outer = _Reader(data)
    names = _Reader(outer.vector(2))
    found: list[bytes] = []
    while names:
        found.append(names.vector(1))
    if outer or not found or b"" in found:
        raise BadClientHello("the ALPN extension is malformed")
    return tuple(found)


def _versions(data: bytes | None) -> tuple[int, ...]:
    """RFC 8446 section 4.2.1; without the extension, which a client of TLS 1.2 does not have, nothing."""
    if data is None:
        return ()
    outer = _Reader(data)
    versions = outer.vector(1)
    if outer or not versions or len(versions) % 2:
        raise BadClientHello("the supported_versions extension is malformed")
    return tuple(int.from_bytes(versions[at : at + 2]) for at in range(0, len(versions), 2))


_remembered = lru_cache(maxsize=REMEMBERED)(_understood)
