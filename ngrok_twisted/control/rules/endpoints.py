"""
What must hold for cloud endpoints.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Iterator

from zope.interface import implementer

from ngrok_twisted.control.around import Around
from ngrok_twisted.control.hostports import HTTPS_PORT
from ngrok_twisted.control.ownership import Place, ownership, place_of
from ngrok_twisted.errors import InvalidConfig, Refused
from ngrok_twisted.interfaces import IRecordRules
from ngrok_twisted.policy.document import parse_policy, told
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.endpoint import Endpoint

BAD_POLICY, NOT_RESERVED, TAKEN, OTHER_NOT_POOLED, NOT_POOLED = 18002, 18006, 18009, 18016, 18017


@implementer(IRecordRules)
class EndpointRules:
    """Its name is the account's, its URL is free or a pool, and its policy answers everything."""

    name = Endpoint.family

    def problems(self, record: Endpoint, around: Around) -> Iterator[Problem]:
        """IRecordRules."""
        yield from _name(record, around)
        yield from _url(record, around)
        yield from _policy(record)


def _name(record: Endpoint, around: Around) -> Iterator[Problem]:
    if record.binding != "public":
        return
    owned = around.index(ownership)
    try:
        if record.proto == "tcp":
            owned.check_address(record.account_id, record.host, record.port, around.settings)
        else:
            owned.check_name(record.account_id, record.host, around.settings)
    except Refused as refused:
        yield Problem("url", refused.message, code=NOT_RESERVED)
        return
    if record.proto == "tcp":
        return
    # One name is one account's on all its ports: a page on http: could set cookies for that on https:.
    others = [other.id for other in around.index(_by_host)[record.host] if other.account_id != record.account_id]
    if record.port != HTTPS_PORT and owned.edge_account(Place("", record.host, HTTPS_PORT)) not in (
        None,
        record.account_id,
    ):
        others.append("")
    if others:
        message = f"the name {record.host} is in use by another account"
        yield Problem("url", message, code=NOT_RESERVED, other=others[0])


def _url(record: Endpoint, around: Around) -> Iterator[Problem]:
    place = place_of(record)
    if around.index(ownership).is_edge(place):
        yield Problem("url", "belongs to an edge; take it out of the edge first", code=_conflict(record, None))
        return
    for other in around.index(_by_place)[place]:
        if other.id == record.id or _is_pool(record, other):
            continue
        if other.account_id != record.account_id:
            if record.proto == "tcp":  # of names this was asked before
                yield Problem("url", "is in use by another account", code=NOT_RESERVED, other=other.id)
            return
        what = "a cloud endpoint" if other.type == "cloud" else "an agent"
        message = f"{what} ({other.id}) has it already; switch pooling on for both, or take another URL"
        yield Problem("url", message, code=_conflict(record, other), other=other.id)
        return


def _is_pool(record: Endpoint, other: Endpoint) -> bool:
    pooled = record.pooling_enabled and other.pooling_enabled
    return pooled and record.proto == other.proto and record.account_id == other.account_id


def _conflict(record: Endpoint, other: Endpoint | None) -> int:
    """The code for a URL that something else has; an edge (``None``) never pools."""
    if record.pooling_enabled:
        return OTHER_NOT_POOLED
    both_alone = other is not None and other.type == "cloud" and not other.pooling_enabled
    return TAKEN if both_alone else NOT_POOLED


def _policy(record: Endpoint) -> Iterator[Problem]:
    try:
        parse_policy(record.traffic_policy, record.proto, place=record.binding, must_end=True)
    except InvalidConfig as error:
        for problem in error.problems:
            # Clients look for the problem's own number in the text.
            message = f"the policy cannot be used: {told(problem)} (ERR_NGROK_{problem.code})"
            yield Problem("traffic_policy", message, code=BAD_POLICY)


def _by_place(around: Around) -> dict[Place, list[Endpoint]]:
    found: dict[Place, list[Endpoint]] = defaultdict(list)
    for endpoint in (*around.records.all(Endpoint), *around.live.values()):
        found[place_of(endpoint)].append(endpoint)
    return found


def _by_host(around: Around) -> dict[str, list[Endpoint]]:
    found: dict[str, list[Endpoint]] = defaultdict(list)
    for endpoint in (*around.records.all(Endpoint), *around.live.values()):
        if endpoint.binding == "public" and endpoint.proto != "tcp":
            found[endpoint.host].append(endpoint)
    return found


rules = EndpointRules()
