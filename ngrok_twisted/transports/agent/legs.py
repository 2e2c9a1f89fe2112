"""
`Legs`: the connections of one agent, and the visitors who wait until one of them has room.

An agent of the Rust family ends when it has too many streams, so each connection has a bound (specification of the agent
protocol, section 3.8, L1); one of the Go family refuses streams that come too fast (L2), so there is another one for those that
it has not come to (`ngrok_twisted.transports.agent.pace`). A visitor beyond either waits for a while, and then reads 503.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator

from twisted.internet.defer import Deferred, fail, maybeDeferred

from ngrok_twisted.errors import Overloaded, TunnelLost

SECONDS = 1.0

# While visitors wait, agents are given the benefit of the doubt this often: see `Pace.ease`. Every agent that is known says
# within a round trip, and its own queue, that it has come to a stream.
EASE_INTERVAL = 1 * SECONDS

# So many times as many may wait as long as no stream has to end for them, but the agent only to come to those it was sent: that
# takes milliseconds.
FOR_THE_AGENT = 2

#: What a visitor reads whom an agent has no room for.
_FULL = "The agent has as many open connections as it can take. Please try again in a moment."


class Leg:
    """
    One connection of an agent.

    :ivar connection: the `ngrok_twisted.transports.agent.connection.AgentConnection`.
    :ivar number: the agent's number for it: 0 for the first, or only, one.
    :ivar work: requests of the agent on it that are being answered.
    """

    __slots__ = ("connection", "number", "work")

    def __init__(self, connection: Any, number: int) -> None:
        self.connection = connection
        self.number = number
        self.work: set[Deferred[Any]] = set()

    def give_up(self) -> None:
        """Nobody waits for the answers any more."""
        for work in tuple(self.work):
            work.cancel()


class Legs:
    """
    Those of one session.

    :ivar when_full: called once for each who waits for another one's end: whoever can do without a stream may end it.
    """

    def __init__(self, clock: Any, max_waiting: int, wait_seconds: float) -> None:
        """
        :param clock: an `IReactorTime`.
        :param max_waiting: how many visitors may wait until a stream ends; more are turned away at once.
        :param wait_seconds: how long one waits.
        """
        self._clock = clock
        self._max_waiting = max_waiting
        self._wait_seconds = wait_seconds
        self._all: dict[int, Leg] = {}
        self._waiting: dict[_Waiting, None] = {}
        self._untold: dict[_Waiting, None] = {}  # those for whom `when_full` was not called
        self._easing: Any = None
        self.when_full: Callable[[], object] = lambda: None

    def __iter__(self) -> Iterator[Leg]:
        return iter(tuple(self._all.values()))

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, leg: Leg) -> bool:
        return self._all.get(leg.number) is leg

    @property
    def crowded(self) -> bool:
        """Whether anybody waits until a stream ends."""
        return bool(self._waiting) and any(leg.connection.full for leg in self._all.values())

    def find(self, number: int) -> Leg | None:
        """The leg that the agent gives this number, or ``None``."""
        return self._all.get(number)

    def add(self, leg: Leg) -> None:
        """An agent has come on it."""
        self._all[leg.number] = leg

    def remove(self, leg: Leg) -> None:
        """It is gone, or is to be."""
        if leg in self:
            del self._all[leg.number]

    def open(self, tunnel: Any, header: bytes, factory: Any) -> Deferred[Any]:
        """
        Open a stream on the least busy of the legs on which a tunnel is ready; where none is yet, or none has room, wait.

        :param tunnel: the `ngrok_twisted.transports.agent.tunnel.AgentTunnel`.
        :param header: see `ngrok_twisted.transports.agent.proxying`.
        :return: a Deferred that fires with the protocol, at once where there is room. It fails with `TunnelLost` or
            `Overloaded`.
        """
        leg = _freest(tunnel)
        if leg is not None:
            return maybeDeferred(leg.connection.open_proxied, header, factory)
        if not tunnel.bound:
            return fail(TunnelLost())
        full = _full(tunnel)
        if len(self._waiting) >= self._max_waiting * (1 if full else FOR_THE_AGENT):
            return fail(Overloaded(_FULL))
        waiting = _Waiting(tunnel, header, factory, self._leave)
        waiting.call = self._clock.callLater(self._wait_seconds, waiting.fail, Overloaded(_FULL))
        self._waiting[waiting] = None
        if self._easing is None:
            self._easing = self._clock.callLater(EASE_INTERVAL, self._ease)
        if full:
            self.when_full()
        else:
            self._untold[waiting] = None
        return waiting.opened

    def room_made(self) -> None:
        """
        A stream has ended, or an agent expects visitors from now on: whoever has waited longest among those who can use the
        room gets it.
        """
        for waiting in tuple(self._waiting):
            if not any(leg.connection.room > 0 for leg in self._all.values()):
                break
            leg = _freest(waiting.tunnel) if waiting in self._waiting else None
            if leg is not None:
                waiting.proceed(leg)
        if self._untold and self.crowded:
            self._tell_full()

    def _tell_full(self) -> None:
        """There were too few streams for `when_full` when these came, but for some there are too many now."""
        untold, self._untold = self._untold, {}  # what is ended makes room, and comes by here
        for waiting in untold:
            if waiting in self._waiting:
                if _full(waiting.tunnel):
                    self.when_full()
                else:
                    self._untold[waiting] = None

    def forget(self, tunnel: Any) -> None:
        """A tunnel accepts nobody any more."""
        for waiting in tuple(self._waiting):
            if waiting.tunnel is tunnel and waiting in self._waiting:
                waiting.fail(TunnelLost())

    def _ease(self) -> None:
        self._easing = self._clock.callLater(EASE_INTERVAL, self._ease)
        for leg in self:
            leg.connection.ease()
        self.room_made()  # there may be some of which nobody said anything

    def _leave(self, waiting: _Waiting) -> None:
        self._waiting.pop(waiting, None)
        self._untold.pop(waiting, None)
        if not self._waiting and self._easing is not None:
            self._easing.cancel()
            self._easing = None


class _Waiting:
    """
    One visitor who waits.

    :ivar tunnel: where to.
    :ivar opened: fires with the protocol.
    :ivar call: the end of the wait.
    """

    def __init__(self, tunnel: Any, header: bytes, factory: Any, leave: Callable[[_Waiting], None]) -> None:
        self.tunnel = tunnel
        self.opened: Deferred[Any] = Deferred(lambda _: self._end())
        self.call: Any = None
        self._header = header
        self._factory = factory
        self._leave = leave

    def proceed(self, leg: Leg) -> None:
        """There is room on a leg."""
        self._end()
        maybeDeferred(leg.connection.open_proxied, self._header, self._factory).chainDeferred(self.opened)

    def fail(self, error: Exception) -> None:
        """There is none, and will not be."""
        self._end()
        self.opened.errback(error)

    def _end(self) -> None:
        self._leave(self)
        if self.call.active():
            self.call.cancel()


def _full(tunnel: Any) -> bool:
    """Whether one of the legs has no room until a stream ends."""
    return any(leg.connection.full for leg in tunnel.ready)


def _freest(tunnel: Any) -> Leg | None:
    """The leg with the most room, ``None`` if none has any."""
    ready: tuple[Leg, ...] = tunnel.ready
    if len(ready) == 1:
        return ready[0] if ready[0].connection.room > 0 else None
    leg = max(ready, key=lambda leg: leg.connection.room, default=None)
    return leg if leg is not None and leg.connection.room > 0 else None
