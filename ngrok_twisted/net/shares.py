"""
`Shares`: work that may take long gets a little of each turn of the reactor, one party after the other, so that nobody else waits
long for it, and no party for the work of another.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any, Callable, Hashable

from twisted.logger import Logger

#: Seconds of each turn of the reactor that all such work may take: a visitor's request waits for three or four turns. A piece
#: of work that has begun is not interrupted.
SHARE = 0.002

Work = Callable[[], object]


class Shares:
    """
    What waits, by parties, and how much of this turn is used up.
    """

    _log = Logger()
    __slots__ = ("_clock", "_waiting", "_spent", "_due", "_working")

    def __init__(self, clock: Any) -> None:
        """
        :param clock: an `IReactorTime`.
        """
        self._clock = clock
        self._waiting: OrderedDict[Hashable, deque[Work]] = OrderedDict()
        self._spent = 0.0
        self._due = self._working = False

    def do(self, party: Hashable, work: Work) -> None:
        """
        Do something: now if nobody waits and this turn is not used up, or else when it is the party's turn. It is never done
        inside other such work. What it raises is logged.
        """
        if self._working or self._waiting or self._spent >= SHARE:
            self._waiting.setdefault(party, deque()).append(work)
        else:
            self._work(work)
        if not self._due:
            self._due = True
            self._clock.callLater(0, self._turn)

    def _turn(self) -> None:
        self._due = False
        self._spent = 0.0
        waiting = self._waiting
        while waiting and self._spent < SHARE:
            party, queue = waiting.popitem(last=False)
            work = queue.popleft()
            if queue:
                waiting[party] = queue  # behind all others
            self._work(work)
        if self._spent and not self._due:
            self._due = True
            self._clock.callLater(0, self._turn)

    def _work(self, work: Work) -> None:
        seconds = self._clock.seconds
        begun = seconds()
        self._working = True
        try:
            work()
        except Exception:
            self._log.failure("a share of work failed")
        finally:
            self._working = False
            self._spent += max(0.0, seconds() - begun)
