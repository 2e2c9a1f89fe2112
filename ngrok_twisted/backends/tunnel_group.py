"""
``tunnel_group``: the labelled tunnels of the account that carry every one of the group's labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Mapping

from zope.interface import implementer, provider

from ngrok_twisted.backend import BackendContext
from ngrok_twisted.choosing import Chooser
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IBackend, IBackendKind
from ngrok_twisted.labels import COUNT, label_problems


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelGroupConfig:
    """
    :ivar labels: pairs that a tunnel must carry: 1 to 25. Neither part holds a ``=``.
    """

    labels: Mapping[str, str]

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: with everything that no tunnel could carry.
        """
        found = list(label_problems(self.labels))
        if found:
            raise InvalidConfig(found)


@provider(IBackendKind)
@implementer(IBackend)
class TunnelGroup:
    """
    Members share the load: see `ngrok_twisted.choosing`. One that cannot be reached is passed over, and left alone for a
    while.
    """

    name = "tunnel_group"
    Config = TunnelGroupConfig
    codes = {"labels": COUNT}

    def __init__(self, config: TunnelGroupConfig, context: BackendContext) -> None:
        self._tunnels = context.tunnels
        self._selection = (context.account_id, frozenset(config.labels.items()))
        self._chooser = Chooser(context.random)

    def candidates(self, flow: Flow) -> Iterator[Any]:
        """IBackend."""
        members = self._tunnels.group(self._selection)
        return self._chooser.candidates(members, flow) if members else iter(())
