"""
`Around`: what a record is judged in the middle of; `record_problems` judges it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Callable, Iterable, Iterator, Mapping, TypeVar

from ngrok_twisted import kinds
from ngrok_twisted.control.ownership import ReservationSettings
from ngrok_twisted.interfaces import IRecordRules
from ngrok_twisted.records.base import Problem, Record, Snapshot
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.schema import PROBLEMS_MAX

T = TypeVar("T")

#: Bytes that ngrok's API allows.
DESCRIPTION_MAX = 255
METADATA_MAX = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """
    :ivar records: every record, the judged ones included: as it would be after the change.
    :ivar settings: the server's own names, ports and rights.
    :ivar live: the endpoints of agents that are online, by id.
    :ivar before: every record as it is before the change; none where there is no before.
    """

    records: Snapshot
    settings: ReservationSettings
    live: Mapping[str, Endpoint] = field(default_factory=dict)
    before: Snapshot = Snapshot()
    _indexes: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def index(self, build: Callable[[Around], T]) -> T:
        """
        Something looked up often, made once for all the records that are judged together.

        :param build: a module-level function; called with this value the first time.
        """
        if build not in self._indexes:
            self._indexes[build] = build(self)
        found: T = self._indexes[build]
        return found


def record_problems(record: Record, around: Around) -> Iterator[Problem]:
    """
    Everything that is wrong with one record. Paths name its fields, as the API calls them.
    """
    yield from _texts(record)
    rules = kinds.discover("ngrok_twisted.control.rules", IRecordRules).get(record.family)
    if rules is not None:
        yield from rules.problems(record, around)


def all_problems(records: Iterable[Record], around: Around) -> list[tuple[Record, Problem]]:
    """Every problem of several records, each with its record; of one record as many as people read."""
    return [
        (record, problem) for record in records for problem in islice(record_problems(record, around), PROBLEMS_MAX)
    ]


def _texts(record: Record) -> Iterator[Problem]:
    for name, most in (("description", DESCRIPTION_MAX), ("metadata", METADATA_MAX)):
        if len(getattr(record, name).encode("utf-8", "surrogatepass")) > most:
            yield Problem(name, f"is longer than {most} bytes")
