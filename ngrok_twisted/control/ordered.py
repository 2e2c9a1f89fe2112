"""
`OrderedStore`: what all stores share. The records are in memory as one snapshot; writes happen one after the other; who
subscribed hears of each, in order, once it is durable.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable, TypeVar

from twisted.internet.defer import Deferred, DeferredLock, maybeDeferred
from twisted.logger import Logger
from zope.interface import implementer

from ngrok_twisted.errors import Conflict, StoreUnusable
from ngrok_twisted.interfaces import IStore
from ngrok_twisted.records.base import Delete, Put, Record, Snapshot

R = TypeVar("R", bound=Record)

Changes = tuple[Put | Delete, ...]


@implementer(IStore)
class OrderedStore:
    """
    A store without a place to keep things: subclasses say how to load, commit and shut.
    """

    _log = Logger()

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._turns = DeferredLock()
        self._listeners: list[Callable[[Snapshot], None]] = []

    # What subclasses replace; each may return a Deferred.

    def _load(self) -> Any:
        """:return: the `Snapshot` to begin with, or a Deferred of it."""
        return Snapshot()

    def _commit(self, changes: Changes, revision: int) -> Any:
        """
        Make the changes durable, all or none.

        :param revision: the revision after them.
        :return: ``None``, or a Deferred that fires once they are durable.
        """

    def _shut(self) -> Any:
        """:return: ``None``, or a Deferred that fires when nothing is open any more."""

    # IStore

    def open(self) -> Deferred[Snapshot]:
        """IStore."""
        return self._turns.run(self._open)

    async def _opened(self) -> Snapshot:
        snapshot: Snapshot = await maybeDeferred(self._load)
        self._snapshot = snapshot
        return snapshot

    def _open(self) -> Deferred[Snapshot]:
        return Deferred.fromCoroutine(self._opened())

    def get(self, cls: type[R], id: str) -> Deferred[R | None]:
        """IStore."""
        return maybeDeferred(lambda: self._current().get(cls, id))

    def find(self, cls: type[R], **fields: Any) -> Deferred[list[R]]:
        """IStore."""

        def found() -> list[R]:
            wanted = fields.items()
            return [
                record
                for record in self._current().all(cls)
                if all(getattr(record, name) == value for name, value in wanted)
            ]

        return maybeDeferred(found)

    def snapshot(self) -> Deferred[Snapshot]:
        """IStore."""
        return maybeDeferred(self._current)

    def write(self, changes: Iterable[Put | Delete], expect: int | None = None) -> Deferred[Snapshot]:
        """
        IStore.

        :raises ValueError: a record is declared in ``config.yaml``; those are never stored.
        """
        fixed = tuple(changes)
        for change in fixed:
            if isinstance(change, Put) and change.record.declared:
                raise ValueError(f"{change.record.id} is declared and cannot be stored")
        return shielded(self._turns.run(lambda: Deferred.fromCoroutine(self._written(fixed, expect))))

    async def _written(self, changes: Changes, expect: int | None) -> Snapshot:
        before = self._current()
        if expect is not None and expect != before.revision:
            raise Conflict(f"revision {before.revision} is in force, not {expect}; read again and repeat the change")
        after = before.with_changes(changes)
        await maybeDeferred(self._commit, changes, after.revision)
        self._snapshot = after
        for listener in tuple(self._listeners):
            self._tell(listener, after)
        return after

    def subscribe(self, listener: Callable[[Snapshot], None]) -> Callable[[], None]:
        """IStore."""
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    def close(self) -> Deferred[None]:
        """IStore."""

        async def closed() -> None:
            self._snapshot = None
            await maybeDeferred(self._shut)

        return self._turns.run(lambda: Deferred.fromCoroutine(closed()))

    def _current(self) -> Snapshot:
        if self._snapshot is None:
            raise StoreUnusable("the store is not open")
        return self._snapshot

    def _tell(self, listener: Callable[[Snapshot], None], snapshot: Snapshot) -> None:
        try:
            listener(snapshot)
        except Exception:
            self._log.failure("a listener failed on revision {revision}", revision=snapshot.revision)


def shielded(work: Deferred[Snapshot]) -> Deferred[Snapshot]:
    """
    The same result, by a Deferred whose cancellation stops nothing: a commit that has begun is followed to its end, or
    memory and disk would disagree.
    """
    told: Deferred[Snapshot] = Deferred()
    work.addCallbacks(told.callback, told.errback)
    return told
