"""
Idle timeouts for many connections at once.

A `DelayedCall` that is reset for every read costs more than the read's own bookkeeping. Here a connection only notes, in
one attribute, the coarse time of its last activity; one timer per reactor looks, at each full second, at those connections
whose time may be up, and files the ones that were active meanwhile under their new due time.

::

    self._watch = IdleWatch(clock, 5 * MINUTES, self._idle)
    …
    def dataReceived(self, data):
        self._watch.touch()
    def connectionLost(self, reason):
        self._watch.stop()
"""

from __future__ import annotations

from math import ceil
from typing import Any, Callable

from twisted.logger import Logger

SECONDS = 1.0
MINUTES = 60 * SECONDS

# How coarse the timer is. A finer one would wake an idle process more often; idle timeouts are minutes.
TICK = 1 * SECONDS

# How long one look may take. Ten thousand visitors who came together, and left it at that, run out together: others are served
# in between.
LOOK = 0.005 * SECONDS


class IdleWatch:
    """
    Calls back, once, when nothing was touched for a while.

    It never fires early; it fires at most one tick (a second) late where nothing was touched, as with the limit of a handshake,
    and else at most two.

    :ivar timeout: the limit, in seconds.
    """

    __slots__ = ("timeout", "_on_idle", "_wheel", "_last", "_due")

    def __init__(self, clock: Any, timeout: float, on_idle: Callable[[], object]) -> None:
        """
        :param clock: an `IReactorTime`.
        :param timeout: seconds without a `touch` until the end.
        :param on_idle: called without arguments, once. The watch is stopped by then; an exception is logged.
        """
        self.timeout = timeout
        self._on_idle: Callable[[], object] | None = on_idle
        wheel = _wheels.get(clock)  # each connection has some watches: what can be done here is no call
        self._wheel = wheel = _wheel_of(clock) if wheel is None else wheel
        self._last = now = clock.seconds()
        self._due = due = ceil((now + timeout) / TICK) or 1  # nothing is what a stopped one has
        bucket = wheel.buckets.get(due)
        if bucket is None:
            bucket = wheel.buckets[due] = set()
        bucket.add(self)

    @property
    def running(self) -> bool:
        """Whether the callback may still come."""
        return self._due != 0

    def touch(self) -> None:
        """There was activity. Harmless on a stopped watch."""
        self._last = self._wheel.next

    def change(self, timeout: float) -> None:
        """
        Set another limit, counted from now, and start again if the watch has fired. Harmless on a stopped watch.

        :param timeout: seconds.
        """
        if self._on_idle is None:
            return
        later = self._due and timeout >= self.timeout
        self.timeout = timeout
        if later:  # it is looked at too early, and filed again
            self._last = self._wheel.next
            return
        self._last = self._wheel.clock.seconds()
        if not self._due:
            self._wheel = _wheel_of(self._wheel.clock)
            self._wheel.file(self)
        elif self._due > ceil((self._last + timeout) / TICK):
            self._wheel.take_out(self)  # the wheel goes on, even if it was the only one
            self._wheel.file(self)

    def stop(self) -> None:
        """
        The callback will not come any more, for good. Harmless when repeated.

        The watch lets go of it: a connection that holds its watch, and is held by it, would stay in memory, TLS state and
        all, until the garbage collector comes by.
        """
        self._on_idle = None
        due = self._due
        if due:  # as `_Wheel.discard`, in one call: each connection comes by here
            self._due = 0
            wheel = self._wheel
            bucket = wheel.buckets[due]
            bucket.remove(self)
            if not bucket:
                wheel.drop(due)


class _Wheel:
    """
    The watches of one clock, filed under the tick at which each may be due.

    :ivar next: the time of the next tick, in seconds: whatever is touched before it is not older.
    :ivar buckets: the watches by tick; none is empty.
    """

    _log = Logger()

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.buckets: dict[int, set[IdleWatch]] = {}
        self._await(clock.seconds())

    def _await(self, now: float) -> None:
        """The next tick: at a full second, which is what the buckets are for."""
        left = TICK - now % TICK
        self.next: float = now + left
        self._call = self.clock.callLater(left, self._tick)

    def file(self, watch: IdleWatch) -> None:
        watch._due = due = ceil((watch._last + watch.timeout) / TICK) or 1
        bucket = self.buckets.get(due)
        if bucket is None:
            bucket = self.buckets[due] = set()
        bucket.add(watch)

    def discard(self, watch: IdleWatch) -> None:
        self.take_out(watch)
        if not self.buckets:
            self._end()

    def take_out(self, watch: IdleWatch) -> None:
        bucket = self.buckets[watch._due]
        bucket.remove(watch)
        if not bucket:
            del self.buckets[watch._due]
        watch._due = 0

    def drop(self, due: int) -> None:
        """The bucket of this tick has become empty."""
        del self.buckets[due]
        if not self.buckets:
            self._end()

    def _tick(self) -> None:
        now = self.clock.seconds()
        self._await(now)
        current = int(now / TICK)
        for due in sorted(due for due in self.buckets if due <= current):
            for watch in tuple(self.buckets.get(due, ())):
                if watch in self.buckets.get(due, ()):  # else an earlier callback of this tick stopped it, or moved it
                    self._look_at(watch, now)
                    if self.clock.seconds() - now > LOOK:
                        self._look_again()
                        return

    def _look_again(self) -> None:
        """There may be more that are due: as soon as others had their turn."""
        if self._call.active():
            self._call.reset(0)

    def _look_at(self, watch: IdleWatch, now: float) -> None:
        if watch._last + watch.timeout > now:
            self.take_out(watch)
            self.file(watch)
            return
        self.discard(watch)
        on_idle = watch._on_idle
        assert on_idle is not None  # a stopped watch is in no bucket
        try:
            on_idle()
        except Exception:
            self._log.failure("an idle callback failed")

    def _end(self) -> None:
        if self._call.active():
            self._call.cancel()
        if _wheels.get(self.clock) is self:
            del _wheels[self.clock]


_wheels: dict[Any, _Wheel] = {}


def _wheel_of(clock: Any) -> _Wheel:
    """The wheel of this clock; it lives while there are watches."""
    wheel = _wheels.get(clock)
    if wheel is None:
        wheel = _wheels[clock] = _Wheel(clock)
    return wheel
