"""
`SharedConnections`: connections to targets that speak HTTP/2, each for many requests at a time.

A request takes the first connection that has room. Where none has, another is dialled, and the request waits for whichever
has room first; the wait and the queue have bounds.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, Hashable

from twisted.internet.defer import Deferred, TimeoutError, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from ngrok_twisted.errors import EdgeError, Overloaded, TunnelLost
from ngrok_twisted.upstream.http2_connection import MAX_STREAMS, SharedConnection

_log = Logger()

SECONDS = 1.0

# The least that waiting takes, so that it differs from not waiting at all.
MICROSECOND = 1e-6 * SECONDS

#: Per target. With as many streams on each as most services allow, thousands of requests are on their way.
MAX_CONNECTIONS = 32

#: Requests that wait for room, per target.
MAX_WAITING = 1000

#: For room. Whoever waits longer is better told so.
WAIT_TIMEOUT = 15 * SECONDS

#: Opens a connection; the Deferred fires with the `SharedConnection`.
Dial = Callable[[], Deferred[SharedConnection]]


class SharedConnections:
    """
    Connections by target, and by what else makes them differ. What is not in use is not remembered.
    """

    def __init__(
        self,
        clock: Any,
        *,
        max_connections: int = MAX_CONNECTIONS,
        max_waiting: int = MAX_WAITING,
        wait_timeout: float = WAIT_TIMEOUT,
    ) -> None:
        """
        :param clock: an `IReactorTime`.
        :param max_connections: per target.
        :param max_waiting: requests per target that may wait.
        :param wait_timeout: seconds that one may wait.
        """
        self.clock = clock
        self.max_connections = max_connections
        self.max_waiting = max_waiting
        self.wait_timeout = wait_timeout
        self._groups: dict[Any, dict[Hashable, _Group]] = {}

    def __len__(self) -> int:
        """How many connections there are."""
        return sum(len(group.connections) for groups in self._groups.values() for group in groups.values())

    def take(self, target: Any, variant: Hashable) -> Any:
        """
        :param target: the `ITarget`.
        :param variant: requests with another one cannot use the same connections.
        :return: an `ngrok_twisted.upstream.http2.HTTP2Exchange` on a connection that has room, to be started at once; or
            ``None``.
        """
        groups = self._groups.get(target)
        group = groups.get(variant) if groups is not None else None
        return group.take() if group is not None else None

    def reach(self, target: Any, variant: Hashable, dial: Dial) -> Deferred[Any]:
        """
        Wait for room.

        :param dial: opens another connection.
        :return: a Deferred that fires with an `HTTP2Exchange` to be started at once. It fails with what dialling failed
            with, with `Overloaded` if there is no room in time, or with `TunnelLost` if the target goes away.
        """
        group = self._groups.setdefault(target, {}).get(variant)
        if group is None:
            group = self._groups[target][variant] = _Group(self, target, variant)
        return group.reach(dial)

    def forget(self, target: Any) -> None:
        """A target is gone: its connections take no more requests, and close when they have answered those they have."""
        for group in self._groups.pop(target, {}).values():
            group.end()

    def close(self) -> None:
        """Forget all targets."""
        for target in tuple(self._groups):
            self.forget(target)

    def dissolve(self, group: _Group) -> None:
        """A group has nothing left."""
        groups = self._groups.get(group.target)
        if groups is not None and groups.get(group.variant) is group:
            del groups[group.variant]
            if not groups:
                del self._groups[group.target]


class _Group:
    """
    The connections to one target that are alike.

    :ivar connections: those that take requests, the oldest first.
    """

    def __init__(self, shared: SharedConnections, target: Any, variant: Hashable) -> None:
        self.target = target
        self.variant = variant
        self.connections: list[SharedConnection] = []
        self._shared = shared
        self._waiting: deque[Deferred[Any]] = deque()
        self._dialling: set[Deferred[Any]] = set()
        self._dial: Dial | None = None
        self._capacity = 0  # of one connection; 0 as long as none has told it
        self._over = False

    def take(self) -> Any:
        if not self._waiting:
            for connection in self.connections:
                if connection.room > 0:
                    return connection.exchange()
        return None

    def reach(self, dial: Dial) -> Deferred[Any]:
        if len(self._waiting) >= self._shared.max_waiting:
            return fail(Overloaded())
        begun = self._shared.clock.seconds()
        waiting: Deferred[Any] = Deferred(self._given_up)
        waiting.addTimeout(self._shared.wait_timeout, self._shared.clock)
        self._waiting.append(waiting)
        self._dial = dial
        self._dial_if_needed()

        def reached(exchange: Any) -> Any:
            exchange.dialled = max(self._shared.clock.seconds() - begun, MICROSECOND)
            return exchange

        def failed(failure: Failure) -> Any:
            failure.trap(TimeoutError)
            raise Overloaded("The local service takes no more requests at the moment.")

        return waiting.addCallbacks(reached, failed)

    def _given_up(self, waiting: Deferred[Any]) -> None:
        """Its time is over, or its visitor is gone."""
        if waiting in self._waiting:
            self._waiting.remove(waiting)
        self._dissolve_if_empty()

    def _dial_if_needed(self) -> None:
        """More connections, if those that are being dialled will not be enough."""
        for _ in range(self._shared.max_connections - len(self.connections) - len(self._dialling)):
            if self._dial is None or len(self._waiting) <= len(self._dialling) * (self._capacity or MAX_STREAMS):
                return
            dialling = self._dial()
            self._dialling.add(dialling)
            dialling.addCallbacks(self._connected, self._failed, (dialling,), {}, (dialling,))

    def _connected(self, connection: SharedConnection, dialling: Deferred[Any]) -> None:
        self._dialling.discard(dialling)
        if self._over:
            connection.retire()
            return
        self.connections.append(connection)
        if self._capacity:
            connection.expect(self._capacity)
        connection.owned_by(self)

    def _failed(self, failure: Failure, dialling: Deferred[Any]) -> None:
        self._dialling.discard(dialling)
        if not failure.check(EdgeError):
            _log.failure("dialling {target} failed", failure=failure, target=getattr(self.target, "id", ""))
        if not self.connections and not self._dialling:
            self._fail_all(failure)
        self._dissolve_if_empty()

    def _fail_all(self, failure: Failure) -> None:
        waiting, self._waiting = self._waiting, deque()
        for one in waiting:
            one.errback(failure)

    def has_room(self, connection: SharedConnection) -> None:
        """`SharedConnection.owned_by`."""
        if connection.settled:
            self._capacity = connection.capacity
        while self._waiting and connection.room > 0:
            self._waiting.popleft().callback(connection.exchange())
        if connection.settled:
            self._dial_if_needed()
        self._dissolve_if_empty()

    def has_gone(self, connection: SharedConnection) -> None:
        """`SharedConnection.owned_by`."""
        if connection in self.connections:
            self.connections.remove(connection)
        if not self._over:
            self._dial_if_needed()
        self._dissolve_if_empty()

    def end(self) -> None:
        """The target is gone."""
        self._over = True
        self._dial = None
        connections, self.connections = self.connections, []
        for connection in connections:
            connection.retire()
        self._fail_all(Failure(TunnelLost()))
        for dialling in tuple(self._dialling):
            dialling.cancel()

    def _dissolve_if_empty(self) -> None:
        if not (self.connections or self._waiting or self._dialling):
            self._dial = None
            self._shared.dissolve(self)
