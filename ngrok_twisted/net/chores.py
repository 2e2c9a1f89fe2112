"""
`Chores`: work that takes long and may wait a little, a few milliseconds of it in each turn of the reactor.

A thousand agents that come back at the same moment are a second of signatures and handshakes. Visitors need next to nothing
each, so that they go first: whatever has arrived for them is served between two portions of the other.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger

MILLISECONDS = 0.001

#: How long chores go on in one turn. One may take longer: it is not interrupted.
PORTION = 2 * MILLISECONDS


class Chores:
    """
    A queue that is worked off in order. Who puts something in bounds how much that can be.
    """

    _log = Logger()
    __slots__ = ("_clock", "_waiting", "_due")

    def __init__(self, clock: Any) -> None:
        """:param clock: an `IReactorTime`."""
        self._clock = clock
        self._waiting: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._due = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, call: Callable[..., object], *arguments: Any) -> None:
        """Make this call in this turn or a later one, never at once. What it raises is logged."""
        self._waiting.append((call, arguments))
        if not self._due:
            self._due = True
            self._clock.callLater(0, self._work)

    def done(self) -> Deferred[None]:
        """:return: fires with ``None`` when all is done that was added so far."""
        done: Deferred[None] = Deferred()
        self.add(done.callback, None)
        return done

    def _work(self) -> None:
        clock, waiting = self._clock, self._waiting
        until = clock.seconds() + PORTION
        while waiting:
            call, arguments = waiting.popleft()
            try:
                call(*arguments)
            except Exception:
                self._log.failure("something that was put off failed")
            if clock.seconds() >= until:
                break
        if waiting:
            clock.callLater(0, self._work)
        else:
            self._due = False
