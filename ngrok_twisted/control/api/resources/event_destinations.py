"""
``/event_destinations``: where events are sent.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Callable, Iterator

from ngrok_twisted.control.api.bodies import given_values, read_update
from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.collection import Changes, Collection
from ngrok_twisted.control.api.errors import APIError
from ngrok_twisted.control.api.method import Answer, Method
from ngrok_twisted.control.api.shapes import Seen, Texts, TextsUpdate
from ngrok_twisted.control.around import Around, record_problems
from ngrok_twisted.errors import Refused
from ngrok_twisted.observability.destination import DestinationBusy, DestinationRefused
from ngrok_twisted.records.base import Delete, Snapshot
from ngrok_twisted.records.event_destination import EventDestination, EventTarget
from ngrok_twisted.records.event_subscription import EventSubscription


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDestinationItem(Texts):
    """
    :ivar format: ``json``, the only one there is.
    :ivar target: where to; exactly one.
    """

    format: str = "json"
    target: EventTarget = EventTarget()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDestinationCreate(EventDestinationItem):
    """
    :ivar verify_with_test_event: send a test event first, and refuse what it does not get through to.
    """

    verify_with_test_event: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDestinationUpdate(TextsUpdate):
    """
    :ivar format: ``json``.
    :ivar target: of the same kind as before; a secret that is left out stays.
    :ivar verify_with_test_event: send a test event first, and leave all as it is where it does not get through.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SentEvent:
    """
    :ivar event_id: the id of the test event, which the target has now.
    """

    event_id: str


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
    Declared = EventDestinationItem
    declared_at = "event_destinations"
    filterable = ("id", "created_at", "description", "metadata")
    codes = {"": 5103, "format": 235, "target": 236}

    def make(self, making: Making, body: Any) -> EventDestination:
        """Collection."""
        return EventDestination(**self.common(making, body), format=body.format.lower(), target=body.target)

    def changed(self, call: Call, record: EventDestination, body: Any, records: Snapshot) -> EventDestination:
        """Collection."""
        given = given_values(replace(body, verify_with_test_event=None))
        if body.target is not None:
            given["target"] = _changed_target(record.target, body.target)
        return replace(record, **{**given, "format": (body.format or record.format).lower()})

    async def prepared(self, call: Call, body: Any) -> Any:
        """Collection."""
        await self._check(call, self.make(call.making(self.prefix, call.records), body), body.verify_with_test_event)
        return body

    async def _update(self, call: Call) -> Answer:
        before = self.find(call, call.records, call.params["id"])
        body = read_update(EventDestinationUpdate, call.data, call.params, self.codes)
        if body.target is not None or body.verify_with_test_event:
            try:
                after = self.changed(call, before, body, call.records)
            except Refused as refused:
                raise APIError.refused(refused) from None
            await self._check(call, after, bool(body.verify_with_test_event))
        return await super()._update(call)

    async def _check(self, call: Call, record: EventDestination, with_event: bool) -> None:
        """
        :raises APIError: this server cannot send there, or did not get through.
        """
        publisher = call.parts.more.get("events")
        around = Around(records=call.records, settings=call.parts.settings)
        if publisher is None or any(record_problems(record, around)):
            return  # what is wrong with a record is told when it is written
        refusal = publisher.refusal(record)
        if refusal:
            raise APIError(None, f"The destination cannot be used: {refusal}.")
        if with_event:
            await _send_test_event(publisher, record)

    def more_methods(self) -> Iterator[Method]:
        """Collection."""
        yield self._method(
            "POST",
            self.path + "/{id}/send_test_event",
            "send_test_event",
            self._test,
            "Send a test event at once; the answer tells whether the target took it.",
            answer=SentEvent,
            body_ignored=True,
        )

    async def _test(self, call: Call) -> Answer:
        record = self.find(call, call.records, call.params["id"])
        return Answer(200, SentEvent(event_id=await _send_test_event(call.parts.more["events"], record)))

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


async def _send_test_event(publisher: Any, record: EventDestination) -> str:
    """
    :return: the event's id.
    :raises APIError: it did not get through.
    """
    try:
        id: str = await publisher.test(record)
    except DestinationRefused as refused:
        raise APIError(
            refused.code, f"The target does not take the test event: {refused.sentence}.", status=400
        ) from None
    except DestinationBusy as busy:
        # Not 502: ngrok's Python client loses the sentence of every 5xx.
        raise APIError(None, f"The test event did not get through: {busy.sentence}.") from None
    return id


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
