"""
`Origins`: where in ``config.yaml`` each declared record comes from; `Declared`: the records together with that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Iterable, Iterator, Mapping

from ngrok_twisted.document import Positions
from ngrok_twisted.records.base import Problem, Record

Found = tuple[Record, Problem]

#: Where the keys of ``authorized_keys`` files count as declared.
KEYS_PATH = "ssh.authorized_keys"

_ID = re.compile(r"\b[a-z][a-z0-9]*_[0-9A-Za-z]{27}\b")


@dataclass(frozen=True, slots=True)
class Origins:
    """
    :ivar paths: where each record stands, such as ``edges.https[3]``, by its id.
    :ivar positions: the lines of the file.
    :ivar names: what the file calls them, where it does.
    """

    paths: Mapping[str, str] = field(default_factory=dict)
    positions: Positions = field(default_factory=Positions)
    names: Mapping[str, str] = field(default_factory=dict)

    def __contains__(self, id: str) -> bool:
        return id in self.paths

    def is_key(self, id: str) -> bool:
        """Whether a record comes from an ``authorized_keys`` file."""
        return self.paths.get(id) == KEYS_PATH

    def locate(self, id: str, problem: Problem) -> Problem:
        """
        A problem of a record as one of the file: with its path and line there, and with paths in place of the ids of other
        declared records.

        :param id: the record's.
        :param problem: its path names a field of the record, or is empty.
        """
        # Where the file says a name, the record has an id.
        field = _ID.sub(lambda match: self.names.get(match[0], match[0]), problem.path)
        path, message = inside(self.paths.get(id, id), field), self._shown(problem.message)
        other = self.paths.get(problem.other, "")
        if other and other not in message:
            message += f"; see {other}"
        return self.positions.locate(replace(problem, path=path, message=message))

    def of_record(self, problem: Problem) -> Problem:
        """A problem whose path is the id of a record, as one of the file if the record stands there."""
        return self.locate(problem.path, replace(problem, path="")) if problem.path in self.paths else problem

    def _shown(self, text: str) -> str:
        return _ID.sub(lambda match: self.paths.get(match[0], match[0]), text)


@dataclass(frozen=True, slots=True)
class Declared:
    """
    :ivar records: every record that a config declares, accounts first.
    :ivar origins: where they come from.
    """

    records: tuple[Record, ...] = ()
    origins: Origins = Origins()

    def without_lines(self) -> Declared:
        """
        The records, and which of them come from ``authorized_keys`` files. Where the others come from is a lot to remember,
        and of no use once they are in force.
        """
        paths = self.origins.paths
        return Declared(self.records, Origins({id: path for id, path in paths.items() if path == KEYS_PATH}))


def inside(path: str, inner: str) -> str:
    """A path inside the thing at another path; either may be empty."""
    return path + ("" if not path or not inner or inner.startswith("[") else ".") + inner


def once(found: list[Found], order: Iterable[Record]) -> Iterator[Found]:
    """
    Of two records that are in each other's way, only the later one is told of.

    :param order: all the records.
    """
    pairs = {(record.id, other) for record, problem in found for other in _others(problem)}
    number = {record.id: place for place, record in enumerate(order)} if pairs else {}
    for record, problem in found:
        mirrored = [other for other in _others(problem) if (other, record.id) in pairs]
        if not any(number.get(other, -1) > number[record.id] for other in mirrored):
            yield record, problem


def _others(problem: Problem) -> list[str]:
    """The ids of the records that a problem speaks of."""
    return [*_ID.findall(problem.message), *([problem.other] if problem.other else ())]
