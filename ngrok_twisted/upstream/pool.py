"""
`Pool`: connections to targets that wait for the next request.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.upstream.http2_pool import SharedConnections

SECONDS = 1.0

# Per target, at rest. A burst leaves more, and they are kept until the next look: closing them at once would have the
# following requests dial again.
MAX_IDLE = 32

# Per target, in any case.
MAX_IDLE_AFTER_BURST = 256

# How long a connection may wait. Common servers close theirs after 5 to 75 seconds.
IDLE_TIMEOUT = 30 * SECONDS

# How often idle connections are looked at; one is closed at most this much too late.
SWEEP_INTERVAL = 5 * SECONDS

# A request that must not be sent twice only gets a connection that was in use a moment ago: the shortest common keep-alive
# timeout of servers is 5 s, and a connection that the server is just closing would be an error for the visitor.
FRESH = 2 * SECONDS


class Pool:
    """
    Idle connections, by target, the last used first. A target is remembered only while it has idle connections.

    :ivar shared: `SharedConnections` to those targets that speak HTTP/2.
    """

    def __init__(self, clock: Any, *, max_idle: int = MAX_IDLE, idle_timeout: float = IDLE_TIMEOUT) -> None:
        """
        :param clock: an `IReactorTime`.
        :param max_idle: connections per target that may rest.
        :param idle_timeout: seconds that a connection may wait.
        """
        self._clock = clock
        self._max_idle = max_idle
        self._idle_timeout = idle_timeout
        self._idle: dict[Any, list[Any]] = {}
        self._sweep: Any = None
        self.shared = SharedConnections(clock)

    def __len__(self) -> int:
        return sum(map(len, self._idle.values()))

    def take(self, target: Any, now: float, must_be_fresh: bool) -> Any:
        """
        :param now: seconds on the clock.
        :param must_be_fresh: only one that was in use within the last two seconds will do.
        :return: an idle connection, which is the caller's from now on; or ``None``.
        """
        waiting = self._idle.get(target)
        if not waiting or (must_be_fresh and waiting[-1].idle_since + FRESH < now):
            return None
        connection = waiting.pop()
        if not waiting:
            del self._idle[target]
        return connection

    def put(self, connection: Any, now: float) -> bool:
        """
        :param connection: an `ngrok_twisted.upstream.exchange.UpstreamConnection` between two requests.
        :param now: seconds on the clock.
        :return: whether it was taken in; if not, the caller closes it.
        """
        target = connection.target
        if getattr(target, "crowded", False):
            return False
        waiting = self._idle.get(target)
        if waiting is None:
            waiting = self._idle[target] = []
        elif len(waiting) >= MAX_IDLE_AFTER_BURST:
            return False
        connection.idle_since = now
        waiting.append(connection)
        if self._sweep is None:
            self._sweep = self._clock.callLater(SWEEP_INTERVAL, self._look)
        return True

    def discard(self, connection: Any) -> None:
        """An idle connection was closed by its other end."""
        waiting = self._idle.get(connection.target, [])
        if connection in waiting:
            waiting.remove(connection)
            if not waiting:
                del self._idle[connection.target]

    def forget(self, target: Any) -> None:
        """A target is gone: close its idle connections, which would keep its agent waiting."""
        self.shared.forget(target)
        for connection in self._idle.pop(target, ()):
            connection.close()

    def spare(self, target: Any) -> bool:
        """
        Close the idle connection of a target that has waited longest: there is no room for others.

        :return: whether there was one.
        """
        waiting = self._idle.get(target)
        if not waiting:
            return False
        connection = waiting.pop(0)
        if not waiting:
            del self._idle[target]
        connection.close()
        return True

    def close(self) -> None:
        """Close every idle connection, and the others when they have answered."""
        self.shared.close()
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        idle, self._idle = self._idle, {}
        for waiting in idle.values():
            for connection in waiting:
                connection.close()

    def _look(self) -> None:
        """Close what waited too long, and what a burst left and nobody used since the last look."""
        self._sweep = None
        now = self._clock.seconds()
        for target, waiting in list(self._idle.items()):
            surplus = len(waiting) - self._max_idle
            kept = []
            old = []
            for index, connection in enumerate(waiting):
                waited = now - connection.idle_since
                if waited >= self._idle_timeout or (index < surplus and waited >= SWEEP_INTERVAL):
                    old.append(connection)
                else:
                    kept.append(connection)
            if kept:
                self._idle[target] = kept
            else:
                del self._idle[target]
            for connection in old:
                connection.close()
        if self._idle:
            self._sweep = self._clock.callLater(SWEEP_INTERVAL, self._look)
