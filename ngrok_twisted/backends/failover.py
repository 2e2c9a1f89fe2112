"""
``failover``: other backends in order; the next one is asked when nobody of the one before can be reached. Once somebody was
reached there is no way back, whatever the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator

from zope.interface import implementer, provider

from ngrok_twisted.backend import BackendContext
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IBackend, IBackendKind
from ngrok_twisted.records.base import Problem

#: Backends of one failover (specification of edges, section 3.1).
CHILDREN_MAX = 10

#: ngrok's number for too many, or none.
_COUNT = 6513


@dataclass(frozen=True, slots=True, kw_only=True)
class FailoverConfig:
    """
    :ivar backends: ids of other backends, the preferred one first: 1 to 10.
    """

    backends: tuple[str, ...]

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: there is none, or there are too many.
        """
        if not 1 <= len(self.backends) <= CHILDREN_MAX:
            raise InvalidConfig([Problem("backends", f"must name 1 to {CHILDREN_MAX} backends", code=_COUNT)])


@provider(IBackendKind)
@implementer(IBackend)
class Failover:
    """The candidates of the first backend, then those of the second, and so on."""

    name = "failover"
    Config = FailoverConfig
    codes = {"backends": _COUNT}

    def __init__(self, config: FailoverConfig, context: BackendContext) -> None:
        self._backends = tuple(context.find(id) for id in config.backends)

    def candidates(self, flow: Flow) -> Iterator[Any]:
        """IBackend."""
        for backend in self._backends:
            yield from backend.candidates(flow)
