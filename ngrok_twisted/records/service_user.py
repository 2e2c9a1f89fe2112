"""
Service users: identities of programs. ngrok's API shows each under two routes, with two prefixes before one KSUID:
``service_…`` and, for older clients, ``bot_…``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ngrok_twisted.records.base import Record

#: The prefix under the older route.
BOT_PREFIX = "bot"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceUser(Record):
    """
    :ivar name: for people; unique in the account.
    :ivar active: whether its credentials may be used.
    """

    family: ClassVar[str] = "service_users"
    prefix: ClassVar[str] = "service"

    name: str
    active: bool = True


def service_user_id(id: str) -> str:
    """
    :param id: an id of either prefix, or anything else.
    :return: the id that records have; anything else unchanged.
    """
    return with_prefix(id, ServiceUser.prefix) if id.startswith(BOT_PREFIX + "_") else id


def is_service_user(id: str) -> bool:
    """Whether an owner's id, of either prefix, is that of a service user."""
    return id.startswith((ServiceUser.prefix + "_", BOT_PREFIX + "_"))


def with_prefix(id: str, prefix: str) -> str:
    """The same id with another prefix."""
    return f"{prefix}_{id.rpartition('_')[2]}"
