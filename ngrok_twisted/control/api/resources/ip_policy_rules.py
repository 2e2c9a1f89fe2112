"""
``/ip_policy_rules``: the rules of all IP policies. A rule is a part of its policy's record; this is a view onto them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Iterator, Literal

from ngrok_twisted.control.api.admission import keeping_caller
from ngrok_twisted.control.api.bodies import given_values
from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.collection import Changes, Collection
from ngrok_twisted.control.api.errors import APIError, NotFound
from ngrok_twisted.control.api.shapes import Ref, Seen, Texts, TextsUpdate
from ngrok_twisted.errors import InvalidConfig, Refused
from ngrok_twisted.records.base import Put, Snapshot
from ngrok_twisted.records.ip_policy import RULE_PREFIX, IPPolicy, IPPolicyRule
from ngrok_twisted.records.ip_restriction import IPRestriction

_NO_POLICY, _LAST_RULE = 1414, 1419


@dataclass(frozen=True, slots=True, kw_only=True)
class IPPolicyRuleCreate(Texts):
    """
    :ivar cidr: a block of addresses such as ``192.0.2.0/24``; its lowest address stands before the mask.
    :ivar ip_policy_id: the policy that the rule joins.
    :ivar action: what happens to the addresses. A peer is admitted if at least one rule allows it, and none denies it.
    """

    cidr: str
    ip_policy_id: str
    action: Literal["allow", "deny"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IPPolicyRuleUpdate(TextsUpdate):
    """
    :ivar cidr: another block of addresses.
    """

    cidr: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IPPolicyRuleView(Seen):
    """
    :ivar cidr: the block of addresses, as it was written.
    :ivar ip_policy: the policy that it belongs to.
    :ivar action: ``allow`` or ``deny``.
    """

    cidr: str
    ip_policy: Ref
    action: str


@dataclass(frozen=True, slots=True)
class Placed:
    """
    A rule in its policy.

    :ivar policy: the record that holds it.
    :ivar rule: one of its rules.
    """

    policy: IPPolicy
    rule: IPPolicyRule

    @property
    def id(self) -> str:
        """The rule's id."""
        return self.rule.id


class IPPolicyRules(Collection[Any]):
    """The rules of an account's policies."""

    name = "ip_policy_rules"
    path = "/ip_policy_rules"
    list_key = "ip_policy_rules"
    noun = "IP policy rule"
    record = IPPolicy
    View = IPPolicyRuleView
    Create = IPPolicyRuleCreate
    Update = IPPolicyRuleUpdate
    filterable = ("id", "created_at", "description", "metadata", "ip_policy", "cidr", "action")
    codes = {"": 1404, "{}": 1401, "missing": 1405, "cidr": 1406, "ip_policy_id": 1414, "action": 1422}

    @property
    def prefix(self) -> str:
        """Collection."""
        return RULE_PREFIX

    def owned(self, call: Call, records: Snapshot) -> Iterator[Placed]:
        """Collection."""
        for policy in records.all(IPPolicy):
            if policy.account_id == call.account_id:
                for rule in policy.rules:
                    yield Placed(policy, rule)

    def find(self, call: Call, records: Snapshot, id: str) -> Placed:
        """Collection."""
        self.check_id(id)
        for placed in self.owned(call, records):
            if placed.id == id:
                return placed
        raise NotFound(self.noun, id, self.codes[""])

    def make(self, making: Making, body: Any) -> Placed:
        """Collection."""
        policy = making.records.get(IPPolicy, body.ip_policy_id)
        if policy is None or policy.account_id != making.account_id:
            raise Refused(_NO_POLICY, f"There is no IP policy {body.ip_policy_id}.")
        rule = IPPolicyRule(
            id=making.id,
            cidr=body.cidr,
            action=body.action,
            description=body.description,
            metadata=body.metadata,
            created_at=making.created_at,
        )
        return Placed(replace(policy, rules=(*policy.rules, rule)), rule)

    def changed(self, call: Call, record: Placed, body: Any, records: Snapshot) -> Placed:
        """Collection."""
        changed = replace(record.rule, **given_values(body))
        rules = tuple(changed if rule is record.rule else rule for rule in record.policy.rules)
        return Placed(replace(record.policy, rules=rules), changed)

    def removed(self, call: Call, record: Placed, records: Snapshot) -> Changes:
        """Collection."""
        left = tuple(rule for rule in record.policy.rules if rule is not record.rule)
        if not left and _guards_dashboard(record.policy, records):
            raise Refused(
                _LAST_RULE, "This is the last rule of a policy that restricts the dashboard: add another one first."
            )
        return (Put(replace(record.policy, rules=left)),)

    def put(self, record: Placed) -> Put:
        """Collection."""
        return Put(record.policy)

    async def write(self, call: Call, build: Any) -> Snapshot:
        """Collection: what stands against a policy is told of the one rule that was sent."""
        try:
            return await call.change(keeping_caller(call, build))
        except InvalidConfig as error:
            own = [replace(problem, path=problem.path.rpartition("].")[2]) for problem in error.problems]
            raise APIError.problems(own, self.codes) from None
        except Refused as refused:
            raise APIError.refused(refused) from None

    def view(self, call: Call, record: Placed) -> IPPolicyRuleView:
        """Collection."""
        rule: Any = record.rule
        return IPPolicyRuleView(
            **self.seen(call, rule),
            cidr=rule.cidr,
            ip_policy=call.ref("/ip_policies", record.policy.id),
            action=rule.action,
        )


def _guards_dashboard(policy: IPPolicy, records: Snapshot) -> bool:
    return any(
        restriction.type == "dashboard" and policy.id in restriction.ip_policy_ids
        for restriction in records.all(IPRestriction)
    )


ip_policy_rules = IPPolicyRules()
