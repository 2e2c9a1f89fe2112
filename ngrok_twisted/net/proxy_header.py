"""
`read_header`: the PROXY header that a load balancer puts in front of a connection, to say where it came from.

Source: "The PROXY protocol", versions 1 & 2, HAProxy, sections 2.1 and 2.2. Whatever that text does not allow is refused, and
nothing is guessed: what is read here decides who may come in. Pure; `ngrok_twisted.net.announced` reads from connections.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from struct import unpack_from

#: What version 2 begins with; no other protocol does.
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"

#: What version 1 begins with.
_WORD = b"PROXY "

#: The longest line of version 1, with its end.
LINE_MAX = 107

#: The most bytes of a header of version 2. Addresses take 52; the rest is for extensions, which are passed over: HAProxy,
#: AWS and others send some hundred bytes of them.
HEADER_MAX = 4096

# Version and command, family and protocol, and the length of the rest follow the signature.
_FIXED = len(SIGNATURE) + 4

_LOCAL, _PROXY = 0x20, 0x21
_UNSPECIFIED, _TCP4, _TCP6, _UNIX = 0x00, 0x11, 0x21, 0x31

# What comes before the extensions, by the family.
_ADDRESS_BYTES = {_UNSPECIFIED: 0, _TCP4: 12, _TCP6: 36, _UNIX: 216}

# A host, as an IP address in text form, and a port.
Address = tuple[str, int]


class BadProxyHeader(Exception):
    """A connection does not begin with a PROXY header, or with a wrong one; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyHeader:
    """
    :ivar size: how many bytes it takes.
    :ivar source: where the connection came from; ``None`` if the sender speaks for itself (a health check), or does not know.
    :ivar destination: where it was made to; ``None`` likewise.
    """

    size: int
    source: Address | None = None
    destination: Address | None = None


def read_header(data: bytes) -> ProxyHeader | None:
    """
    :param data: the connection's first bytes.
    :return: ``None`` as long as there are too few.
    :raises BadProxyHeader: more would not make it good.
    """
    if data.startswith(_WORD):
        return _line(data)
    if data.startswith(SIGNATURE):
        return _binary(data)
    if _WORD.startswith(data) or SIGNATURE.startswith(data):
        return None
    raise BadProxyHeader("no PROXY header")


# -- version 1 ---------------------------------------------------------------------------------------------------------


def _line(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\n", 0, LINE_MAX)
    if end < 0:
        if len(data) >= LINE_MAX:
            raise BadProxyHeader("the line is too long")
        return None
    line = data[:end]
    if line[-1:] != b"\r" or b"\r" in line[:-1]:
        raise BadProxyHeader("the line does not end with CRLF")
    words = line[:-1].split(b" ")
    if words[1] == b"UNKNOWN":
        return ProxyHeader(size=end + 1)  # the rest of the line is to be passed over
    if len(words) != 6 or words[1] not in (b"TCP4", b"TCP6"):
        raise BadProxyHeader("the line is not of the form PROXY TCP4 source destination port port")
    make = IPv4Address if words[1] == b"TCP4" else IPv6Address
    source, destination = ((_host(host, make), _port(port)) for host, port in zip(words[2:4], words[4:]))
    return ProxyHeader(size=end + 1, source=source, destination=destination)


def _host(word: bytes, make: type[IPv4Address] | type[IPv6Address]) -> str:
    try:
        address = make(word.decode("ascii"))
    except (AddressValueError, UnicodeDecodeError):
        raise BadProxyHeader("an address is none") from None
    if b"%" in word:
        raise BadProxyHeader("an address has a zone")
    return _text(address)


def _port(word: bytes) -> int:
    if not (word.isdigit() and len(word) <= 5 and (word[:1] != b"0" or word == b"0") and int(word) <= 0xFFFF):
        raise BadProxyHeader("a port is none")
    return int(word)


# -- version 2 ---------------------------------------------------------------------------------------------------------


def _binary(data: bytes) -> ProxyHeader | None:
    if len(data) < _FIXED:
        return None
    command, family, length = unpack_from("!BBH", data, len(SIGNATURE))
    if command not in (_LOCAL, _PROXY):
        raise BadProxyHeader(f"version and command are {command:#04x}")
    if command == _PROXY and family not in _ADDRESS_BYTES:
        raise BadProxyHeader(f"family and protocol are {family:#04x}, which is no stream")
    size = _FIXED + length
    if size > HEADER_MAX:
        raise BadProxyHeader(f"it would take {size} bytes")
    if command == _PROXY and length < _ADDRESS_BYTES[family]:
        raise BadProxyHeader("it is too short for its addresses")
    if len(data) < size:
        return None
    if command == _LOCAL:
        return ProxyHeader(size=size)
    _check_extensions(data[_FIXED + _ADDRESS_BYTES[family] : size])
    if family not in (_TCP4, _TCP6):
        return ProxyHeader(size=size)
    source, destination = _pair(data, 4 if family == _TCP4 else 16)
    return ProxyHeader(size=size, source=source, destination=destination)


def _pair(data: bytes, width: int) -> tuple[Address, Address]:
    """The two addresses, of so many bytes each, and behind them their ports."""
    make = IPv4Address if width == 4 else IPv6Address
    hosts = (_text(make(data[start : start + width])) for start in (_FIXED, _FIXED + width))
    ports = unpack_from("!HH", data, _FIXED + 2 * width)
    source, destination = zip(hosts, ports)
    return source, destination


def _check_extensions(data: bytes) -> None:
    """
    :raises BadProxyHeader: they are not a row of types, lengths and values.
    """
    place = 0
    while place < len(data):
        if place + 3 > len(data):
            raise BadProxyHeader("an extension is cut off")
        (length,) = unpack_from("!H", data, place + 1)
        place += 3 + length
    if place > len(data):
        raise BadProxyHeader("an extension is cut off")


def _text(address: IPv4Address | IPv6Address) -> str:
    """An IPv4 address in IPv6 form (RFC 4291 section 2.5.5.2) is an IPv4 address, as everywhere here."""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(address if mapped is None else mapped)
