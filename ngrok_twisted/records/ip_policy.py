"""
IP policies: rules about addresses, which edges, endpoints and restrictions of the whole account name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from ngrok_twisted.networks import Admission, NetworkSet, parse_network
from ngrok_twisted.records.base import Record

#: The start of the ids of rules.
RULE_PREFIX = "ipr"


@dataclass(frozen=True, slots=True, kw_only=True)
class IPPolicyRule:
    """
    :ivar id: the public id, ``ipr_…``.
    :ivar cidr: a block of addresses in CIDR form, as it was written; the block's lowest address stands before the mask.
    :ivar action: what happens to them.
    :ivar description: at most 255 bytes, for people.
    :ivar metadata: at most 4096 bytes, opaque.
    :ivar created_at: seconds since the epoch.
    """

    id: str
    cidr: str
    action: Literal["allow", "deny"]
    description: str = ""
    metadata: str = ""
    created_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class IPPolicy(Record):
    """
    A policy without rules says nothing, and whoever relies on it alone lets nobody in.

    :ivar rules: in the order they were made.
    """

    family: ClassVar[str] = "ip_policies"
    prefix: ClassVar[str] = "ipp"

    rules: tuple[IPPolicyRule, ...] = ()
    _admission: Admission | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def admission(self) -> Admission:
        """
        What the rules say, made once for this record, however many edges use it.

        :raises Refused: a rule's block is none; `ngrok_twisted.control.rules.ip_policies` lets no such record pass.
        """
        made = self._admission
        if made is None:
            made = Admission(*(self._blocks(action) for action in ("allow", "deny")))
            object.__setattr__(self, "_admission", made)
        return made

    def _blocks(self, action: str) -> NetworkSet:
        return NetworkSet(parse_network(rule.cidr) for rule in self.rules if rule.action == action)
