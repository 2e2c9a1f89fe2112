"""
``/ip_restrictions``: who may reach a whole account.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from ngrok_twisted.control.api.admission import keeping_caller
from ngrok_twisted.control.api.call import Call
from ngrok_twisted.control.api.collection import Collection
from ngrok_twisted.control.api.shapes import EMPTY_KEEPS, Ref, Seen, Texts, TextsUpdate
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.ip_restriction import IPRestriction


@dataclass(frozen=True, slots=True, kw_only=True)
class IPRestrictionCreate(Texts):
    """
    :ivar type: what is restricted, once in an account: ``endpoints`` (every public endpoint and edge, before its own
        modules), ``api`` (this API), ``agent`` (the sessions of agents) or ``dashboard`` (kept, and without effect while
        this server has no dashboard).
    :ivar ip_policy_ids: the IP policies whose rules count together; at least one.
    :ivar enforced: whoever is not admitted is turned away; otherwise it is only written to the server's log.
    """

    type: Literal["dashboard", "api", "agent", "endpoints"]
    ip_policy_ids: tuple[str, ...]
    enforced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IPRestrictionUpdate(TextsUpdate):
    """
    :ivar ip_policy_ids: the IP policies whose rules count together.
    :ivar enforced: whoever is not admitted is turned away.
    """

    ip_policy_ids: Annotated[tuple[str, ...] | None, EMPTY_KEEPS] = None
    enforced: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IPRestrictionView(Seen):
    """
    :ivar enforced: whoever is not admitted is turned away; otherwise it is only written to the server's log.
    :ivar type: ``endpoints``, ``api``, ``agent``, or ``dashboard``, which has no effect while this server has no dashboard.
    :ivar ip_policies: the IP policies whose rules count together.
    """

    enforced: bool
    type: str
    ip_policies: tuple[Ref, ...]


class IPRestrictions(Collection[IPRestriction]):
    """The collection of IP restrictions."""

    name = "ip_restrictions"
    path = "/ip_restrictions"
    list_key = "ip_restrictions"
    noun = "IP restriction"
    record = IPRestriction
    View = IPRestrictionView
    Create = IPRestrictionCreate
    Update = IPRestrictionUpdate
    declared_at = "ip_restrictions"
    filterable = ("id", "created_at", "description", "metadata")
    codes = {"type": 1803, "ip_policy_ids": 1804}

    def about(self, body: Any) -> str:
        """Collection."""
        return str(body.type)

    async def write(self, call: Call, build: Any) -> Snapshot:
        """Collection."""
        return await super().write(call, keeping_caller(call, build))

    def view(self, call: Call, record: IPRestriction) -> IPRestrictionView:
        """Collection."""
        return IPRestrictionView(
            **self.seen(call, record),
            enforced=record.enforced,
            type=record.type,
            ip_policies=tuple(call.ref("/ip_policies", id) for id in record.ip_policy_ids),
        )


ip_restrictions = IPRestrictions()
