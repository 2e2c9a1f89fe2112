"""
`Event`: something that happened, as event destinations get it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """
    :ivar id: ``ev_…``; the same wherever the event goes, and however often.
    :ivar type: such as ``ip_policy_created.v0``.
    :ivar account_id: whose event it is.
    :ivar seconds: when it happened, in seconds since the epoch.
    :ivar traffic: a request or connection of a visitor, of which there may be very many; the others are audit events.
    :ivar body: the whole event as a JSON object, without line breaks.
    """

    id: str
    type: str
    account_id: str
    seconds: float
    traffic: bool = False
    body: bytes


def make_event(
    id: str,
    type: str,
    account_id: str,
    seconds: float,
    object: Mapping[str, Any],
    principal: Mapping[str, Any] | None = None,
    traffic: bool = False,
) -> Event:
    """
    Put something that happened into the envelope that all events have (specification of events, section 7.1).

    :param object: JSON-shaped data: what it happened to.
    :param principal: likewise: who did it; ``None`` where nobody of the account did.
    """
    envelope = {
        "event_id": id,
        "event_type": type,
        "event_timestamp": moment(seconds),
        "account_id": account_id,
        "principal": principal,
        "object": object,
    }
    body = json.dumps(envelope, separators=(",", ":")).encode("ascii")
    return Event(id=id, type=type, account_id=account_id, seconds=seconds, traffic=traffic, body=body)


def moment(seconds: float) -> str:
    """
    RFC 3339 in UTC, to the millisecond: many events happen in a second, and their readers sort them.

    :param seconds: since the epoch.
    """
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
