"""
The PROXY protocol's header: tells a service behind us who the visitor is, before the first byte of the stream.

Source: "The PROXY protocol", versions 1 & 2, HAProxy, sections 2.1 and 2.2. Only encoding; nothing here does I/O. Reading
is in `ngrok_twisted.net.proxy_header`.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from ngrok_twisted.net.proxy_header import SIGNATURE, Address

_PROXY_COMMAND = 0x21  # version 2, command PROXY
_TCP4, _TCP6, _UNSPEC = 0x11, 0x21, 0x00


def header(version: int, flow: Any, local: Any) -> bytes:
    """
    The header for one flow.

    :param version: 1 or 2; 0 for no header.
    :param flow: the `ngrok_twisted.flow.Flow`, whose visitor is the source.
    :param local: the address that the visitor connected to (the ``getHost()`` of its transport).
    :return: the bytes to send first, none for version 0.
    :raises ValueError: no such version.
    """
    if version == 0:
        return b""
    visitor = (flow.peer_host, flow.peer_port)
    destination = (getattr(local, "host", ""), getattr(local, "port", 0))
    if version == 1:
        return encode_v1(visitor, destination)
    if version == 2:
        return encode_v2(visitor, destination)
    raise ValueError(f"no version {version} of the PROXY protocol")


def encode_v1(visitor: Address, local: Address) -> bytes:
    """
    Version 1, a line of text; addresses that are not IP give ``PROXY UNKNOWN``.

    :param visitor: the source, host and port.
    :param local: the destination, host and port.
    """
    pair = _pair(visitor, local)
    if pair is None:
        return b"PROXY UNKNOWN\r\n"
    source, destination = pair
    return f"PROXY TCP{source.version} {source} {destination} {visitor[1]} {local[1]}\r\n".encode("ascii")


def encode_v2(visitor: Address, local: Address) -> bytes:
    """
    Version 2, binary; addresses that are not IP give an unspecified family.

    :param visitor: the source, host and port.
    :param local: the destination, host and port.
    """
    pair = _pair(visitor, local)
    if pair is None:
        return SIGNATURE + struct.pack("!BBH", _PROXY_COMMAND, _UNSPEC, 0)
    source, destination = pair
    addresses = source.packed + destination.packed + struct.pack("!HH", visitor[1], local[1])
    family = _TCP4 if source.version == 4 else _TCP6
    return SIGNATURE + struct.pack("!BBH", _PROXY_COMMAND, family, len(addresses)) + addresses


def _pair(visitor: Address, local: Address) -> tuple[IPv4Address, IPv4Address] | tuple[IPv6Address, IPv6Address] | None:
    """Both addresses in one family; ``None`` where one is no IP address."""
    source, destination = _parse(visitor[0]), _parse(local[0])
    if source is None or destination is None:
        return None
    if isinstance(source, IPv4Address) and isinstance(destination, IPv4Address):
        return source, destination
    return _as_v6(source), _as_v6(destination)


def _parse(host: str) -> IPv4Address | IPv6Address | None:
    """An address without its scope; one of IPv4 in IPv6's clothes (RFC 4291 section 2.5.5.2) is undressed."""
    try:
        parsed = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed


def _as_v6(address: IPv4Address | IPv6Address) -> IPv6Address:
    if isinstance(address, IPv6Address):
        return address
    return IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
