"""
``weighted``: other backends that share the load in fixed proportions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping

from zope.interface import implementer, provider

from ngrok_twisted.backend import BackendContext
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IBackend, IBackendKind
from ngrok_twisted.records.base import Problem

#: ngrok's bound of a weight.
WEIGHT_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedConfig:
    """
    :ivar backends: ids of other backends to their weights, 0 to 10,000; 0 takes no share.
    """

    backends: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: with every weight that is out of range.
        """
        message = f"a weight is from 0 to {WEIGHT_MAX} (ERR_NGROK_6512)"
        found = [
            Problem(f"backends.{id}", message) for id, weight in self.backends.items() if not 0 <= weight <= WEIGHT_MAX
        ]
        if found:
            raise InvalidConfig(found)


class _Share:
    """One backend, its weight and what it is owed."""

    __slots__ = ("backend", "weight", "credit")

    def __init__(self, backend: Any, weight: int) -> None:
        self.backend = backend
        self.weight = weight
        self.credit = 0


@provider(IBackendKind)
@implementer(IBackend)
class Weighted:
    """
    Smooth weighted round robin: over any run of as many flows as the weights add up to, each backend gets exactly its
    share, spread out evenly. A backend without candidates is passed over in favour of the one that is owed most.
    """

    name = "weighted"
    Config = WeightedConfig

    def __init__(self, config: WeightedConfig, context: BackendContext) -> None:
        self._shares = [_Share(context.find(id), weight) for id, weight in config.backends.items() if weight > 0]
        self._total = sum(share.weight for share in self._shares)

    def candidates(self, flow: Flow) -> Iterator[Any]:
        """IBackend."""
        if not self._shares:
            return
        for share in self._shares:
            share.credit += share.weight
        order = sorted(self._shares, key=lambda share: -share.credit)
        order[0].credit -= self._total
        for share in order:
            yield from share.backend.candidates(flow)
