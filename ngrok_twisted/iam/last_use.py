"""
`LastUse`: when each credential was used last.

A use costs a look into a dictionary. What was used is written together, at most once a minute, as ``last_used_at`` of
the records; that of declared ones is kept in memory. ngrok's API has no field for it, so that an operator finds it in
the log: the first use of each credential since the start is a line there, with the time since the use before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Iterable, Iterator, Mapping

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.owners import principal_of
from ngrok_twisted.records.api_key import APIKey
from ngrok_twisted.records.base import Delete, Put, Snapshot
from ngrok_twisted.records.credential import Credential
from ngrok_twisted.records.ssh_credential import SSHCredential

SECONDS = 1.0

#: A write makes a new snapshot, which is not to happen for every call; nobody asks for the second of a last use.
WRITE_INTERVAL = 60 * SECONDS

#: Uses that are written at a time, and the pause until the next are: a thousand agents that have come within a minute are as
#: many records, each of which is judged as any other change, while everybody waits.
AT_ONCE = 50
PAUSE = 0.1 * SECONDS

_CLASSES: tuple[Any, ...] = (APIKey, Credential, SSHCredential)


class LastUse(Service):
    """
    Notes uses, and writes them a minute later; what is still to be written when the server stops is written then.
    """

    _log = Logger()

    def __init__(
        self,
        records: Callable[[], Snapshot],
        change: Callable[[Callable[[Snapshot], Iterable[Put | Delete]]], Any],
        clock: Any,
    ) -> None:
        """
        :param records: gives the current records.
        :param change: `ngrok_twisted.control.service.Control.change`.
        :param clock: an ``IReactorTime``.
        """
        self._records = records
        self._change = change
        self._clock = clock
        self._times: dict[str, float] = {}
        self._waiting: set[str] = set()
        self._timer: IDelayedCall | None = None
        self._writing: Deferred[None] | None = None
        self._portion, self._more = AT_ONCE, False

    @property
    def times(self) -> Mapping[str, float]:
        """When each credential was used last since the start: seconds since the epoch, by its id."""
        return self._times

    def used(self, id: str, seconds: float) -> None:
        """
        Note a use.

        :param id: of a credential that has just let somebody in.
        :param seconds: since the epoch.
        """
        if id not in self._times:
            self._say(id)
        self._times[id] = seconds
        self._waiting.add(id)
        if self._timer is None and self._writing is None:
            self._timer = self._clock.callLater(WRITE_INTERVAL, self._write)

    def stopService(self) -> Deferred[None]:
        """
        Write what is still to be written.

        :return: a Deferred that fires with ``None`` when it is.
        """
        super().stopService()
        self._portion = len(self._times)
        if self._timer is not None:
            self._timer.cancel()
            self._write()
        done: Deferred[None] = Deferred()
        self._finish(done)
        return done

    def _finish(self, done: Deferred[None]) -> None:
        if self._writing is None:
            done.callback(None)
        else:
            self._writing.addBoth(lambda result: self._finish(done))

    def _write(self) -> None:
        self._timer = None
        self._writing = Deferred.fromCoroutine(self._change(self._build))
        self._writing.addErrback(lambda failure: self._log.failure("the last uses could not be written", failure))
        self._writing.addBoth(self._written)

    def _written(self, _: Any) -> None:
        self._writing = None
        more, self._more = self._more, False
        if self._waiting and self.running:
            self._timer = self._clock.callLater(PAUSE if more else WRITE_INTERVAL, self._write)
        elif more:
            self._write()

    def _build(self, records: Snapshot) -> list[Put]:
        waiting = {self._waiting.pop() for _ in range(min(len(self._waiting), self._portion))}
        self._more = bool(self._waiting)
        if not self._more:  # once for all portions: a look at ten thousand takes some milliseconds
            known = set().union(*(records.tables.get(cls.family, ()) for cls in _CLASSES))
            self._times = {id: seconds for id, seconds in self._times.items() if id in known}
        found = [
            record for record in _credentials(records, waiting) if not record.declared and _is_usable(records, record)
        ]
        return [Put(replace(record, last_used_at=float(int(self._times[record.id])))) for record in found]

    def _say(self, id: str) -> None:
        before = next((record.last_used_at for record in _credentials(self._records(), [id])), 0.0)
        self._log.info(
            "credential {id} is used for the first time since the start; {before}",
            id=id,
            before=(
                f"it was used last {int(self._clock.seconds() - before)} seconds ago"
                if before
                else "no use before is known"
            ),
        )


def _is_usable(records: Snapshot, record: Any) -> bool:
    """Whether a credential still lets somebody in. One whose owner is gone cannot be written, nor need it be."""
    try:
        principal_of(records, record)
    except (LookupError, Refused):
        return False
    return True


def _credentials(records: Snapshot, ids: Iterable[str]) -> Iterator[Any]:
    for id in ids:
        for cls in _CLASSES:
            record = records.get(cls, id)
            if record is not None:
                yield record
