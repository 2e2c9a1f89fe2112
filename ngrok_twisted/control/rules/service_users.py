"""
What must hold for service users.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Iterator

from zope.interface import implementer

from ngrok_twisted.control.around import Around
from ngrok_twisted.interfaces import IRecordRules
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.service_user import ServiceUser

#: Bytes of a name.
NAME_MAX = 255

#: ngrok's codes: the name is empty, too long, taken.
EMPTY, TOO_LONG, TAKEN = 4109, 4110, 4112


@implementer(IRecordRules)
class ServiceUserRules:
    """Names are there, short and unique in their account."""

    name = ServiceUser.family

    def problems(self, record: ServiceUser, around: Around) -> Iterator[Problem]:
        """IRecordRules."""
        if not record.name.strip():
            yield Problem("name", "must not be empty", code=EMPTY)
        if len(record.name.encode("utf-8", "surrogatepass")) > NAME_MAX:
            yield Problem("name", f"is longer than {NAME_MAX} bytes", code=TOO_LONG)
        others = [id for id in around.index(_by_name)[record.account_id, record.name] if id != record.id]
        if others:
            message = f"there is a service user named {record.name[:60]} already"
            yield Problem("name", message, code=TAKEN, other=others[0])


def _by_name(around: Around) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for user in around.records.all(ServiceUser):
        found[user.account_id, user.name].append(user.id)
    return found


rules = ServiceUserRules()
