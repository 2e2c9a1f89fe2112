"""
``/service_users``: identities of programs, which own credentials.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.collection import Changes, Collection
from ngrok_twisted.control.api.shapes import timestamp
from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.owners import is_administrator
from ngrok_twisted.records.api_key import APIKey
from ngrok_twisted.records.base import Delete, Snapshot
from ngrok_twisted.records.credential import Credential
from ngrok_twisted.records.service_user import ServiceUser, service_user_id, with_prefix
from ngrok_twisted.records.ssh_credential import SSHCredential

#: ngrok's code: only administrators manage service users.
NOT_PERMITTED = 4111

#: What belongs to a service user and goes with it.
_OWNED: tuple[Any, ...] = (APIKey, Credential, SSHCredential)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceUserCreate:
    """
    :ivar name: for people; unique in the account.
    :ivar active: whether its credentials may be used.
    """

    name: str
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceUserUpdate:
    """
    :ivar name: for people; unique in the account.
    :ivar active: whether its credentials may be used; false ends the agent sessions of all of them at once.
    """

    name: str | None = None
    active: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceUserView:
    """
    :ivar id: the public id.
    :ivar uri: where it is.
    :ivar name: for people; unique in the account.
    :ivar active: whether its credentials may be used.
    :ivar created_at: RFC 3339, UTC.
    """

    id: str
    uri: str
    name: str
    active: bool
    created_at: str


class ServiceUsers(Collection[ServiceUser]):
    """The collection of service users."""

    name = "service_users"
    path = "/service_users"
    list_key = "service_users"
    noun = "service user"
    record = ServiceUser
    View = ServiceUserView
    Create = ServiceUserCreate
    Update = ServiceUserUpdate
    declared_at = "service_users"
    filterable: ClassVar[tuple[str, ...]] = ("id", "created_at")
    codes = {"name": 4109}

    def make(self, making: Making, body: Any) -> ServiceUser:
        """Collection."""
        if not making.declared:
            _require_administrator(making.owner_id)
        common = {**self.common(making, body), "id": with_prefix(making.id, ServiceUser.prefix)}
        return ServiceUser(**common, name=body.name, active=body.active)

    def changed(self, call: Call, record: ServiceUser, body: Any, records: Snapshot) -> Any:
        """Collection."""
        _require_administrator(call.principal.owner_id)
        return super().changed(call, record, body, records)

    def removed(self, call: Call, record: ServiceUser, records: Snapshot) -> Changes:
        """Collection. Its credentials go with it: nobody could use them any more."""
        _require_administrator(call.principal.owner_id)
        owned = (credential for cls in _OWNED for credential in records.all(cls))
        theirs = [credential for credential in owned if service_user_id(credential.owner_id) == record.id]
        return (Delete(ServiceUser, record.id), *(Delete(type(credential), credential.id) for credential in theirs))

    def view(self, call: Call, record: ServiceUser) -> ServiceUserView:
        """Collection."""
        id = with_prefix(record.id, self.prefix)
        return ServiceUserView(
            id=id,
            uri=call.uri(self.path, id),
            name=record.name,
            active=record.active,
            created_at=timestamp(record.created_at),
        )


def _require_administrator(owner_id: str) -> None:
    if not is_administrator(owner_id):
        raise Refused(
            NOT_PERMITTED, "Only administrators manage service users, and this API key belongs to one of them."
        )


service_users = ServiceUsers()
