"""
``/vaults``: named places for secrets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ngrok_twisted.control.api.bodies import given_values
from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.collection import Changes, Collection
from ngrok_twisted.control.api.shapes import Seen, Texts, TextsUpdate, timestamp
from ngrok_twisted.errors import Refused
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.secret import Secret
from ngrok_twisted.records.vault import Vault

_NOT_EMPTY = 23003


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultCreate(Texts):
    """
    :ivar name: unique in the account; letters, digits, ``_``, ``/`` and ``.``.
    """

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultUpdate(TextsUpdate):
    """
    :ivar name: unique in the account.
    """

    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultView(Seen):
    """
    :ivar name: unique in the account.
    :ivar updated_at: when it was changed last.
    :ivar created_by: the id of who made it.
    :ivar last_updated_by: the id of who changed it last.
    """

    name: str
    updated_at: str
    created_by: str
    last_updated_by: str


class Vaults(Collection[Vault]):
    """The collection of vaults."""

    name = "vaults"
    path = "/vaults"
    list_key = "vaults"
    noun = "vault"
    record = Vault
    View = VaultView
    Create = VaultCreate
    Update = VaultUpdate
    declared_at = "vaults"
    filterable = ("id", "created_at", "description", "metadata", "name")
    codes = {"name": 23001}

    def make(self, making: Making, body: Any) -> Vault:
        """Collection."""
        return Vault(
            **self.common(making, body),
            name=body.name,
            created_by=making.owner_id,
            last_updated_by=making.owner_id,
            updated_at=making.created_at,
        )

    def changed(self, call: Call, record: Vault, body: Any, records: Snapshot) -> Vault:
        """Collection."""
        editor = call.principal.owner_id
        return replace(record, **given_values(body), updated_at=call.parts.now(), last_updated_by=editor)

    def removed(self, call: Call, record: Vault, records: Snapshot) -> Changes:
        """Collection."""
        inside = sum(secret.vault_id == record.id for secret in records.all(Secret))
        if inside:
            raise Refused(_NOT_EMPTY, f"The vault {record.name} still holds {inside} secrets: delete them first.")
        return super().removed(call, record, records)

    def view(self, call: Call, record: Vault) -> VaultView:
        """Collection."""
        return VaultView(
            **self.seen(call, record),
            name=record.name,
            updated_at=timestamp(record.updated_at),
            created_by=record.created_by,
            last_updated_by=record.last_updated_by,
        )


vaults = Vaults()
