"""
What must hold for the IP restrictions of accounts.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Iterator

from zope.interface import implementer

from ngrok_twisted.control.around import Around
from ngrok_twisted.interfaces import IRecordRules
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.ip_policy import IPPolicy
from ngrok_twisted.records.ip_restriction import IPRestriction

#: Policies of one restriction; each is asked for every peer.
POLICIES_MAX = 100

_TOO_MANY, _UNKNOWN, _TAKEN, _NONE = 1800, 1801, 1802, 1804


@implementer(IRecordRules)
class IPRestrictionRules:
    """One restriction of a type in an account, with policies of that account."""

    name = IPRestriction.family

    def problems(self, record: IPRestriction, around: Around) -> Iterator[Problem]:
        """IRecordRules."""
        other = min(around.index(_by_type)[record.account_id, record.type] - {record.id}, default="")
        if other:
            message = f"there is a restriction of the type {record.type} already; change it"
            yield Problem("type", message, code=_TAKEN, other=other)
        if not record.ip_policy_ids:
            yield Problem("ip_policy_ids", "needs at least one IP policy", code=_NONE)
        if len(record.ip_policy_ids) > POLICIES_MAX:
            yield Problem("ip_policy_ids", f"names more than {POLICIES_MAX} IP policies", code=_TOO_MANY)
        for number, id in enumerate(record.ip_policy_ids):
            policy = around.records.get(IPPolicy, id)
            if policy is None or policy.account_id != record.account_id:
                yield Problem(f"ip_policy_ids[{number}]", f"there is no IP policy {id}", code=_UNKNOWN)


def _by_type(around: Around) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for record in around.records.all(IPRestriction):
        found[record.account_id, record.type].add(record.id)
    return found


rules = IPRestrictionRules()
