"""
`Strangers`: connections that nobody has proved anything about yet, all together and by network.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any, Hashable


class Strangers:
    """
    Bounds how many there are. One IPv4 /24 or IPv6 /48 counts as one network; loopback is only part of the total, since a
    front that relays arrives from there.
    """

    def __init__(self, total: int, per_network: int) -> None:
        """
        :param total: how many there may be at a time.
        :param per_network: how many of one network.
        """
        self._total = total
        self._per_network = per_network
        self._networks: dict[Hashable, str] = {}
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._networks)

    def crowded(self, address: Any) -> bool:
        """
        :param address: an `IAddress`.
        :return: whether one more from there must be turned away.
        """
        network = network_of(getattr(address, "host", ""))
        return bool(network and self._counts[network] >= self._per_network) or len(self._networks) >= self._total

    def add(self, stranger: Hashable, address: Any) -> None:
        """One has arrived."""
        network = network_of(getattr(address, "host", ""))
        self._networks[stranger] = network
        self._counts[network] += 1

    def discard(self, stranger: Hashable) -> None:
        """It has proved who it is, or is gone. Harmless when repeated."""
        network = self._networks.pop(stranger, None)
        if network is None:
            return
        self._counts[network] -= 1
        if not self._counts[network]:
            del self._counts[network]


@lru_cache(maxsize=1024)  # asked twice for each that comes, and many come back
def network_of(host: str) -> str:
    """:return: the network that an IP address is counted under; empty where only the total counts."""
    try:
        address = ip_address(host)
    except ValueError:
        return ""
    if address.is_loopback:
        return ""
    return str(ip_network(f"{host}/{24 if address.version == 4 else 48}", strict=False))
