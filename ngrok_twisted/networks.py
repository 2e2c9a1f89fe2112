"""
IP networks: reading CIDR blocks the way ngrok's API wants them written, and finding out fast whether an address is in any
of many.

An IPv4 address in IPv6 form (``::ffff:192.0.2.1``, RFC 4291 section 2.5.5.2) is the IPv4 address. IPv4 and IPv6 are
otherwise two worlds: ``::/0`` holds no IPv4 address.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET, AF_INET6, inet_pton
from typing import Iterable

from ngrok_twisted.errors import Refused

#: Bits of an address by the version of IP.
BITS = {4: 32, 6: 128}

# What stands above the 32 bits of an IPv4 address in IPv6 form.
_MAPPED = 0xFFFF

# ngrok's numbers for what can be wrong with a CIDR block in an IP policy.
BAD_SYNTAX, HOST_BITS, NO_MASK = 1406, 1409, 1413

#: Characters of foreign text that a message repeats.
SHOWN = 60


@dataclass(frozen=True, slots=True)
class Network:
    """
    One CIDR block (RFC 4632, RFC 4291 section 2.3).

    :ivar version: 4 or 6.
    :ivar first: its lowest address, as a number.
    :ivar length: the bits of its prefix.
    """

    version: int
    first: int
    length: int

    @property
    def last(self) -> int:
        """Its highest address, as a number."""
        return self.first | (1 << BITS[self.version] - self.length) - 1

    def __str__(self) -> str:
        return f"{_text(self.version, self.first)}/{self.length}"


def parse_network(text: str, *, bare: bool = False) -> Network:
    """
    :param text: such as ``192.0.2.0/24`` or ``2001:db8::/32``: the lowest address of the block, and the prefix' length.
    :param bare: an address without a length is a block of one address.
    :raises Refused: with ngrok's code, and with the text to write instead where there is one.
    """
    address, slash, length = text.partition("/")
    found = _address(address)
    if found is None:
        raise Refused(BAD_SYNTAX, f"'{text[:SHOWN]}' is not a CIDR block such as 192.0.2.0/24 or 2001:db8::/32")
    version, number = found
    if not slash and not bare:
        whole = _unmapped(version, number, BITS[version])
        raise Refused(NO_MASK, f"'{text[:SHOWN]}' has no mask; write {whole} for this one address")
    bits = _length(length, version) if slash else BITS[version]
    if bits is None:
        raise Refused(BAD_SYNTAX, f"'{text[:SHOWN]}' needs a mask from /0 to /{BITS[version]}")
    lowest = number >> BITS[version] - bits << BITS[version] - bits
    if lowest != number:
        whole = _unmapped(version, lowest, bits)
        raise Refused(HOST_BITS, f"'{text[:SHOWN]}' does not start at its lowest address; write {whole}")
    return _unmapped(version, number, bits)


def _address(text: str) -> tuple[int, int] | None:
    """The version and the number of an address, exactly as it is written: a list of agents' wishes may hold thousands."""
    try:
        if ":" in text:
            return 6, int.from_bytes(inet_pton(AF_INET6, text), "big")
        return 4, int.from_bytes(inet_pton(AF_INET, text), "big")
    except (OSError, ValueError):  # ValueError: a NUL, or a letter that no address has
        return None


def _length(text: str, version: int) -> int | None:
    canonical = text.isascii() and text.isdigit() and len(text) <= 3 and text == str(int(text))
    return int(text) if canonical and int(text) <= BITS[version] else None


def _unmapped(version: int, number: int, bits: int) -> Network:
    """The block, as one of IPv4 if all its addresses are of IPv4 in IPv6 form."""
    if version == 6 and number >> 32 == _MAPPED and bits >= 96:
        return Network(4, number & 0xFFFFFFFF, bits - 96)
    return Network(version, number, bits)


def _text(version: int, number: int) -> str:
    return str(IPv4Address(number) if version == 4 else IPv6Address(number))


def parse_host(host: str) -> tuple[int, int] | None:
    """
    The address of a peer, quickly.

    :param host: as a transport gives it; a zone behind ``%`` (RFC 4007 section 11) is passed over.
    :return: the version and the number, or ``None`` for what is no IP address.
    """
    found = _address(host.partition("%")[0] if ":" in host else host)
    if found is not None and found[0] == 6 and found[1] >> 32 == _MAPPED:
        return 4, found[1] & 0xFFFFFFFF
    return found


class NetworkSet:
    """
    Any number of networks as sorted, disjoint ranges: a look-up is one binary search, however many there are.
    """

    __slots__ = ("_borders",)

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        found = tuple(networks)
        self._borders = {
            version: _borders((network.first, network.last) for network in found if network.version == version)
            for version in BITS
        }

    def __contains__(self, address: tuple[int, int]) -> bool:
        """
        :param address: as `parse_host` gives it.
        """
        # An odd number of borders at or below the address: it is behind a beginning and before its end.
        return bisect_right(self._borders[address[0]], address[1]) & 1 == 1

    def __bool__(self) -> bool:
        return any(self._borders.values())


def _borders(ranges: Iterable[tuple[int, int]]) -> list[int]:
    """Where the union of the ranges begins, ends, begins again…; an end is the number behind the last one."""
    borders: list[int] = []
    for first, last in sorted(ranges):
        if borders and first <= borders[-1]:
            borders[-1] = max(borders[-1], last + 1)
        else:
            borders += (first, last + 1)
    return borders


@dataclass(frozen=True, slots=True)
class Admission:
    """
    Who may come in, by what one policy says.

    :ivar allowed: addresses that some rule allows.
    :ivar denied: addresses that some rule denies.
    """

    allowed: NetworkSet
    denied: NetworkSet


#: What a policy without rules says: nothing.
NO_RULES = Admission(NetworkSet(), NetworkSet())


def admits(admissions: Iterable[Admission], host: str) -> bool:
    """
    Whether an address may come in by the rules of several policies together: at least one rule allows it, and none denies
    it.

    :param host: the peer's IP address. Whatever is no IP address may not come in.
    """
    address = parse_host(host)
    if address is None:
        return False
    allowed = False
    for admission in admissions:
        if address in admission.denied:
            return False
        allowed = allowed or address in admission.allowed
    return allowed
