"""
The realm of the cred portal: credential ids in, principals out.
"""

from __future__ import annotations

from typing import Any, Callable

from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm
from zope.interface import implementer

from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.base import Snapshot

#: The families whose records are credentials of agents: each has ``acl``.
CREDENTIAL_FAMILIES = ("ssh_credentials", "credentials")


@implementer(IRealm)
class Realm:
    """
    Makes a `Principal` from a credential's record and its account's.

    A principal is a value without behaviour, so it is the same avatar whatever interface is asked for; a transport
    that needs another avatar, such as Conch's user, puts its own around it.
    """

    def __init__(self, records: Callable[[], Snapshot]) -> None:
        """
        :param records: gives the current records.
        """
        self._records = records

    def requestAvatar(self, avatarId: Any, mind: object, *interfaces: Any) -> tuple[Any, Principal, Callable[[], None]]:
        """
        IRealm.

        :raises UnauthorizedLogin: the credential or its account was deleted since it was checked.
        """
        if not interfaces or not isinstance(avatarId, str):
            raise NotImplementedError("a principal is asked for by the id of a credential and some interface")
        principal = find_principal(self._records(), avatarId)
        if principal is None:
            raise UnauthorizedLogin("the credential is gone")
        return interfaces[0], principal, lambda: None


def find_credential(snapshot: Snapshot, id: str) -> Any:
    """The record of the credential with this id, whatever its kind, or ``None``."""
    for family in CREDENTIAL_FAMILIES:
        record = snapshot.tables.get(family, {}).get(id)
        if record is not None:
            return record
    return None


def find_principal(snapshot: Snapshot, credential_id: str) -> Principal | None:
    """Who this credential stands for, or ``None`` if it or its account is gone."""
    credential = find_credential(snapshot, credential_id)
    account = None if credential is None else snapshot.get(Account, credential.account_id)
    if account is None:
        return None
    return Principal(
        account_id=account.id, account_name=account.name, credential_id=credential.id, acl=tuple(credential.acl)
    )
