"""
Event subscriptions: which events go to which destinations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ngrok_twisted.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSource:
    """
    :ivar type: the event type, such as ``ip_policy_created.v0``.
    """

    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSubscription(Record):
    """
    :ivar sources: the event types; each stands once.
    :ivar destination_ids: the `EventDestination` records.
    """

    family: ClassVar[str] = "event_subscriptions"
    prefix: ClassVar[str] = "esb"

    sources: tuple[EventSource, ...] = ()
    destination_ids: tuple[str, ...] = ()
