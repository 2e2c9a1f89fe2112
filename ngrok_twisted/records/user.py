"""
Users: people. A self-hosted account has one, who is its administrator and owns whatever names no other owner.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from ngrok_twisted.records.account import Account
from ngrok_twisted.records.base import Record
from ngrok_twisted.records.ids import declared_id


@dataclass(frozen=True, slots=True, kw_only=True)
class User(Record):
    """
    :ivar email: lower-case, possibly empty.
    :ivar name: for people.
    """

    family: ClassVar[str] = "users"
    prefix: ClassVar[str] = "usr"

    email: str = ""
    name: str = ""

    @property
    def shown(self) -> str:
        """What others read: the e-mail address, else the name."""
        return self.email or self.name


@lru_cache(maxsize=1024)
def default_user_id(account_name: str) -> str:
    """The id of the default user of the account with this name."""
    return declared_id(User.prefix, User.family, account_name)


def default_user(account: Account, email: str = "") -> User:
    """
    The default user of an account.

    :param email: as it was declared, possibly empty.
    """
    return User(
        id=default_user_id(account.name),
        account_id=account.id,
        declared=True,
        email=email.strip().lower(),
        name=account.name,
    )
