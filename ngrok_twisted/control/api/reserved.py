"""
`Reserved`: which reserved domain or address is behind a URL.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.control.ownership import Ownership
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.reserved_addr import ReservedAddr
from ngrok_twisted.records.reserved_domain import ReservedDomain


class Reserved:
    """
    The reservations of the newest records that were asked about; indexed anew only when one has changed.
    """

    def __init__(self) -> None:
        self._tables: tuple[Any, Any] = (None, None)
        self._owned = Ownership(Snapshot())

    def domain(self, records: Snapshot, account_id: str, host: str) -> str:
        """The id of the account's domain that a name is, or is covered by; empty without one."""
        found = self._ownership(records).domain_for(account_id, host)
        return "" if found is None else found.id

    def addr(self, records: Snapshot, account_id: str, host: str, port: int) -> str:
        """The id of the account's address; empty without one."""
        found = self._ownership(records).address(host, port)
        return found.id if found is not None and found.account_id == account_id else ""

    def _ownership(self, records: Snapshot) -> Ownership:
        tables = (records.tables.get(ReservedDomain.family), records.tables.get(ReservedAddr.family))
        if any(new is not old for new, old in zip(tables, self._tables)):
            self._tables, self._owned = tables, Ownership(records)
        return self._owned
