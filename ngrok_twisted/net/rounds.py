"""
`Rounds`: something is done for each of many connections once in a while, for a part of them at a time.

A call of the reactor's for each costs more the more there are: ten thousand are sorted by thirteen comparisons each, a thousand
times a second, and each wakes the process by itself. Here a few dozen *stations* are gone round; whoever joins waits at the one
that was visited last, and is visited a whole round later, and again after each further round. Those of one station are visited
together, so that what is sent to them leaves in one turn.
"""

from __future__ import annotations

from typing import Any, Callable

from twisted.logger import Logger

SECONDS = 1.0

# Stations of a round: ten thousand members are 250 at each, whose visit takes some milliseconds.
STATIONS = 40

# How long visits go on in one turn of the reactor.
VISIT = 0.002 * SECONDS

# Members of a station, each with what is to be called.
Station = dict[Any, Callable[[], object]]


class Rounds:
    """
    One period, and all who are visited once in it.
    """

    __slots__ = ("_clock", "_step", "_stations", "_begun", "_visited", "_waiting", "_call", "_count")

    _log = Logger()

    def __init__(self, clock: Any, period: float) -> None:
        """
        :param clock: an `IReactorTime`.
        :param period: seconds from one visit to the next.
        """
        self._clock = clock
        self._step = period / STATIONS
        self._stations: list[Station] = [{} for _ in range(STATIONS)]
        self._begun = 0.0
        self._visited = 0  # how many stations, since it began
        self._waiting: list[tuple[Station, Any]] = []  # members of a station whose visit has begun
        self._call: Any = None
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def join(self, member: Any, visit: Callable[[], object]) -> Station:
        """
        :param member: who it is, to leave again.
        :param visit: called once a period from now on; what it raises is logged.
        :return: the station where it waits, for `leave`.
        """
        if not self._count:
            self._begun, self._visited = self._clock.seconds(), 0
        station = self._stations[self._visited % STATIONS]
        self._count += member not in station
        station[member] = visit
        if self._call is None:
            self._call = self._clock.callLater(self._step, self._go_on)
        return station

    def leave(self, member: Any, station: Station) -> None:
        """
        Be visited no more. Harmless when repeated.

        :param station: where it waits.
        """
        if station.pop(member, None) is None:
            return
        self._count -= 1
        if not self._count:
            self._waiting.clear()
            if self._call is not None:
                self._call.cancel()
                self._call = None

    def _go_on(self) -> None:
        """Visit as many as the turn has time for."""
        clock = self._clock
        self._call = None
        now, begun = clock.seconds(), self._begun
        due = int((now - begun) / self._step + 1e-9)  # a clock's sum of steps falls short by less
        self._visited = max(self._visited, due - STATIONS)  # after a pause nobody is visited twice
        until = now + VISIT
        while (
            self._waiting or self._visited < due
        ) and self._begun == begun:  # else all have left, and others have joined
            if not self._waiting:
                self._visited += 1
                station = self._stations[self._visited % STATIONS]
                self._waiting = [(station, member) for member in reversed(station)]
            elif self._visit_next() and clock.seconds() >= until:
                break
        if self._count and self._call is None:
            soon = bool(self._waiting) or self._visited < due
            next_at = self._begun + (self._visited + 1) * self._step
            self._call = clock.callLater(0 if soon else max(0, next_at - clock.seconds()), self._go_on)

    def _visit_next(self) -> bool:
        """:return: whether the member was still there."""
        station, member = self._waiting.pop()
        visit = station.get(member)
        if visit is None:
            return False
        try:
            visit()
        except Exception:
            self._log.failure("a visit failed")
        return True
