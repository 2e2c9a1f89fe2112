"""
The ports of declared TCP addresses: those that the config names, and those that it leaves to us.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from ngrok_twisted.control.config import Config
from ngrok_twisted.errors import Refused
from ngrok_twisted.hostnames import split_hostport


def chosen_ports(config: Config) -> list[tuple[Any, int]]:
    """
    Every declared address with its port, in the order of the config.

    A port that is not named follows from the item's name alone, so that it stays the same across restarts and machines;
    only where two names fall on one port does the later one move to the next free port.

    :return: pairs of an item and a port; without the items whose address cannot be read, and those that find no port.
    """
    named = {id(item): _port(item.addr) for item in config.reserved_addrs if item.addr}
    taken = {port for port in named.values() if port is not None}
    chosen = []
    for item in config.reserved_addrs:
        port = named[id(item)] if item.addr else _free_port(config, item.name, taken)
        if port is not None:
            taken.add(port)
            chosen.append((item, port))
    return chosen


def _port(addr: str) -> int | None:
    try:
        return split_hostport(addr)[1]
    except Refused:
        return None


def _free_port(config: Config, name: str, taken: set[int]) -> int | None:
    first, size = config.tcp.ports.first, config.tcp.ports.last - config.tcp.ports.first + 1
    start = int.from_bytes(sha256(name.encode("utf-8")).digest()[:8], "big")
    for step in range(size):
        port = first + (start + step) % size
        if port not in taken:
            return port
    return None
