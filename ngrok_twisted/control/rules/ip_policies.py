"""
What must hold for IP policies and the rules in them.
"""

from __future__ import annotations

from typing import Iterator

from zope.interface import implementer

from ngrok_twisted.control.around import DESCRIPTION_MAX, METADATA_MAX, Around
from ngrok_twisted.errors import Refused
from ngrok_twisted.interfaces import IRecordRules
from ngrok_twisted.networks import Network, parse_network
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.ip_policy import IPPolicy, IPPolicyRule

#: Rules of one policy. Each change of one rule writes its whole policy, so that the number is bounded.
RULES_MAX = 10_000

_TOO_MANY, _TAKEN, _DESCRIPTION = 1411, 1408, 1421


@implementer(IRecordRules)
class IPPolicyRules:
    """Each rule has a block of addresses of its own, written from its lowest address on."""

    name = IPPolicy.family

    def problems(self, record: IPPolicy, around: Around) -> Iterator[Problem]:
        """IRecordRules."""
        if len(record.rules) > RULES_MAX:
            yield Problem("rules", f"a policy has at most {RULES_MAX} rules; make a second one", code=_TOO_MANY)
            return
        seen: set[Network] = set()
        for number, rule in enumerate(record.rules):
            path = f"rules[{number}]"
            yield from _texts(rule, path)
            try:
                block = parse_network(rule.cidr)
            except Refused as refused:
                yield Problem(f"{path}.cidr", refused.message, code=refused.code or 0)
                continue
            if block in seen:
                yield Problem(f"{path}.cidr", f"the policy has a rule for {block} already", code=_TAKEN)
            seen.add(block)


def _texts(rule: IPPolicyRule, path: str) -> Iterator[Problem]:
    for name, most, code in (("description", DESCRIPTION_MAX, _DESCRIPTION), ("metadata", METADATA_MAX, 0)):
        if len(getattr(rule, name).encode("utf-8", "surrogatepass")) > most:
            yield Problem(f"{path}.{name}", f"is longer than {most} bytes", code=code)


rules = IPPolicyRules()
