"""
What all records share: `Record`, the changes `Put` and `Delete`, and `Snapshot`, the frozen value that the control plane
hands to the edge.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Collection, Iterable, Iterator, Mapping, TypeVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """
    Something that can be configured. Subclasses set two class variables and add fields.

    :cvar family: the plural name: YAML key, table, API collection.
    :cvar prefix: the start of its ids, such as ``rd`` in ``rd_2ab…``.
    :ivar id: the public id.
    :ivar account_id: the owner account's id; empty on accounts themselves.
    :ivar created_at: seconds since the epoch.
    :ivar description: at most 255 bytes, for people.
    :ivar metadata: at most 4096 bytes, opaque, returned byte for byte.
    :ivar declared: comes from ``config.yaml`` and is read-only over the API; such records are never stored.
    """

    family: ClassVar[str] = ""
    prefix: ClassVar[str] = ""

    id: str
    account_id: str = ""
    created_at: float = 0.0
    description: str = ""
    metadata: str = ""
    declared: bool = False


R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Put:
    """Write this record, new or changed."""

    record: Record


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove the record of this class with this id; no error if it is not there."""

    cls: type[Record]
    id: str


@dataclass(frozen=True, slots=True)
class Problem:
    """
    One thing that is wrong with outside data.

    :ivar path: where, such as ``edges.https[0].routes[2].backend``; or the id of a record.
    :ivar message: what is wrong, and the remedy.
    :ivar line: the line in the file, from 1; 0 where there is none.
    :ivar file: the file's name, empty where there is none.
    :ivar code: ngrok's number for it, under which its documentation explains it; 0 where there is none.
    :ivar kind: what the schema found: ``unknown`` (there is no such key), ``missing`` or ``shape``; else empty.
    :ivar other: the id of the record that is in the way, which may be another account's: for operators, not for clients.
    """

    path: str
    message: str
    line: int = 0
    file: str = ""
    code: int = 0
    kind: str = ""
    other: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.file and self.line else f"{self.file}: " if self.file else ""
        said = f"{place}{self.path}: {self.message}" if self.path else f"{place}{self.message}"
        said += f" (ERR_NGROK_{self.code})" if self.code else ""
        # Part of it may be the outside data's own words, which must not write to a terminal as they like.
        return said if said.isprintable() else "".join(letter if letter.isprintable() else "?" for letter in said)


_NOTHING: Mapping[str, Any] = MappingProxyType({})

#: The families of what people and agents prove with who they are. They change once a minute, when last uses are written, and
#: nothing that is served comes from them.
KEY_FAMILIES = frozenset({"api_keys", "credentials", "ssh_credentials"})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    All records at one moment. Never changed: `with_changes` makes the next one and shares what stayed the same.

    :ivar revision: grows by one with every write.
    :ivar tables: ``family`` to a mapping of ids to records, in the order they were written.
    """

    revision: int = 0
    tables: Mapping[str, Mapping[str, Record]] = field(default_factory=dict)

    def get(self, cls: type[R], id: str) -> R | None:
        """The record of this class with this id, or ``None``."""
        return self.tables.get(cls.family, _NOTHING).get(id)

    def all(self, cls: type[R]) -> Iterator[R]:
        """Every record of the class, in the order they were first written."""
        return iter(self.tables.get(cls.family, _NOTHING).values())  # type: ignore[arg-type]

    def with_changes(self, changes: Iterable[Put | Delete], revision: int | None = None) -> Snapshot:
        """
        The snapshot after these changes.

        :param revision: the new revision; one more than this one's by default.
        """
        tables: dict[str, dict[str, Record]] = {}
        for change in changes:
            family = change.record.family if isinstance(change, Put) else change.cls.family
            table = tables.get(family)
            if table is None:
                table = tables[family] = dict(self.tables.get(family, _NOTHING))
            if isinstance(change, Put):
                table[change.record.id] = change.record
            else:
                table.pop(change.id, None)
        return Snapshot(self.revision + 1 if revision is None else revision, {**self.tables, **tables})

    def is_same_but(self, other: Snapshot, families: Collection[str]) -> bool:
        """
        Whether no record has changed from one snapshot to another, as far as that can be told without looking at each.

        :param families: those that may have.
        """
        here, there = self.tables, other.tables
        return here is there or all(
            family in families or here.get(family, _NOTHING) is there.get(family, _NOTHING)
            for family in here.keys() | there.keys()
        )

    def beside(self, cls: type[R], records: Mapping[str, R]) -> Snapshot:
        """
        The snapshot with more records of one class, of the same revision; thousands of them take next to no time.

        :param records: by their ids.
        """
        table = {**self.tables.get(cls.family, _NOTHING), **records}
        return Snapshot(self.revision, {**self.tables, cls.family: table})
