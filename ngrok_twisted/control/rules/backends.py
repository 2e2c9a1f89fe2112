"""
What must hold for backends: those that they name are there, and lead somewhere before long.
"""

from __future__ import annotations

from typing import Iterator

from zope.interface import implementer

from ngrok_twisted.control.around import Around
from ngrok_twisted.control.backend_graph import children, leads_to_itself, levels, nested_failovers
from ngrok_twisted.interfaces import IRecordRules
from ngrok_twisted.records.backend import PREFIXES, Backend
from ngrok_twisted.records.base import Problem

#: Levels of backends, and failovers inside a failover (specification of edges, section 3.1).
LEVELS_MAX = 5
NESTED_FAILOVERS_MAX = 1

#: ngrok's numbers for a backend that is not there, for something that is no id of one, for one too deep, and for a kind
#: that the account may not have.
_UNKNOWN, _NO_ID, _TOO_DEEP, _NOT_YOURS = 6501, 6526, 6513, 7102


@implementer(IRecordRules)
class BackendRules:
    """No rings, no ladders."""

    name = Backend.family

    def problems(self, record: Backend, around: Around) -> Iterator[Problem]:
        """IRecordRules."""
        yield from _private_network(record, around)
        found = list(_children(record, around))
        if not found and leads_to_itself(record.id, around):
            found.append(Problem("backends", "this backend leads back to itself; break the ring", code=_TOO_DEEP))
        elif not found:
            found += _depth(record, around)
        yield from found


def _private_network(record: Backend, around: Around) -> Iterator[Problem]:
    """
    What a static backend names is dialled by this server, which may reach what its users may not: only the operator's own
    accounts have such backends, and others those that the operator declares for them.
    """
    if record.kind == "static" and not record.declared and record.account_id not in around.settings.open_account_ids:
        yield Problem(
            "address", "this account may not have static backends: the operator can declare them", code=_NOT_YOURS
        )


def _children(record: Backend, around: Around) -> Iterator[Problem]:
    for path, id in children(record):
        if id.partition("_")[0] not in (*PREFIXES.values(), Backend.prefix):
            yield Problem(path, f"{id[:60]} is not the id of a backend", code=_NO_ID)
            continue
        child = around.records.get(Backend, id)
        if child is None or child.account_id != record.account_id:
            yield Problem(path, f"there is no backend {id[:60]}", code=_UNKNOWN)


def _depth(record: Backend, around: Around) -> Iterator[Problem]:
    if levels(record.id, around) > LEVELS_MAX:
        yield Problem("backends", f"backends may be nested {LEVELS_MAX} levels deep, and not more", code=_TOO_DEEP)
    if nested_failovers(record.id, around) > NESTED_FAILOVERS_MAX:
        yield Problem("backends", "a failover inside a failover holds a third one; take one out", code=_TOO_DEEP)


rules = BackendRules()
