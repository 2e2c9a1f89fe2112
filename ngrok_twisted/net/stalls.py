"""
`Stalls`: how long the turns of the event loop take. Between two looks for events nobody new is served, so that the longest
turn is the longest that anybody waits for this process alone.

The reactor reads the clock twice a turn for it, some 0.1 microseconds, so that it is always on.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import add

#: Upper bounds in seconds of the parts of the histogram. Turns up to the first are only counted: a whole storm is made of them.
BOUNDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class Stalls:
    """
    Counts turns.

    :ivar woken: when the present turn began, in seconds of ``time.monotonic``; the reactor's.
    :ivar turns: how many there were.
    :ivar seconds: how long they took together.
    """

    __slots__ = ("woken", "turns", "seconds", "_longest", "_spread")

    def __init__(self) -> None:
        self.woken = 0.0
        self.turns = 0
        self.seconds = 0.0
        self._longest = 0.0
        self._spread = [0] * len(BOUNDS)

    def note(self, seconds: float) -> None:
        """:param seconds: how long a turn took that exceeded the first of `BOUNDS`."""
        self._spread[bisect_left(BOUNDS, seconds) - 1] += 1
        if seconds > self._longest:
            self._longest = seconds

    def add(self, other: Stalls) -> None:
        """Count the turns of another process as well."""
        self.turns += other.turns
        self.seconds += other.seconds
        self._longest = max(self._longest, other._longest)
        self._spread = [*map(add, self._spread, other._spread)]

    def spread(self) -> tuple[int, ...]:
        """The turns by the first of `BOUNDS` that they did not exceed; the last is for the longer ones."""
        return (self.turns - sum(self._spread), *self._spread)

    def take_longest(self) -> float:
        """The longest turn since this was asked before, in seconds; 0 where none exceeded the first of `BOUNDS`."""
        longest, self._longest = self._longest, 0.0
        return longest
