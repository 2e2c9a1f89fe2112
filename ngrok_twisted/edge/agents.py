"""
`AgentBackend`: the choice behind an agent endpoint, alone or in a pool.
"""

from __future__ import annotations

from random import Random
from typing import Any, Iterator

from zope.interface import implementer

from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IBackend
from ngrok_twisted.tunnels import Tunnels


@implementer(IBackend)
class AgentBackend:
    """
    One online tunnel, any one of them at random. A pool does not retry elsewhere when the chosen member fails: its
    members are equals, but each speaks for itself.
    """

    def __init__(self, endpoint_ids: tuple[str, ...], tunnels: Tunnels, random: Random) -> None:
        """
        :param endpoint_ids: the endpoint, or all members of its pool.
        """
        self._endpoint_ids = endpoint_ids
        self._tunnels = tunnels
        self._random = random

    def candidates(self, flow: Flow) -> Iterator[Any]:
        """IBackend."""
        online = [tunnel for id in self._endpoint_ids if (tunnel := self._tunnels.serving(id)) is not None]
        if len(online) > 1:
            online = [online[int(self._random.random() * len(online))]]
        return iter(online)
