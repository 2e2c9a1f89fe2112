"""
``/reserved_addrs``: public TCP addresses that belong to an account.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator

from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.collection import Changes, Collection
from ngrok_twisted.control.api.shapes import Ref, Seen, Texts, TextsUpdate
from ngrok_twisted.control.uses import agents_on_addresses, called, public_places, uses_of_address
from ngrok_twisted.errors import InvalidConfig, Refused
from ngrok_twisted.hostnames import split_hostport
from ngrok_twisted.records.base import Delete, Problem, Snapshot
from ngrok_twisted.records.reserved_addr import ReservedAddr

#: Random bytes that choose a port: so many that no port is more likely than another.
CHOICE_BYTES = 8

_REGION, _NONE_FREE = 500, 503


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredAddr(Texts):
    """
    :ivar addr: ``host:port``, with the host of ``tcp.host`` and a port of ``tcp.ports``. Without it a port is chosen by
        the item's name, the same one after every restart.
    """

    addr: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedAddrCreate(DeclaredAddr):
    """
    :ivar addr: ``host:port``, where the server's operator allows a choice (``tcp.allow_requested_ports``). Without it
        the server picks a free port at random.
    :ivar region: empty, or the server's.
    """

    region: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedAddrView(Seen):
    """
    :ivar addr: ``host:port``, which never changes.
    :ivar region: the server's.
    :ivar endpoint_configuration: always ``None``.
    """

    addr: str
    region: str
    endpoint_configuration: Ref | None = None


class ReservedAddrs(Collection[ReservedAddr]):
    """The collection of reserved addresses."""

    name = "reserved_addrs"
    path = "/reserved_addrs"
    list_key = "reserved_addrs"
    noun = "reserved address"
    record = ReservedAddr
    View = ReservedAddrView
    Create = ReservedAddrCreate
    Update = TextsUpdate
    Declared = DeclaredAddr
    declared_at = "reserved_addrs"
    filterable = ("id", "created_at", "description", "metadata", "addr", "region")
    codes = {"description": 504, "metadata": 505, "{}": 506}

    def about(self, body: Any) -> str:
        """Collection."""
        return str(body.addr)

    def make(self, making: Making, body: Any) -> ReservedAddr:
        """Collection."""
        region = getattr(body, "region", "")
        problems: list[Problem] = []
        if region not in ("", making.settings.region):
            message = f"this server has one region, {making.settings.region}; leave the region out"
            problems.append(Problem("region", message, code=_REGION))
        port = 0
        try:
            port = _wanted(body.addr, making) if body.addr else _chosen(making)
        except Refused as refused:
            problems.append(Problem("addr", refused.message, code=refused.code or 0))
        if problems:
            raise InvalidConfig(problems)
        return ReservedAddr(**self.common(making, body), host=making.settings.tcp_host, port=port)

    def removed(self, call: Call, record: ReservedAddr, records: Snapshot) -> Changes:
        """Collection."""
        used = next(uses_of_address(record, records), None)
        if used is not None:
            raise Refused(None, f"{record.addr} is used by {called(used)}: take it out there first, or delete that.")
        return (Delete(ReservedAddr, record.id),)

    def view(self, call: Call, record: ReservedAddr) -> ReservedAddrView:
        """Collection."""
        return ReservedAddrView(**self.seen(call, record), addr=record.addr, region=call.parts.settings.region)


def _wanted(addr: str, making: Making) -> int:
    """
    The port of an address that was asked for.

    :raises Refused: it cannot be had.
    """
    settings, ports = making.settings, making.settings.tcp_ports
    host, port = split_hostport(addr)
    if not making.declared and not settings.allow_requested_ports:
        raise Refused(None, "the server chooses the port: leave addr out")
    if host != settings.tcp_host:
        raise Refused(None, f"its host must be tcp.host, which is {settings.tcp_host}")
    if port not in ports:
        raise Refused(None, f"its port must be one of tcp.ports, which is {ports[0]}-{ports[-1]}")
    holder = agents_on_addresses(making.live.values()).get((host, port))
    if holder is not None and holder.account_id != making.account_id:
        raise Refused(None, f"an agent of another account has {host}:{port} right now; choose another port")
    return port


def _chosen(making: Making) -> int:
    """
    A free port at random. Declared addresses have one already: see `ngrok_twisted.control.addresses`.

    :raises Refused: there is none.
    """
    ports, taken = making.settings.tcp_ports, set(_taken(making))
    free = [port for port in ports if port not in taken]
    if not free:
        raise Refused(_NONE_FREE, f"all {len(ports)} public TCP ports of this server are taken; delete one first")
    return free[int.from_bytes(making.random_bytes(CHOICE_BYTES), "big") % len(free)]


def _taken(making: Making) -> Iterator[int]:
    """The ports that somebody has reserved or uses."""
    host = making.settings.tcp_host
    for record in making.records.all(ReservedAddr):
        if record.host == host:
            yield record.port
    for known, port in agents_on_addresses(making.live.values()):
        if known == host:
            yield port
    for _, known, text in public_places(making.records):
        if known == host:
            yield int(text)


reserved_addrs = ReservedAddrs()
