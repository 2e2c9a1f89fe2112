"""
`RollingLimit`: at most so many in any minute, counted for each of many callers.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from ipaddress import IPv6Address, ip_address
from typing import Any

SECONDS = 1
MINUTE = 60 * SECONDS

#: Callers that are counted at a time; beyond it the one that was silent for longest is forgotten. One takes up to 12 KiB, in
#: the worst case of a request in each second.
CALLERS_MAX = 10_000

#: Bits of an IPv6 address that one customer has at least (RFC 6177): counting single addresses would count nobody.
_IPV6_BITS = 64


class RollingLimit:
    """
    Counts by whole seconds, so that a busy caller costs sixty numbers and not one for each request.
    """

    def __init__(self, clock: Any, most: int) -> None:
        """
        :param clock: an ``IReactorTime``.
        :param most: how many in any minute; 0 for no limit.
        """
        self._clock = clock
        self._most = most
        self._callers: OrderedDict[str, deque[tuple[int, int]]] = OrderedDict()

    def wait(self, caller: str) -> int:
        """
        :return: the seconds until one more of this caller is within the limit; 0 for now.
        """
        counts = self._counts(caller)
        surplus = sum(count for _, count in counts) - self._most
        if not self._most or surplus < 0:
            return 0
        for second, count in counts:
            surplus -= count
            if surplus < 0:
                return second + MINUTE - self._now()
        return MINUTE

    def count(self, caller: str) -> None:
        """One more of this caller."""
        if not self._most:
            return
        counts, now = self._counts(caller), self._now()
        if counts and counts[-1][0] == now:
            counts[-1] = (now, counts[-1][1] + 1)
        else:
            counts.append((now, 1))
        self._callers[caller] = counts
        self._callers.move_to_end(caller)
        if len(self._callers) > CALLERS_MAX:
            self._callers.popitem(last=False)

    def _counts(self, caller: str) -> deque[tuple[int, int]]:
        """The seconds of the last minute in which there were any, each with how many."""
        counts = self._callers.get(caller)
        if counts is None:
            return deque()
        since = self._now() - MINUTE
        while counts and counts[0][0] <= since:
            counts.popleft()
        return counts

    def _now(self) -> int:
        return int(self._clock.seconds())


def neighbourhood(host: str) -> str:
    """
    What counts as one address: an IPv4 address, or the network of an IPv6 address.

    :param host: an IP address in text form; anything else is taken as it is.
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> _IPV6_BITS << _IPV6_BITS))
