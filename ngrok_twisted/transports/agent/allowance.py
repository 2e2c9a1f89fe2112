"""
`Allowance`: what an agent may cost this server. Before its login that is next to nothing.

Some of what an agent may do by the protocol is cheap for it, dear for us, and of no use in numbers, above all streams that it
opens and leaves. The bytes of visitors are not counted here: they are what a connection is for.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.net.bucket import Bucket
from ngrok_twisted.transports.agent.limits import AgentLimits


class Allowance:
    """
    That of one connection.

    :ivar known: the agent has proved who it is.
    """

    __slots__ = ("known", "_clock", "_limits", "_opened", "_streams", "_bytes", "_requests")

    def __init__(self, clock: Any, limits: AgentLimits) -> None:
        """
        :param clock: an `IReactorTime`.
        """
        self.known = False
        self._clock = clock
        self._limits = limits
        self._opened = 0
        self._streams = Bucket(clock, limits.strangers_opened, 0)
        self._bytes = limits.strangers_bytes
        self._requests = limits.strangers_requests

    def let_in(self) -> None:
        """It has logged in."""
        self.known = True
        self._streams = Bucket(self._clock, self._limits.opened_at_once, self._limits.opened_per_second)

    def may_send(self, size: int) -> bool:
        """
        :param size: bytes that have come.
        """
        self._bytes -= size
        return self.known or self._bytes >= 0

    def may_open(self, total: int) -> bool:
        """
        :param total: how many streams it has opened so far.
        """
        more, self._opened = total - self._opened, total
        return not more or self._streams.spend(more)

    def may_ask(self) -> bool:
        """For each request."""
        self._requests -= 1
        return self.known or self._requests >= 0
