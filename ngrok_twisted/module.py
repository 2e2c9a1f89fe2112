"""
`ModuleContext`: what a module kind is given beside its own config.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, TypeVar

from ngrok_twisted.records.base import Record, Snapshot
from ngrok_twisted.runtime import Runtime

R = TypeVar("R", bound=Record)


def _nowhere(account_id: str, proto: str, host: str, port: int) -> None:
    """There are no internal endpoints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleContext:
    """
    :ivar runtime: the reactor and what else a kind may reach.
    :ivar account_id: the account that the edge or endpoint belongs to.
    :ivar records: what references are looked up in; use `find`, so that the edge is remade when what it found changes.
    :ivar used: every record that was found, in the order of the first look-up.
    :ivar internal: finds internal endpoints; see `ngrok_twisted.policy.context.ActionContext`.
    """

    runtime: Runtime
    account_id: str = ""
    records: Snapshot = Snapshot()
    used: list[Record] = field(default_factory=list)
    internal: Callable[[str, str, str, int], Any] = _nowhere

    def find(self, cls: type[R], id: str) -> R:
        """
        The record of the account that a reference means.

        :raises LookupError: there is none.
        """
        record = self.records.get(cls, id)
        if record is None or record.account_id != self.account_id:
            raise LookupError(f"there is no {cls.family} {id}")
        if record not in self.used:
            self.used.append(record)
        return record

    def find_or(self, absent: R) -> R:
        """
        The record of the account that has the id of ``absent``; where there is none, ``absent`` counts, and the edge is
        remade with every change until there is one.
        """
        try:
            return self.find(type(absent), absent.id)
        except LookupError:
            self.used.append(absent)
            return absent
