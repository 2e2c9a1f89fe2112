"""
Who a credential belongs to, and whether it may be used at all.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.service_user import ServiceUser, is_service_user, service_user_id
from ngrok_twisted.records.user import User, default_user_id

#: The credential's account is suspended; its owner is disabled.
SUSPENDED, DISABLED = 205, 636


def owner_of(snapshot: Snapshot, account: Account, owner_id: str) -> User | ServiceUser | None:
    """
    A user or service user of this account.

    :param owner_id: as a credential has it; empty for the default user.
    """
    found: User | ServiceUser | None
    if is_service_user(owner_id):
        found = snapshot.get(ServiceUser, service_user_id(owner_id))
    else:
        found = snapshot.get(User, owner_id or default_user_id(account.name))
    return found if found is not None and found.account_id == account.id else None


def is_administrator(owner_id: str) -> bool:
    """Whether an owner may act for others. Users may; service users have the rights of a developer."""
    return not is_service_user(owner_id)


def principal_of(snapshot: Snapshot, credential: Any) -> Principal:
    """
    Who a credential stands for now.

    :param credential: a record of a family of credentials.
    :raises Refused: `SUSPENDED` or `DISABLED`.
    :raises LookupError: its account is gone.
    """
    account = snapshot.get(Account, credential.account_id)
    if account is None:
        raise LookupError(f"the account of {credential.id} is gone")
    if account.suspended:
        raise Refused(SUSPENDED, "The account of this credential is suspended: ask the operator of this server.")
    owner = owner_of(snapshot, account, credential.owner_id)
    if owner is None and credential.owner_id or isinstance(owner, ServiceUser) and not owner.active:
        raise Refused(
            DISABLED, "The owner of this credential is disabled or gone: enable it, or use another credential."
        )
    return Principal(
        account_id=account.id,
        account_name=account.name,
        credential_id=credential.id,
        acl=tuple(getattr(credential, "acl", ())),
        owner_id="" if owner is None else owner.id,
        proof=getattr(credential, "token_hash", ""),
    )
