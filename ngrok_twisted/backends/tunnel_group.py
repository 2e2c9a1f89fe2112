"""
``tunnel_group``: the labelled tunnels of the account that carry every one of the group's labels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping

from zope.interface import implementer, provider

from ngrok_twisted.backend import BackendContext
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IBackend, IBackendKind


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelGroupConfig:
    """
    :ivar labels: pairs that a tunnel must carry, at least one.
    """

    labels: Mapping[str, str] = field(default_factory=dict)


@provider(IBackendKind)
@implementer(IBackend)
class TunnelGroup:
    """
    Every flow starts at a random member and goes on to the others in turn, so that members share the load and a dead one
    is passed over.
    """

    name = "tunnel_group"
    Config = TunnelGroupConfig

    def __init__(self, config: TunnelGroupConfig, context: BackendContext) -> None:
        self._labels = dict(config.labels)
        self._context = context

    def candidates(self, flow: Flow) -> Iterator[Any]:
        """IBackend."""
        members = self._context.tunnels.matching(self._context.account_id, self._labels)
        count = len(members)
        if count < 2:
            return iter(members)
        first = int(self._context.random.random() * count)
        return iter(members[first:] + members[:first])
