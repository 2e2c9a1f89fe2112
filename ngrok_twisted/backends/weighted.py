"""
``weighted``: other backends that share the load in fixed proportions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Mapping

from zope.interface import implementer, provider

from ngrok_twisted.backend import BackendContext
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IBackend, IBackendKind
from ngrok_twisted.records.base import Problem

#: ngrok's bound of a weight.
WEIGHT_MAX = 10_000

#: Backends of one weighted one (specification of edges, section 3.1).
CHILDREN_MAX = 25

#: ngrok's numbers for too many backends, or none, and for a weight that is out of range.
_COUNT, _WEIGHT = 6511, 6512


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedConfig:
    """
    :ivar backends: ids of 1 to 25 other backends to their weights, 0 to 10,000; 0 takes no share.
    """

    backends: Mapping[str, int]

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: with every weight that is out of range.
        """
        found = [
            Problem(f"backends.{id}", f"a weight is from 0 to {WEIGHT_MAX}", code=_WEIGHT)
            for id, weight in self.backends.items()
            if not 0 <= weight <= WEIGHT_MAX
        ]
        if not 1 <= len(self.backends) <= CHILDREN_MAX:
            found.append(Problem("backends", f"must name 1 to {CHILDREN_MAX} backends", code=_COUNT))
        if found:
            raise InvalidConfig(found)


class _Share:
    """
    One backend and its weight.

    :ivar credit: what it is owed, in flows times the sum of all weights.
    """

    __slots__ = ("backend", "weight", "credit")

    def __init__(self, backend: Any, weight: int) -> None:
        self.backend = backend
        self.weight = weight
        self.credit = 0


@provider(IBackendKind)
@implementer(IBackend)
class Weighted:
    """
    After any number of flows each backend was asked first as often as its weight says, give or take less than one flow; over
    as many flows as the weights add up to, exactly so.

    Each turn goes to the backend whose next flow is due first, of those that are owed one by now (Baruah, Cohen, Plaxton,
    Varvel, "Proportionate Progress", 1996, for one resource; the plain smooth round robin has no such bound).

    If nobody of it can be reached, the others are drawn by their weights. A weighted backend inside another one leaves that
    to the outer: it is the outer that says what comes next.
    """

    name = "weighted"
    Config = WeightedConfig
    codes = {"backends": _COUNT}

    def __init__(self, config: WeightedConfig, context: BackendContext) -> None:
        self._shares = [_Share(context.find(id), weight) for id, weight in config.backends.items()]
        self._shares = [share for share in self._shares if share.weight]
        self._total = sum(share.weight for share in self._shares)
        self._random = context.random
        self._nested = context.nested

    def candidates(self, flow: Flow) -> Iterator[Any]:
        """IBackend."""
        if not self._shares:
            return
        first = self._next()
        yield from first.backend.candidates(flow)
        if self._nested:
            return
        rest = [share for share in self._shares if share is not first]
        while rest:
            (share,) = self._random.choices(rest, [share.weight for share in rest])
            rest.remove(share)
            yield from share.backend.candidates(flow)

    def _next(self) -> _Share:
        """Whose turn it is. Somebody is owed something, since all together are owed one flow."""
        total, first = self._total, self._shares[0]
        soonest = -total
        for share in self._shares:
            share.credit += share.weight
            if share.credit > 0:
                # turns from now until it must have had its next flow; as a negative number, division rounds it up
                due = (share.credit - total) // share.weight
                if due > soonest:
                    first, soonest = share, due
        first.credit -= total
        return first
