"""
``/vault_secrets``: texts in vaults, which traffic policies name. They go in, and never come out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Iterator

from ngrok_twisted import schema
from ngrok_twisted.control.api import paging
from ngrok_twisted.control.api.bodies import given_values
from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.collection import Collection
from ngrok_twisted.control.api.method import Answer, Method
from ngrok_twisted.control.api.resources.vaults import Vaults
from ngrok_twisted.control.api.shapes import Ref, Seen, Texts, TextsUpdate, timestamp
from ngrok_twisted.errors import Refused
from ngrok_twisted.marks import EXTERNAL
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.secret import Secret
from ngrok_twisted.records.vault import Vault

_NO_VAULT_ID, _NO_VAULT, _NO_VAULT_NAME = 24006, 24008, 24009


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretItem(Texts):
    """
    :ivar name: unique in its vault; letters, digits, ``_``, ``/`` and ``.``.
    :ivar value: the text. It may stand elsewhere.
    :ivar vault_id: one of ``vaults``.
    """

    name: str
    value: Annotated[str, EXTERNAL] = field(repr=False)
    vault_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretCreate(Texts):
    """
    :ivar name: unique in its vault; letters, digits, ``_``, ``/`` and ``.``.
    :ivar value: the text. It is never shown again.
    :ivar vault_id: the vault, where ``vault_name`` does not name it.
    :ivar vault_name: the vault's name.
    """

    name: str
    value: str = field(repr=False)
    vault_id: str = ""
    vault_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretUpdate(TextsUpdate):
    """
    :ivar name: unique in its vault.
    :ivar value: another text.
    """

    name: str | None = None
    value: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretView(Seen):
    """
    :ivar updated_at: when it was changed last.
    :ivar name: unique in its vault.
    :ivar created_by: who made it.
    :ivar last_updated_by: who changed it last.
    :ivar vault: the vault that it is in.
    :ivar vault_name: the vault's name.
    """

    updated_at: str
    name: str
    created_by: Ref
    last_updated_by: Ref
    vault: Ref
    vault_name: str


class Secrets(Collection[Secret]):
    """The secrets of all vaults of an account."""

    name = "secrets"
    path = "/vault_secrets"
    list_key = "secrets"
    noun = "secret"
    record = Secret
    View = SecretView
    Create = SecretCreate
    Update = SecretUpdate
    Declared = SecretItem
    declared_at = "vault_secrets"
    filterable = ("id", "created_at", "description", "metadata", "name")
    codes = {"name": 24001, "value": 24003, "vault_id": 24006, "vault_name": 24009}

    def make(self, making: Making, body: Any) -> Secret:
        """Collection."""
        return Secret(
            **self.common(making, body),
            vault_id=body.vault_id if making.declared else _vault(making, body).id,
            name=body.name,
            value=body.value,
            created_by=making.owner_id,
            last_updated_by=making.owner_id,
            updated_at=making.created_at,
        )

    def declared_id(self, name: str, body: Any, number: int) -> str:
        """Collection: names are unique in a vault. No name has a space, so that the two cannot be taken for others."""
        return super().declared_id(f"{body.vault_id} {name}", body, number)

    def changed(self, call: Call, record: Secret, body: Any, records: Snapshot) -> Secret:
        """Collection."""
        editor = call.principal.owner_id
        return replace(record, **given_values(body), updated_at=call.parts.now(), last_updated_by=editor)

    def view(self, call: Call, record: Secret) -> SecretView:
        """Collection."""
        vault = call.records.get(Vault, record.vault_id)
        return SecretView(
            **self.seen(call, record),
            updated_at=timestamp(record.updated_at),
            name=record.name,
            created_by=_principal(call, record.created_by),
            last_updated_by=_principal(call, record.last_updated_by),
            vault=call.ref(Vaults.path, record.vault_id),
            vault_name="" if vault is None else vault.name,
        )

    def more_methods(self) -> Iterator[Method]:
        """Collection: the secrets of one vault."""
        yield self._method(
            "GET",
            "/vaults/{id}/secrets",
            "get_secrets_by_vault",
            self._in_vault,
            "List the secrets of a vault, the newest first.",
            answer=self.View,
            list_key=self.list_key,
            query=("before_id", "limit"),
        )

    async def _in_vault(self, call: Call) -> Answer:
        vault = Vaults().find(call, call.records, call.params["id"])
        inside = (secret for secret in self.owned(call, call.records) if secret.vault_id == vault.id)
        shown = lambda record: schema.dump(self.view(call, record))
        return Answer(200, await paging.page(call, f"{Vaults.path}/{vault.id}/secrets", self.list_key, inside, shown))


def _vault(making: Making, body: Any) -> Vault:
    """
    The vault that a body means by id or name.

    :raises Refused: there is none, or the two mean different ones.
    """
    if not body.vault_id and not body.vault_name:
        raise Refused(_NO_VAULT, "A secret needs a vault: give vault_id or vault_name.")
    own = [vault for vault in making.records.all(Vault) if vault.account_id == making.account_id]
    found = [vault for vault in own if not body.vault_id or vault.id == body.vault_id]
    if body.vault_id and not found:
        raise Refused(_NO_VAULT_ID, f"There is no vault {body.vault_id}.")
    found = [vault for vault in found if not body.vault_name or vault.name == body.vault_name]
    if not found:
        which = f" with the id {body.vault_id}" if body.vault_id else ""
        raise Refused(_NO_VAULT_NAME, f"There is no vault named {body.vault_name}{which}.")
    return found[0]


def _principal(call: Call, id: str) -> Ref:
    """A user, who has no URL, or a service user or bot user; empty for what was declared."""
    path = {"service": "/service_users", "bot": "/bot_users"}.get(id.partition("_")[0])
    return Ref(id=id) if path is None else call.ref(path, id)


secrets = Secrets()
