"""
Owners of credentials: what a body says of them, who may say it, and what answers show.
"""

from __future__ import annotations

import re
from typing import Any

from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.iam.owners import is_administrator, owner_of
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.base import Problem, Snapshot
from ngrok_twisted.records.service_user import ServiceUser, is_service_user, service_user_id
from ngrok_twisted.records.user import User

#: ngrok's codes: a malformed id, one of another kind, not for this caller, several fields, nobody found, disabled.
MALFORMED, OTHER_KIND, NOT_PERMITTED, SEVERAL, NOBODY, DISABLED = 223, 243, 630, 631, 634, 636

_FIELDS = ("owner_id", "owner_email", "scim_user_id")
_ID = re.compile(r"([a-z0-9]+)_[0-9A-Za-z]{27}\Z")


def chosen_owner(making: Making, body: Any) -> str:
    """
    The owner of a new credential: the one that the body names, else the caller. Empty for the account's default user.

    :raises InvalidConfig: the body names nobody, or somebody whom the caller may not name.
    """
    given = [name for name in _FIELDS if getattr(body, name, "")]
    if not given:
        return "" if making.declared else making.owner_id
    if len(given) > 1:
        raise _problem(
            given[1], "names the owner a second time; give one of owner_id, owner_email, scim_user_id", SEVERAL
        )
    value: str = getattr(body, given[0])
    # What a config says of it was looked up already: the rules see to it that there is such an owner.
    return value if making.declared else _posted(making, given[0], value)


def shown_owner(call: Call, record: Any) -> str | None:
    """The owner's id in an answer, as it was written; ``None`` if nobody is known."""
    if record.owner_id:
        return str(record.owner_id)
    account = call.records.get(Account, record.account_id)
    owner = None if account is None else owner_of(call.records, account, "")
    return None if owner is None else owner.id


def _posted(making: Making, field: str, value: str) -> str:
    by_id = field == "owner_id" and "@" not in value
    if by_id:
        _check_form(field, value)
    if not is_administrator(making.owner_id) and not (by_id and service_user_id(value) == making.owner_id):
        raise _problem(field, "only an administrator may give credentials to others; leave it out", NOT_PERMITTED)
    if field == "scim_user_id":
        raise _problem(field, "nobody has a SCIM id on this server; give owner_id", NOBODY)
    if not by_id:
        return _by_email(making, field, value)
    account = making.records.get(Account, making.account_id)
    owner = None if account is None else owner_of(making.records, account, value)
    if owner is None:
        raise _problem(field, "there is no user or service user of this id in the account", NOBODY)
    if isinstance(owner, ServiceUser) and not owner.active:
        raise _problem(field, "this service user is disabled; make it active first", DISABLED)
    return value


def _check_form(field: str, value: str) -> None:
    match = _ID.match(value)
    if match is None:
        raise _problem(field, "is not an id", MALFORMED)
    if match[1] != User.prefix and not is_service_user(value):
        raise _problem(field, "must be the id of a user (usr_…) or a service user (service_… or bot_…)", OTHER_KIND)


def _by_email(making: Making, field: str, email: str) -> str:
    found = _user_by_email(making.records, making.account_id, email)
    if found is None:
        raise _problem(field, "there is no user with this e-mail address in the account", NOBODY)
    return found.id


def _user_by_email(records: Snapshot, account_id: str, email: str) -> User | None:
    wanted = email.strip().lower()
    mine = (user for user in records.all(User) if user.account_id == account_id)
    return next((user for user in mine if wanted and user.email == wanted), None)


def _problem(path: str, message: str, code: int) -> InvalidConfig:
    return InvalidConfig([Problem(path, message, code=code)])
