"""
``/ip_policies``: rules about addresses, for edges, endpoints and restrictions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ngrok_twisted.control.api.admission import keeping_caller
from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.collection import Changes, Collection
from ngrok_twisted.control.api.shapes import Seen, Texts, TextsUpdate
from ngrok_twisted.errors import Refused
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.ip_policy import RULE_PREFIX, IPPolicy, IPPolicyRule
from ngrok_twisted.records.ip_restriction import IPRestriction

_IN_USE, _ACTION = 1420, 1423


@dataclass(frozen=True, slots=True, kw_only=True)
class IPPolicyCreate(Texts):
    """
    :ivar action: refused: each rule of the policy has one.
    """

    action: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IPPolicyUpdate(TextsUpdate):
    """Nothing but texts: the rules are changed one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IPPolicyView(Seen):
    """The rules are listed at ``/ip_policy_rules``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IPPolicyRuleItem(Texts):
    """
    :ivar cidr: a block of addresses such as ``192.0.2.0/24``; its lowest address stands before the mask.
    :ivar action: what happens to them. A peer is admitted if at least one rule allows it, and none denies it.
    """

    cidr: str
    action: Literal["allow", "deny"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IPPolicyItem(Texts):
    """
    :ivar rules: about which addresses it says what; without any it admits nobody.
    """

    rules: tuple[IPPolicyRuleItem, ...] = ()


class IPPolicies(Collection[IPPolicy]):
    """The collection of IP policies."""

    name = "ip_policies"
    path = "/ip_policies"
    list_key = "ip_policies"
    noun = "IP policy"
    record = IPPolicy
    View = IPPolicyView
    Create = IPPolicyCreate
    Update = IPPolicyUpdate
    Declared = IPPolicyItem
    declared_at = "ip_policies"
    filterable = ("id", "created_at", "description", "metadata")
    codes = {"": 1402, "{}": 1400}

    def make(self, making: Making, body: Any) -> IPPolicy:
        """Collection."""
        if getattr(body, "action", ""):
            raise Refused(_ACTION, "An IP policy has no action: give it to each of its rules, at /ip_policy_rules.")
        items = getattr(body, "rules", ())
        return IPPolicy(**self.common(making, body), rules=tuple(_rule(making, item) for item in items))

    def removed(self, call: Call, record: IPPolicy, records: Snapshot) -> Changes:
        """Collection."""
        for restriction in records.all(IPRestriction):
            if record.id in restriction.ip_policy_ids:
                raise Refused(
                    _IN_USE,
                    f"The IP policy {record.id} is used by the IP restriction {restriction.id}: take it out there first.",
                )
        return super().removed(call, record, records)

    async def write(self, call: Call, build: Any) -> Snapshot:
        """Collection."""
        return await super().write(call, keeping_caller(call, build))

    def view(self, call: Call, record: IPPolicy) -> IPPolicyView:
        """Collection."""
        return IPPolicyView(**self.seen(call, record))


def _rule(making: Making, item: IPPolicyRuleItem) -> IPPolicyRule:
    return IPPolicyRule(
        id=making.inner_id(RULE_PREFIX, item.cidr),
        cidr=item.cidr,
        action=item.action,
        description=item.description,
        metadata=item.metadata,
        created_at=making.created_at,
    )


ip_policies = IPPolicies()
