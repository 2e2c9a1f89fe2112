"""
How workers follow the records of the main process: `Published` tells, `Followed` hears.

Each gets all records once, a piece at a time, and then what changes, in order. What an agent is granted is sent before the
answer to its claim, so that a worker serves what it is told it has.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator, Mapping

from twisted.logger import Logger
from zope.interface import implementer

from ngrok_twisted.crew.wire import Handler, Wire
from ngrok_twisted.interfaces import IEdgePlane
from ngrok_twisted.records.base import Delete, Problem, Put, Record, Snapshot

#: Records in one message of the first ones, of which each takes some 10 microseconds; others are served in between.
PIECE = 500

#: What is said: the revision, the changes, and whether they can be served now, or more of the same moment follows.
RECORDS = "records"

_NOTHING: Mapping[str, Record] = {}

Change = Put | Delete


def difference(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """What makes one snapshot of another. A record that is the same object in both has not changed."""
    for family, table in after.tables.items():
        old = before.tables.get(family, _NOTHING)
        if old is table:
            continue
        known = old.get
        written = [record for id, record in table.items() if known(id) is not record]
        if len(old) + sum(record.id not in old for record in written) != len(
            table
        ):  # it saves half of the time to know
            yield from (Delete(type(record), id) for id, record in old.items() if id not in table)
        yield from map(Put, written)


@implementer(IEdgePlane)
class Published:
    """
    The edge of the main process, and with it those of the workers.
    """

    def __init__(self, plane: Any, clock: Any) -> None:
        """
        :param plane: the `IEdgePlane` of the main process, which judges for all: only it opens ports.
        :param clock: an ``IReactorTime``.
        """
        self._plane = plane
        self._clock = clock
        self._snapshot: Snapshot | None = None
        self._told: dict[Wire, Snapshot] = {}
        self._waiting: list[Wire] = []

    def check(self, snapshot: Snapshot) -> list[Problem]:
        """IEdgePlane."""
        problems: list[Problem] = self._plane.check(snapshot)
        return problems

    def apply(self, snapshot: Snapshot) -> None:
        """IEdgePlane."""
        self._plane.apply(snapshot)
        before, self._snapshot = self._snapshot, snapshot
        if self._told:
            assert before is not None
            changes = tuple(difference(before, snapshot))
            for wire in self._told:
                wire.send(RECORDS, (snapshot.revision, changes, True))
        waiting, self._waiting = self._waiting, []
        for wire in waiting:
            self.tell(wire)

    def do_without(self, snapshot: Snapshot, record_id: str) -> None:
        """IEdgePlane."""
        self._plane.do_without(snapshot, record_id)

    def tell(self, wire: Wire) -> None:
        """Have a worker follow, as soon as there are records, until it is gone."""
        if self._snapshot is None:
            self._waiting.append(wire)
            return
        pieces = _pieces(tuple(difference(Snapshot(), self._snapshot)))
        self._tell_piece(wire, self._snapshot, pieces)

    def _tell_piece(self, wire: Wire, snapshot: Snapshot, pieces: Iterator[tuple[Change, ...]]) -> None:
        piece = next(pieces, None)
        if wire.is_lost:
            return
        if piece is not None:
            wire.send(RECORDS, (snapshot.revision, piece, False))
            self._clock.callLater(0, self._tell_piece, wire, snapshot, pieces)
            return
        assert self._snapshot is not None
        wire.send(RECORDS, (self._snapshot.revision, tuple(difference(snapshot, self._snapshot)), True))
        self._told[wire] = self._snapshot
        wire.when_lost(lambda: self._told.pop(wire, None))


def _pieces(changes: tuple[Change, ...]) -> Iterator[tuple[Change, ...]]:
    for start in range(0, len(changes), PIECE):
        yield changes[start : start + PIECE]


class Followed:
    """
    The records in a worker.

    :ivar records: those in force; live endpoints are among them.
    """

    _log = Logger()

    def __init__(self) -> None:
        self.records = Snapshot()
        self._listeners: list[Callable[[Snapshot], None]] = []
        self._whole = False

    def subscribe(self, listener: Callable[[Snapshot], None]) -> None:
        """
        :param listener: called whenever they have changed, with `records`, in the order of subscription.
        """
        self._listeners.append(listener)
        if self._whole:
            self._tell(listener)

    def handlers(self) -> Mapping[str, Handler]:
        """What the wire to the main process needs."""
        return {RECORDS: self._changed}

    def _changed(self, said: tuple[int, tuple[Change, ...], bool], _: int) -> None:
        revision, changes, whole = said
        self.records = self.records.with_changes(changes, revision)
        if whole:
            self._whole = True
            for listener in self._listeners:
                self._tell(listener)

    def _tell(self, listener: Callable[[Snapshot], None]) -> None:
        try:
            listener(self.records)
        except Exception:
            self._log.failure("a part of a worker could not follow the records")
