"""
`Audit`: what a call changed, as audit events; and agent sessions that begin and end.

Events follow from what was written, not from what was asked for: no resource has to think of them, and none can forget.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, Callable, Iterator, Mapping

from twisted.logger import Logger

from ngrok_twisted import schema
from ngrok_twisted.control.api.call import Call
from ngrok_twisted.control.api.collection import Collection
from ngrok_twisted.control.api.edge_routes import route_view
from ngrok_twisted.control.api.resources.ip_policy_rules import Placed, ip_policy_rules
from ngrok_twisted.control.api.routes import resources
from ngrok_twisted.event_types import AUDITED, CREATED, DELETED, ROUTES, RULES, UPDATED, event_type
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.records.base import Delete, Put, Record, Snapshot
from ngrok_twisted.records.edge import HTTPSEdge
from ngrok_twisted.records.ip_policy import IPPolicy
from ngrok_twisted.records.service_user import ServiceUser, service_user_id
from ngrok_twisted.records.user import User

#: What happened: the record before and after, of which one may not be there.
Change = tuple[Record | None, Record | None]


@dataclass(frozen=True, slots=True)
class _Parts:
    """
    Records that hold what is a resource of its own.

    :ivar field: where they hold it.
    :ivar resource: the resource's name.
    :ivar view: called with a call, the record and a part of it.
    """

    field: str
    resource: str
    view: Callable[[Call, Any, Any], Any]

    def of(self, record: Any) -> dict[str, Any]:
        """The parts of a record by their ids; none where there is no record."""
        return {} if record is None else {part.id: part for part in getattr(record, self.field)}

    def without(self, record: Any) -> Any:
        """A record without its parts."""
        return replace(record, **{self.field: ()})


_PARTS: Mapping[type, _Parts] = {
    HTTPSEdge: _Parts("routes", ROUTES, route_view),
    IPPolicy: _Parts("rules", RULES, lambda call, policy, rule: ip_policy_rules.view(call, Placed(policy, rule))),
}


class Audit:
    """
    Publishes an event for everything that a call changed.
    """

    _log = Logger()

    def __init__(self, publisher: Any) -> None:
        """
        :param publisher: the `ngrok_twisted.observability.publisher.Publisher`.
        """
        self._publisher = publisher

    def __call__(self, call: Call, before: Snapshot, changes: tuple[Put | Delete, ...], after: Snapshot) -> None:
        """
        :param before: the records before the call's change.
        :param changes: what was written.
        :param after: the records after it.
        """
        try:
            for change in changes:
                was, now = _change(before, change)
                if was != now:
                    self._record(_at(call, before), _at(call, after), was, now)
        except Exception:
            # the change is made, and whoever asked for it is not to suffer
            self._log.failure("{operation} changed something of which no event tells", operation=call.operation_id)

    def _record(self, then: Call, call: Call, was: Record | None, now: Record | None) -> None:
        shown: Any = now or was
        resource = _resources().get((type(shown), shown.id.rpartition("_")[0]))
        if resource is None:
            return
        parts = _PARTS.get(type(shown))
        if parts is not None:
            self._parts(parts, then, call, was, now)
            if was is not None and now is not None and parts.without(was) == parts.without(now):
                return
        self._tell(call, resource.name, was, now, lambda: resource.view(then if now is None else call, shown))

    def _parts(self, parts: _Parts, then: Call, call: Call, was: Any, now: Any) -> None:
        old, new = parts.of(was), parts.of(now)
        for id in {**old, **new}:
            before, after = old.get(id), new.get(id)
            if before != after:
                seen = (then, was, before) if after is None else (call, now, after)
                self._tell(call, parts.resource, before, after, partial(parts.view, *seen))

    def _tell(self, call: Call, resource: str, was: Any, now: Any, view: Callable[[], Any]) -> None:
        type = event_type(resource, CREATED if was is None else DELETED if now is None else UPDATED)
        if self._publisher.wants(call.account_id, type):
            who = event_principal(
                call.records, call.principal, "API", call.uri("/api_keys", call.principal.credential_id)
            )
            self._publisher.publish(type, call.account_id, schema.dump(view()), who)


def event_principal(records: Snapshot, principal: Principal, source: str, credential_uri: str) -> dict[str, Any]:
    """
    Who did something, as events tell it (specification of events, section 7.1).

    :param source: by what: ``API``, or ``Agent`` for sessions.
    :param credential_uri: where the credential is that was shown.
    """
    user = records.get(User, principal.owner_id)
    service_user = records.get(ServiceUser, service_user_id(principal.owner_id))
    return {
        "id": principal.owner_id or None,
        "subject": user.shown if user is not None else service_user.name if service_user is not None else "",
        "source": source,
        "credential": {"id": principal.credential_id, "uri": credential_uri},
    }


def _change(before: Snapshot, change: Put | Delete) -> Change:
    if isinstance(change, Delete):
        return before.get(change.cls, change.id), None
    return before.get(type(change.record), change.record.id), change.record


def _at(call: Call, records: Snapshot) -> Call:
    """The same call with the records of another moment, so that views show what was there then."""
    return replace(call, parts=replace(call.parts, records=lambda: records))


@lru_cache(maxsize=None)
def _resources() -> Mapping[tuple[type, str], Collection[Any]]:
    """The resource that stands for a record, by the record's class and the prefix of its id."""
    return {(resource.record, resource.prefix): resource for resource in _audited()}


def _audited() -> Iterator[Collection[Any]]:
    found = resources()
    for name in AUDITED:
        resource = found.get(name)
        if isinstance(resource, Collection):
            yield resource
