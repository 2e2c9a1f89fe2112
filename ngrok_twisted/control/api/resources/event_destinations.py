"""
``/event_destinations``: where events are sent.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Callable, Iterator

from ngrok_twisted.control.api.bodies import given_values
from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.collection import Changes, Collection
from ngrok_twisted.control.api.shapes import Seen, Texts, TextsUpdate
from ngrok_twisted.errors import Refused
from ngrok_twisted.records.base import Delete, Snapshot
from ngrok_twisted.records.event_destination import EventDestination, EventTarget
from ngrok_twisted.records.event_subscription import EventSubscription


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDestinationCreate(Texts):
    """
    :ivar format: ``json``, the only one there is.
    :ivar target: where to; exactly one.
    :ivar verify_with_test_event: not supported; must be false.
    """

    format: str = "json"
    target: EventTarget = EventTarget()
    verify_with_test_event: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDestinationUpdate(TextsUpdate):
    """
    :ivar format: ``json``.
    :ivar target: of the same kind as before; a secret that is left out stays.
    :ivar verify_with_test_event: not supported; must be false.
    """

    format: str | None = None
    target: EventTarget | None = None
    verify_with_test_event: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDestinationView(Seen):
    """
    :ivar format: ``json``.
    :ivar target: where to, without secrets.
    """

    format: str
    target: EventTarget


class EventDestinations(Collection[EventDestination]):
    """The collection of event destinations."""

    name = "event_destinations"
    path = "/event_destinations"
    list_key = "event_destinations"
    noun = "event destination"
    record = EventDestination
    View = EventDestinationView
    Create = EventDestinationCreate
    Update = EventDestinationUpdate
    declared_at = "event_destinations"
    filterable = ("id", "created_at", "description", "metadata")
    codes = {"": 5103, "format": 235, "target": 236}

    def make(self, making: Making, body: Any) -> EventDestination:
        """Collection."""
        _refuse_test(body)
        return EventDestination(**self.common(making, body), format=body.format.lower(), target=body.target)

    def changed(self, call: Call, record: EventDestination, body: Any, records: Snapshot) -> EventDestination:
        """Collection."""
        _refuse_test(body)
        given = given_values(replace(body, verify_with_test_event=None))
        if body.target is not None:
            given["target"] = _changed_target(record.target, body.target)
        return replace(record, **{**given, "format": (body.format or record.format).lower()})

    def removed(self, call: Call, record: EventDestination, records: Snapshot) -> Changes:
        """Collection."""
        for subscription in records.all(EventSubscription):
            if record.id in subscription.destination_ids:
                raise Refused(5112, f"The event subscription {subscription.id} sends events here: change it first.")
        return (Delete(EventDestination, record.id),)

    def view(self, call: Call, record: EventDestination) -> EventDestinationView:
        """Collection."""
        return EventDestinationView(
            **self.seen(call, record), format=record.format, target=without_secrets(record.target)
        )


def _refuse_test(body: Any) -> None:
    if body.verify_with_test_event:
        raise Refused(215, "verify_with_test_event is not supported: send a test event when the destination is there.")


def chosen(target: EventTarget) -> Iterator[str]:
    """The names of the kinds of target that are set."""
    return (item.name for item in fields(target) if getattr(target, item.name) is not None)


def without_secrets(target: EventTarget) -> EventTarget:
    """The same target as an answer shows it."""
    shown: EventTarget = _with_secrets(target, lambda item, mine, theirs: None if item.default is None else "", target)
    return shown


def _changed_target(before: EventTarget, after: EventTarget) -> EventTarget:
    if not list(chosen(after)):
        return before
    if list(chosen(after)) != list(chosen(before)):
        raise Refused(5108, "The kind of a target cannot be changed: make another destination.")
    kept: EventTarget = _with_secrets(after, lambda item, mine, theirs: mine or theirs, before)
    return kept


def _with_secrets(target: Any, choose: Callable[[Any, Any, Any], Any], other: Any) -> Any:
    """
    The same target with other secrets.

    :param choose: called with a secret's field, its value here and its value in ``other``.
    """
    changes = {}
    for item in fields(target):
        mine, theirs = getattr(target, item.name), getattr(other, item.name, None)
        if is_dataclass(mine):
            changes[item.name] = _with_secrets(mine, choose, theirs)
        elif not item.repr:
            changes[item.name] = choose(item, mine, theirs)
    return replace(target, **changes) if changes else target


event_destinations = EventDestinations()
