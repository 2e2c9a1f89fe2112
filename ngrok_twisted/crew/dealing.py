"""
`Dealer`: which process the next agent is given to. Pure.
"""

from __future__ import annotations

from collections import deque
from typing import Callable, Collection

from ngrok_twisted.edge.homes import MAIN

SECONDS = 1.0

#: Until an agent that was let in has logged in and is counted as a session, or will never be. A login takes a few milliseconds,
#: and in a storm of a thousand some seconds.
LOGIN_LAG = 3 * SECONDS


class Dealer:
    """
    Gives each agent to the process with the fewest; among equals they take turns.
    """

    def __init__(self, sessions_at: Callable[[int], int], clock: Callable[[], float]) -> None:
        """
        :param sessions_at: how many sessions of agents a process has.
        :param clock: gives the time in seconds.
        """
        self._sessions_at = sessions_at
        self._clock = clock
        self._dealt: dict[int, deque[float]] = {}
        self._turn = 0

    def next(self, workers: Collection[int]) -> int:
        """
        :param workers: those that take agents now.
        :return: the number of one of them, or that of the main process.
        """
        places = (MAIN, *sorted(workers))
        for gone in self._dealt.keys() - set(places):
            del self._dealt[gone]
        self._turn = (self._turn + 1) % len(places)
        now = self._clock()
        place = min((*places[self._turn :], *places[: self._turn]), key=lambda place: self._burden(place, now))
        self._dealt.setdefault(place, deque()).append(now)
        return place

    def _burden(self, place: int, now: float) -> int:
        """The sessions of a process, and those that are about to be."""
        dealt = self._dealt.get(place, ())
        while dealt and dealt[0] + LOGIN_LAG < now:
            dealt.popleft()  # type: ignore[union-attr]
        return self._sessions_at(place) + len(dealt)
