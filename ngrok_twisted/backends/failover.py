"""
``failover``: other backends in order; the next one is asked when the one before has nobody who answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator

from zope.interface import implementer, provider

from ngrok_twisted.backend import BackendContext
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IBackend, IBackendKind


@dataclass(frozen=True, slots=True, kw_only=True)
class FailoverConfig:
    """
    :ivar backends: ids of other backends, the preferred one first.
    """

    backends: tuple[str, ...] = ()


@provider(IBackendKind)
@implementer(IBackend)
class Failover:
    """The candidates of the first backend, then those of the second, and so on."""

    name = "failover"
    Config = FailoverConfig

    def __init__(self, config: FailoverConfig, context: BackendContext) -> None:
        self._backends = tuple(context.find(id) for id in config.backends)

    def candidates(self, flow: Flow) -> Iterator[Any]:
        """IBackend."""
        for backend in self._backends:
            yield from backend.candidates(flow)
