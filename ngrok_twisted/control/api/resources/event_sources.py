"""
``/event_subscriptions/{subscription_id}/sources``: the event types of one subscription.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Iterator

from zope.interface import implementer

from ngrok_twisted.control.api.bodies import read_create, read_update
from ngrok_twisted.control.api.call import Call
from ngrok_twisted.control.api.errors import APIError, NotFound
from ngrok_twisted.control.api.method import Answer, Method
from ngrok_twisted.control.api.resources.event_subscriptions import EventSourceView, event_subscriptions, source_view
from ngrok_twisted.event_types import TRAFFIC
from ngrok_twisted.interfaces import IAPIResource
from ngrok_twisted.records.base import Put
from ngrok_twisted.records.event_subscription import EventSource, EventSubscription

PATH = "/event_subscriptions/{subscription_id}/sources"

Sources = tuple[EventSource, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSourceCreate:
    """
    :ivar type: the event type, such as ``ip_policy_created.v0``.
    :ivar filter: not supported; must be empty.
    :ivar fields: not supported; must be empty.
    """

    type: str
    filter: str = ""
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSourceUpdate:
    """
    :ivar type: the event type, as in the path.
    :ivar filter: not supported; must be empty.
    :ivar fields: not supported; must be empty.
    """

    type: str | None = None
    filter: str | None = None
    fields: tuple[str, ...] | None = None


@implementer(IAPIResource)
class EventSources:
    """Sources have no ids of their own: the event type names them."""

    name = "event_sources"

    def methods(self) -> Iterator[Method]:
        """IAPIResource."""
        item = PATH + "/{type}"
        shown = {"answer": EventSourceView}
        yield _method("POST", PATH, "create", self._create, "Add an event type.", 201, body=EventSourceCreate, **shown)
        yield _method("GET", PATH, "list", self._list, "List them.", 200, list_key="sources", **shown)
        yield _method("GET", item, "get", self._get, "Read one.", 200, **shown)
        yield _method("PATCH", item, "update", self._update, "Change one.", 200, body=EventSourceUpdate, **shown)
        yield _method("DELETE", item, "delete", self._delete, "Take an event type out.", 204)

    def _list(self, call: Call) -> Answer:
        record = self._subscription(call)
        sources = tuple(source_view(call, record, source) for source in record.sources)
        return Answer(200, {"sources": sources, "uri": call.uri(PATH.format_map(call.params))})

    def _get(self, call: Call) -> Answer:
        record = self._subscription(call)
        return Answer(200, source_view(call, record, _source(record, call.params["type"])))

    async def _create(self, call: Call) -> Answer:
        self._subscription(call)
        body = read_create(EventSourceCreate, call.data, call.params, {"type": 238})
        _refuse_selection(body)
        source = EventSource(type=body.type)
        record = await self._change(call, lambda record: (*record.sources, source))
        return Answer(201, source_view(call, record, source))

    async def _update(self, call: Call) -> Answer:
        record = self._subscription(call)
        source = _source(record, call.params["type"])
        body = read_update(EventSourceUpdate, call.data, {"subscription_id"}, {"type": 238})
        _refuse_selection(body)
        if body.type not in (None, "", source.type):
            raise APIError(215, "The event type of a source cannot be changed: add another, and delete this one.")
        return Answer(200, source_view(call, record, source))

    async def _delete(self, call: Call) -> Answer:
        def without(record: EventSubscription) -> Sources:
            gone = _source(record, call.params["type"])
            return tuple(source for source in record.sources if source != gone)

        await self._change(call, without)
        return Answer(204)

    async def _change(self, call: Call, sources: Callable[[EventSubscription], Sources]) -> EventSubscription:
        def build(records: Any) -> Iterator[Put]:
            record = event_subscriptions.find(call, records, call.params["subscription_id"])
            yield Put(replace(record, sources=sources(record)))

        after = await event_subscriptions.write(call, build)
        return event_subscriptions.find(call, after, call.params["subscription_id"])

    def _subscription(self, call: Call) -> EventSubscription:
        return event_subscriptions.find(call, call.records, call.params["subscription_id"])


def _method(verb: str, path: str, action: str, perform: Any, summary: str, status: int, **more: Any) -> Method:
    return Method(verb=verb, path=path, action=action, perform=perform, summary=summary, status=status, **more)


def _source(record: EventSubscription, type_: str) -> EventSource:
    for source in record.sources:
        if source.type == type_:
            return source
    raise NotFound("event source", type_[:60], 5125)


def _refuse_selection(body: Any) -> None:
    type_ = getattr(body, "type", None)
    if body.fields:
        raise APIError(5403 if type_ in TRAFFIC else 5401, "The fields of an event cannot be chosen: leave them out.")
    if body.filter:
        raise APIError(5135 if type_ in TRAFFIC else 5402, "Events cannot be filtered: leave the filter out.")


event_sources = EventSources()
