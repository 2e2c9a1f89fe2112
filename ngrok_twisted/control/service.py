"""
`Control`: puts together what is stored, what is declared and what is live, and hands it to the edge as one snapshot.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Awaitable, Callable, Iterable, Iterator, Mapping

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ngrok_twisted.control.around import Around, all_problems
from ngrok_twisted.control.beside import clashes, wanted
from ngrok_twisted.control.ordered import shielded
from ngrok_twisted.control.origins import Origins
from ngrok_twisted.control.ownership import ReservationSettings
from ngrok_twisted.errors import InvalidConfig, Refused
from ngrok_twisted.net.chores import Chores
from ngrok_twisted.records.base import Delete, Problem, Put, Record, Snapshot
from ngrok_twisted.records.edge import TCPEdge
from ngrok_twisted.records.endpoint import Endpoint

#: After the edge has taken in endpoints it is left alone this many times as long as it took, so that agents who come and go
#: take a quarter of the server's time at most, however many there are.
REST = 3


class _Change:
    """One endpoint that comes or goes, and who waits for it."""

    __slots__ = ("put", "delete", "done")

    def __init__(self, put: Endpoint | None, delete: Endpoint | None) -> None:
        self.put = put
        self.delete = delete
        self.done: Deferred[None] = Deferred()

    def finish(self, why_not: Refused | None) -> None:
        """Tell whoever waits; a waiter that has gone away is not an error."""
        if self.done.called:
            return
        if why_not is None:
            self.done.callback(None)
        else:
            self.done.errback(why_not)


class Control(Service):
    """
    Changes of one reactor turn, or of as long as the edge rests, are applied together, so that a storm of agents costs a few
    new routers and not thousands.

    :ivar records: what is stored and declared, without live endpoints.
    """

    _log = Logger()

    def __init__(
        self,
        store: Any,
        plane: Any,
        declared: Iterable[Record],
        clock: Any,
        settings: ReservationSettings,
        origins: Origins | None = None,
    ) -> None:
        """
        :param store: an `IStore`, not yet open.
        :param plane: the `IEdgePlane`.
        :param declared: the records of ``config.yaml``; they were judged among themselves when it was read.
        :param clock: an ``IReactorTime``.
        :param settings: the server's own names, ports and rights.
        :param origins: where in the file the declared records come from.
        """
        self._settings = settings
        self._changing = DeferredLock()
        self._store = store
        self._plane = plane
        self._clock = clock
        self._declared = tuple(declared)
        self._origins = origins or Origins()
        self._durable = Snapshot()
        self._live: dict[str, Endpoint] = {}
        self._waiting: list[_Change] = []
        self._turn: IDelayedCall | None = None
        self._chores = Chores(clock)
        self._rest = self._served_at = 0.0
        self._listeners: list[Callable[[Snapshot], None]] = []
        # Why what was just written is not served; and what is to be written, on top of which revision, to be rid of it.
        self._unserved: Exception | None = None
        self._owed: tuple[tuple[Put | Delete, ...], int] | None = None
        self.records = self._merge(self._durable, self._declared)

    async def open(self) -> None:
        """
        Open the store and serve what is in it.

        :raises StoreUnusable: from the store.
        :raises InvalidConfig: what is declared does not go with what is stored, or the edge cannot serve it.
        """
        self._durable = await self._store.open()
        self._store.subscribe(self._stored)
        # Once they are in force it is of no use where they came from, and it is much to remember.
        origins, self._origins = self._origins, Origins()
        declared = wanted(self._declared, self._durable, origins)
        self._refuse(clashes(declared, self._durable, self._settings, origins))
        try:
            self._replace(self._durable, declared, origins)
        except InvalidConfig as error:
            self._do_without(error, declared)
            self._replace(self._durable, declared, origins)

    def _do_without(self, error: InvalidConfig, declared: tuple[Record, ...]) -> None:
        """
        Start although somebody else has the ports of stored edges: who could not start could not be told to delete them.

        :raises InvalidConfig: there is more to it.
        """
        records = self._merge(self._durable, declared)
        for problem in error.problems:
            if not any(self._durable.get(cls, problem.path) for cls in (TCPEdge, Endpoint)):
                raise error
            self._log.error("{id} has to wait: {reason}", id=problem.path, reason=problem.message)
            self._plane.do_without(records, problem.path)

    async def close(self) -> None:
        """Apply nothing more, and shut the store."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        await self._store.close()

    def subscribe(self, listener: Callable[[Snapshot], None]) -> None:
        """
        :param listener: called at once, and whenever `records` changed, with `records`.
        """
        self._listeners.append(listener)
        listener(self.records)

    def declare(self, declared: Iterable[Record], origins: Origins | None = None) -> None:
        """
        Serve other declared records instead: the configuration was read again.

        :param declared: they were judged among themselves when it was read.
        :param origins: where in the file they come from.
        :raises InvalidConfig: they do not go with what is stored, or the edge cannot serve them; the old ones stay in force.
        """
        origins = origins or Origins()
        records = wanted(declared, self._durable, origins)
        self._refuse(clashes(records, self._durable, self._settings, origins, self.records))
        self._replace(self._durable, records, origins)

    def declare_also(self, more: Iterable[Record], origins: Origins) -> None:
        """
        Serve these declared records too: a key was added to a file.

        :param origins: where they come from.
        :raises InvalidConfig: they do not go with the others, or the edge cannot serve them; the old ones stay in force.
        """
        records = wanted(more, self._durable, origins)
        around = Around(records=self.records.with_changes(map(Put, records)), settings=self._settings)
        self._refuse(origins.locate(record.id, problem) for record, problem in all_problems(records, around))
        self._replace(self._durable, (*self._declared, *records), origins)

    async def redeclare(
        self, declared: Iterable[Record], origins: Origins, elsewhere: Callable[[Callable[[], Any]], Awaitable[Any]]
    ) -> None:
        """
        As `declare`, once the changes that are being written are in force: they count too, and later ones wait.

        :param elsewhere: runs a pure function in a thread, since judging many records takes a while.
        """
        await self._changing.acquire()
        try:
            records = wanted(declared, self._durable, origins)
            before, durable = self.records, self._durable
            self._refuse(await elsewhere(lambda: [*clashes(records, durable, self._settings, origins, before)]))
            self._replace(self._durable, records, origins)
        finally:
            self._end_turn()

    @property
    def live(self) -> Mapping[str, Endpoint]:
        """The endpoints of agents that are online, by id."""
        return self._live

    async def change(
        self,
        build: Callable[[Snapshot], Iterable[Put | Delete]],
        written: Callable[[Snapshot, tuple[Put | Delete, ...], Snapshot], None] = lambda before, changes, after: None,
    ) -> Snapshot:
        """
        Change stored records: one change after the other, each on top of the one before, so that none is lost.

        :param build: called with `records` when it is this change's turn; says what to write. What it raises is passed on,
            and nothing is written.
        :param written: called once they are durable and in force, before the next change: with the records before, what
            was written, and the records after. It must not raise.
        :return: the records after it, in force.
        :raises InvalidConfig: a record could not be served; nothing was written, or it was taken back.
        :raises Refused: a record is declared in ``config.yaml``.
        :raises StoreUnusable: it could not be made durable.
        """
        await self._changing.acquire()
        # Whoever gives up waiting leaves the change alone: in the middle of it there is no way out.
        return await shielded(Deferred.fromCoroutine(self._change(build, written)))

    async def _change(
        self,
        build: Callable[[Snapshot], Iterable[Put | Delete]],
        written: Callable[[Snapshot, tuple[Put | Delete, ...], Snapshot], None],
    ) -> Snapshot:
        try:
            await self._settle()
            changes = tuple(build(self.records))
            if changes:
                self._check(changes)
                before = self.records
                await self._write(changes)
                written(before, changes, self.records)
            return self.records
        finally:
            self._end_turn()

    def _end_turn(self) -> None:
        """
        Let the next change begin: not inside this one, since hundreds that are refused would be as many calls deep; and
        not at once, since meanwhile others want to be served.
        """
        if self._changing.waiting:
            self._clock.callLater(0, self._changing.release)
        else:
            self._changing.release()

    async def _write(self, changes: tuple[Put | Delete, ...]) -> None:
        """
        Make the changes durable. They were judged; if they cannot be served all the same, because an agent, a port or the
        configuration has changed meanwhile, what was written is taken back, since a restart could not serve it either.
        """
        before, self._unserved = self._durable, None
        after = await self._store.write(changes, before.revision)
        error, self._unserved = self._unserved, None
        if error is None:
            return
        self._owed = (_inverse(changes, before), after.revision)
        try:
            await self._settle()
        except Exception:
            self._log.failure("what cannot be served is stored; it is taken back before the next change")
        raise InvalidConfig(_of_fields(error.problems, changes)) if isinstance(error, InvalidConfig) else error

    async def _settle(self) -> None:
        """Write the old state again where a change was not served."""
        if self._owed is not None:
            await self._store.write(*self._owed)
            self._owed = None

    def _check(self, changes: tuple[Put | Delete, ...]) -> None:
        for change in changes:
            cls, id = (type(change.record), change.record.id) if isinstance(change, Put) else (change.cls, change.id)
            before = self.records.get(cls, id)
            if before is not None and before.declared:
                raise Refused(None, f"{id} is declared in the server's configuration: only there can it be changed.")
        after = self.records.with_changes(changes)
        problems = self._judge(after, [change.record for change in changes if isinstance(change, Put)])
        self._refuse(problems or _of_fields(self._plane.check(self._with_live(after, self._live)), changes))

    def _judge(self, after: Snapshot, written: list[Record]) -> list[Problem]:
        around = Around(records=after, settings=self._settings, live=self._live, before=self.records)
        return [problem for _, problem in all_problems(written, around)]

    def publish(self, put: Endpoint | None = None, delete: Endpoint | None = None) -> Deferred[None]:
        """
        A live endpoint comes, goes, or takes another's place.

        :return: a Deferred that fires with ``None`` once the edge serves the change, or fails with
            `ngrok_twisted.errors.Refused` when it cannot be served; then nothing of this change is in force.
        """
        change = _Change(put, delete)
        self._waiting.append(change)
        if self._turn is None:
            rested = self._clock.seconds() - self._served_at
            self._turn = self._clock.callLater(min(self._rest, max(0.0, self._rest - rested)), self._apply_waiting)
        return change.done

    def _stored(self, snapshot: Snapshot) -> None:
        try:
            self._replace(snapshot, self._declared)
        except Exception as error:
            if self._owed is None:
                self._unserved = error
                return
            # The old state is stored again, and it is in force, though the edge would not take it a second time.
            self._log.failure("the edge refused the records that it serves")
            self._durable, self.records = snapshot, self._merge(snapshot, self._declared)

    @staticmethod
    def _refuse(problems: Iterable[Problem]) -> None:
        found = list(problems)
        if found:
            raise InvalidConfig(found)

    def _replace(self, durable: Snapshot, declared: tuple[Record, ...], origins: Origins = Origins()) -> None:
        records = self._merge(durable, declared)
        whole = self._with_live(records, self._live)
        self._refuse(origins.of_record(problem) for problem in self._plane.check(whole))
        self._plane.apply(whole)
        self._durable, self._declared, self.records = durable, declared, records
        for listener in tuple(self._listeners):
            listener(records)

    def _apply_waiting(self) -> None:
        self._turn = None
        changes, self._waiting = self._waiting, []
        live, before = dict(self._live), dict(self._live)
        for change in changes:
            if change.delete is not None:
                live.pop(change.delete.id, None)
                before.pop(change.delete.id, None)
            if change.put is not None:
                live[change.put.id] = change.put
        try:
            live, refused = self._serve(live, before)
        except Exception:
            self._log.failure("the edge could not apply a snapshot")
            refused = {change.put.id: "The server could not serve it." for change in changes if change.put is not None}
        else:
            self._live = live
        for change in changes:
            why_not = refused.get(change.put.id) if change.put is not None else None
            # Agents go on from here: each tells its user, and writes to its log.
            self._chores.add(change.finish, None if why_not is None else Refused(None, why_not))

    def _serve(
        self, live: dict[str, Endpoint], before: dict[str, Endpoint]
    ) -> tuple[dict[str, Endpoint], dict[str, str]]:
        """
        Apply these endpoints, without those that cannot be served.

        :param before: what stays of those that are changed, where the change cannot be served.
        :return: what is served, and why each of the others is not.
        """
        begun = self._clock.seconds()
        whole = self._with_live(self.records, live)
        refused = {problem.path: problem.message for problem in self._plane.check(whole) if problem.path in live}
        if refused:
            kept = {id: before.get(id) if id in refused else endpoint for id, endpoint in live.items()}
            live = {id: endpoint for id, endpoint in kept.items() if endpoint is not None}
            whole = self._with_live(self.records, live)
        self._plane.apply(whole)
        self._served_at = self._clock.seconds()
        self._rest = REST * max(0.0, self._served_at - begun)
        return live, refused

    @staticmethod
    def _merge(durable: Snapshot, declared: tuple[Record, ...]) -> Snapshot:
        return durable.with_changes([Put(record) for record in declared], durable.revision)

    @staticmethod
    def _with_live(records: Snapshot, live: dict[str, Endpoint]) -> Snapshot:
        return records.beside(Endpoint, live)


def _of_fields(problems: Iterable[Problem], changes: Iterable[Put | Delete]) -> Iterator[Problem]:
    """What the edge says of a record that is written, as said of the field that is about an edge's or endpoint's place."""
    written = {change.record.id: change.record for change in changes if isinstance(change, Put)}
    for problem in problems:
        record = written.get(problem.path)
        field = "url" if isinstance(record, Endpoint) else "hostports" if hasattr(record, "hostports") else ""
        yield problem if record is None else replace(problem, path=field)


def _inverse(changes: Iterable[Put | Delete], before: Snapshot) -> tuple[Put | Delete, ...]:
    """What undoes changes of stored records."""
    touched = {
        (type(one.record), one.record.id) if isinstance(one, Put) else (one.cls, one.id): None for one in changes
    }
    found = [(cls, id, before.get(cls, id)) for cls, id in touched]
    return tuple(Delete(cls, id) if record is None else Put(record) for cls, id, record in found)
