"""
``/event_subscriptions``: which events go to which destinations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ngrok_twisted.control.api.call import Call
from ngrok_twisted.control.api.collection import Collection
from ngrok_twisted.control.api.shapes import EMPTY_KEEPS, Ref, Seen, Texts, TextsUpdate
from ngrok_twisted.records.event_subscription import EventSource, EventSubscription


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSubscriptionCreate(Texts):
    """
    :ivar sources: the event types; each stands once.
    :ivar destination_ids: some of ``event_destinations``.
    """

    sources: tuple[EventSource, ...] = ()
    destination_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSubscriptionUpdate(TextsUpdate):
    """
    :ivar sources: the new event types; an empty list leaves them as they are.
    :ivar destination_ids: the new destinations.
    """

    sources: Annotated[tuple[EventSource, ...] | None, EMPTY_KEEPS] = None
    destination_ids: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSourceView:
    """
    :ivar type: the event type.
    :ivar uri: where it is.
    """

    type: str
    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSubscriptionView(Seen):
    """
    :ivar sources: the event types.
    :ivar destinations: where the events go.
    """

    sources: tuple[EventSourceView, ...]
    destinations: tuple[Ref, ...]


class EventSubscriptions(Collection[EventSubscription]):
    """The collection of event subscriptions."""

    name = "event_subscriptions"
    path = "/event_subscriptions"
    list_key = "event_subscriptions"
    noun = "event subscription"
    record = EventSubscription
    View = EventSubscriptionView
    Create = EventSubscriptionCreate
    Update = EventSubscriptionUpdate
    declared_at = "event_subscriptions"
    filterable = ("id", "created_at", "description", "metadata")
    codes = {"": 5123, "sources": 238, "destination_ids": 5103}

    def view(self, call: Call, record: EventSubscription) -> EventSubscriptionView:
        """Collection."""
        return EventSubscriptionView(
            **self.seen(call, record),
            sources=tuple(source_view(call, record, source) for source in record.sources),
            destinations=tuple(call.ref("/event_destinations", id) for id in record.destination_ids),
        )


def source_view(call: Call, record: EventSubscription, source: EventSource) -> EventSourceView:
    """What the caller sees of one source."""
    return EventSourceView(type=source.type, uri=call.uri("/event_subscriptions", record.id, "sources", source.type))


event_subscriptions = EventSubscriptions()
