"""
`Draining`: how the visitors of one process are let go, before it ends.
"""

from __future__ import annotations

from typing import Any, Callable

from twisted.internet.task import deferLater

SECONDS = 1

# Kubernetes and systemd give a process 30 and 90 seconds to end; the shorter is kept.
DRAIN_TIMEOUT = 30 * SECONDS

# In a restart in place everybody else waits, so that what is in flight gets less time, unless the operator says otherwise.
RESTART_DRAIN = 3 * SECONDS

# Before that, for those who were let in and have not said yet what they want: they have just come, and do so at once.
GREETING = 1 * SECONDS

# How often a drain looks whether the last visitor has gone.
DRAIN_POLL = 0.05 * SECONDS
RESTART_POLL = 0.005 * SECONDS

# Looking for those who were just let in goes through every connection.
_GREETING_POLL = 0.02 * SECONDS


class Draining:
    """
    Of one edge.
    """

    def __init__(self, reactor: Any, plane: Any) -> None:
        """
        :param reactor: an ``IReactorTime`` and ``IReactorFDSet``.
        :param plane: the `ngrok_twisted.edge.plane.EdgePlane`.
        """
        self._reactor = reactor
        self._plane = plane

    async def greet(self) -> None:
        """Let those who were let in last say what they want."""
        visitors = self._plane.visitors
        visitors.drain(patient=True)
        await self.until(lambda: not (visitors.arriving or self._arriving()), GREETING, _GREETING_POLL)

    async def drain(self, done: Callable[[], bool], seconds: float, poll: float) -> None:
        """Let visitors finish what is in flight, for so long, and send the rest away."""
        self._plane.visitors.drain()
        await self.until(done, seconds, poll)
        self._plane.visitors.abort()

    async def until(self, true: Callable[[], bool], seconds: float, poll: float) -> None:
        """Wait until something is true, and for so long at most; look every ``poll`` seconds."""
        deadline = self._reactor.seconds() + seconds
        while not true() and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, poll)

    def _arriving(self) -> bool:
        """Whether a visitor is at the door who is not counted yet."""
        protocols = (getattr(reader, "protocol", None) for reader in self._reactor.getReaders())
        return any(getattr(protocol, "arriving", False) for protocol in protocols)
