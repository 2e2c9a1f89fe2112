"""
What is declared, judged beside what is stored: each was fine by itself when it was made.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Iterable, Iterator

from ngrok_twisted.control.around import Around, all_problems
from ngrok_twisted.control.origins import Found, Origins, inside, once
from ngrok_twisted.control.ownership import ReservationSettings
from ngrok_twisted.records.base import Problem, Put, Record, Snapshot
from ngrok_twisted.records.ssh_credential import SSHCredential


def wanted(declared: Iterable[Record], durable: Snapshot, origins: Origins) -> tuple[Record, ...]:
    """
    The declared records that count. A key in an ``authorized_keys`` file that is stored too does not: whoever stored it said
    what it may bind.
    """
    stored = {credential.public_key for credential in durable.all(SSHCredential)}
    return tuple(
        record
        for record in declared
        if not (isinstance(record, SSHCredential) and record.public_key in stored and origins.is_key(record.id))
    )


def clashes(
    declared: tuple[Record, ...],
    durable: Snapshot,
    settings: ReservationSettings,
    origins: Origins,
    before: Snapshot | None = None,
) -> Iterator[Problem]:
    """
    What is wrong with declared records only because others are stored; and what becomes wrong with stored ones when others
    are declared than before, such as a reference that leads nowhere then.

    :param durable: what is stored.
    :param before: all records as they are in force; ``None`` at a start.
    """
    if not any(durable.tables.values()):
        return
    stored = tuple(record for table in durable.tables.values() for record in table.values())
    together = Around(records=durable.with_changes(map(Put, declared)), settings=settings)
    alone = Around(records=Snapshot().with_changes(map(Put, declared)), settings=settings)
    found = _new(declared, together, alone)
    if before is not None:
        found += _new(stored, together, Around(records=before, settings=settings))
    for record, problem in once(found, (*stored, *declared)):
        if record.declared:
            yield origins.locate(record.id, _with_remedy(problem, origins))
        else:
            yield _of_stored(record, problem)


def _new(records: Iterable[Record], around: Around, before: Around) -> list[Found]:
    """The problems that records have now and had not before."""
    found = all_problems(records, around)
    touched = {record.id: record for record, _ in found}
    known = {(record.id, problem) for record, problem in all_problems(touched.values(), before)}
    return [(record, problem) for record, problem in found if (record.id, problem) not in known]


def _of_stored(record: Record, problem: Problem) -> Problem:
    remedy = f"{record.id} is stored and was fine before: change it over the API first, or the file back"
    return replace(problem, path=inside(record.id, problem.path), message=f"{problem.message}; {remedy}")


def _with_remedy(problem: Problem, origins: Origins) -> Problem:
    other = problem.other if problem.other and problem.other not in origins else ""
    what = f"{other}, which is stored" if other else "something that is stored"
    it = other or "it"
    remedy = f"in the way is {what}: take this out of the file, or delete {it} over the API before it is declared"
    return replace(problem, message=f"{problem.message}; {remedy}")
