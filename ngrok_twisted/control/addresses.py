"""
The ports of declared TCP addresses: those that the config names, and those that it leaves to us.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any, Sequence

from ngrok_twisted.control.lists import Item
from ngrok_twisted.control.ownership import ReservationSettings
from ngrok_twisted.errors import Refused
from ngrok_twisted.hostnames import split_hostport
from ngrok_twisted.records.base import Problem

#: The list whose items may leave their port to us.
LIST = "reserved_addrs"


def with_ports(items: Sequence[Item], settings: ReservationSettings, found: list[Problem]) -> list[Item]:
    """
    The same items, each address that names no port with one.

    A port that is not named follows from the item's name alone, so that it stays the same across restarts and machines;
    only where two names fall on one port does the later one move to the next free port.

    :param found: takes a problem for each address that has no name, and for each that there is no port left for; such items
        come back without a body.
    """
    mine = [item for item in items if item.list.place == LIST and item.body is not None]
    taken = {port for item in mine if (port := _port(item.body.addr)) is not None}
    if len(mine) > len(settings.tcp_ports):
        first, last = settings.tcp_ports[0], settings.tcp_ports[-1]
        found.append(Problem(LIST, f"there are more addresses than ports in tcp.ports ({first}-{last})"))
    return [
        _chosen(item, settings, taken, found) if item.list.place == LIST and item.body and not item.body.addr else item
        for item in items
    ]


def _chosen(item: Item, settings: ReservationSettings, taken: set[int], found: list[Problem]) -> Item:
    if not item.name:
        said = "needs a name or an addr: without an addr the port is chosen by the name"
        found.append(Problem(item.path, said))
    port = _free_port(item.name, settings.tcp_ports, taken) if item.name else None
    if port is None:
        return replace(item, body=None)
    taken.add(port)
    body: Any = replace(item.body, addr=f"{settings.tcp_host}:{port}")
    return replace(item, body=body)


def _port(addr: str) -> int | None:
    try:
        return split_hostport(addr)[1] if addr else None
    except Refused:
        return None


def _free_port(name: str, ports: range, taken: set[int]) -> int | None:
    start = int.from_bytes(sha256(name.encode("utf-8")).digest()[:8], "big")
    for step in range(len(ports)):
        port = ports[(start + step) % len(ports)]
        if port not in taken:
            return port
    return None
