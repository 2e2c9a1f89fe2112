"""
What must hold for agent ingresses.
"""

from __future__ import annotations

from typing import Iterator

from zope.interface import implementer

from ngrok_twisted.control.around import Around
from ngrok_twisted.control.ownership import is_service_name, ownership
from ngrok_twisted.hostnames import is_below, is_wildcard
from ngrok_twisted.interfaces import IRecordRules
from ngrok_twisted.records.agent_ingress import AgentIngress
from ngrok_twisted.records.base import Problem

_INVALID, _SERVICE, _TAKEN = 6704, 6705, 6706


@implementer(IRecordRules)
class AgentIngressRules:
    """The domain is the account's own business: not the server's, no other ingress's, no other account's."""

    name = AgentIngress.family

    def problems(self, record: AgentIngress, around: Around) -> Iterator[Problem]:
        """IRecordRules."""
        name, base = record.domain, around.settings.base_domain
        if is_wildcard(name) or "." not in name:
            yield Problem("domain", f"{name} is not the whole name of one domain", code=_INVALID)
        elif name == base or is_below(name, base) or is_below(base, name) or is_service_name(name, around.settings):
            yield Problem("domain", f"{name} is the service's own; agents reach it there anyway", code=_SERVICE)
        else:
            yield from _taken(record, around)


def _taken(record: AgentIngress, around: Around) -> Iterator[Problem]:
    first = around.index(_by_domain)[record.domain]
    owner = around.index(ownership).owner(record.domain)
    if first.id != record.id:
        yield Problem("domain", f"{record.domain} is an agent ingress already", code=_TAKEN, other=first.id)
    elif owner not in (None, record.account_id):
        yield Problem("domain", f"{record.domain} belongs to another account", code=_TAKEN)


def _by_domain(around: Around) -> dict[str, AgentIngress]:
    """The earliest ingress of each domain."""
    found: dict[str, AgentIngress] = {}
    for record in around.records.all(AgentIngress):
        found.setdefault(record.domain, record)
    return found


rules = AgentIngressRules()
