"""
`Call`: one request to the API as a resource sees it; `Making`: what a resource needs to make a record, whether it was
posted or declared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Mapping

from twisted.internet.defer import Deferred, succeed

from ngrok_twisted.control.api.method import Query
from ngrok_twisted.control.api.shapes import Ref
from ngrok_twisted.control.ownership import ReservationSettings
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.records.base import Delete, Put, Snapshot
from ngrok_twisted.records.endpoint import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """
    The parts of the server that the API works on.

    :ivar records: gives the records in force, without live endpoints.
    :ivar change: `ngrok_twisted.control.service.Control.change`.
    :ivar audit: called with the call, the records before, what was written and the records after, each time that a call has
        changed something; see `ngrok_twisted.control.api.audit`. It never raises.
    :ivar live: gives the endpoints of agents that are online, by id.
    :ivar tunnels: the `ngrok_twisted.tunnels.Tunnels` table.
    :ivar sessions: the `ngrok_twisted.iam.sessions.Sessions` of agents.
    :ivar settings: the server's own names, ports and rights.
    :ivar now: gives the seconds since the epoch.
    :ivar new_id: ``new_id(prefix)`` gives an id that was never given before and sorts behind all before it.
    :ivar random_bytes: ``random_bytes(count)`` gives unguessable bytes.
    :ivar pause: gives an awaitable that lets others be served meanwhile; see `ngrok_twisted.control.api.pauses`.
    :ivar more: what a single resource needs, by a name of its own; see the wiring in ``tap.py``.
    """

    records: Callable[[], Snapshot]
    change: Callable[..., Any]
    live: Callable[[], Mapping[str, Endpoint]]
    tunnels: Any
    sessions: Any
    settings: ReservationSettings
    now: Callable[[], float]
    new_id: Callable[[str], str]
    random_bytes: Callable[[int], bytes]
    audit: Callable[..., None] = lambda call, before, changes, after: None
    pause: Callable[[], Any] = lambda: succeed(None)
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """
    What stands around a record that is being made. The same for a body that was posted and for an item of ``config.yaml``,
    so that a resource makes its records in one place.

    :ivar id: the new record's id.
    :ivar account_id: its owner account.
    :ivar owner_id: the user or service user who makes it; empty for declared records.
    :ivar created_at: seconds since the epoch; 0 for declared records.
    :ivar declared: it stands in ``config.yaml``: nothing may be random, since it is made again at every start.
    :ivar name: what ``config.yaml`` calls it; empty for what was posted.
    :ivar records: the records so far.
    :ivar settings: the server's own names, ports and rights.
    :ivar live: the endpoints of agents that are online now, by id; none for declared records.
    :ivar inner_id: ``inner_id(prefix, key)`` gives an id for a part of the record, such as a route; ``key`` says which part.
    :ivar random_bytes: ``random_bytes(count)`` gives unguessable bytes; not to be used for declared records.
    """

    id: str
    account_id: str
    owner_id: str = ""
    created_at: float = 0.0
    declared: bool = False
    name: str = ""
    records: Snapshot
    settings: ReservationSettings
    live: Mapping[str, Endpoint] = field(default_factory=dict)
    inner_id: Callable[[str, str], str]
    random_bytes: Callable[[int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """
    :ivar parts: the parts of the server.
    :ivar principal: whose API key it came with.
    :ivar base_url: what URLs in answers start with, such as ``https://api.example.com``; no slash at the end.
    :ivar params: the values in the path, by their names in the template.
    :ivar query: the query of a list.
    :ivar data: the body as JSON-shaped data; an empty mapping where there was none.
    :ivar operation_id: names this call in logs and errors.
    :ivar peer_host: the caller's IP address.
    """

    parts: Parts
    principal: Principal
    base_url: str
    params: Mapping[str, str] = field(default_factory=dict)
    query: Query = Query()
    data: Any = field(default_factory=dict, repr=False)
    operation_id: str = ""
    peer_host: str = ""

    @property
    def account_id(self) -> str:
        """The caller's account."""
        return self.principal.account_id

    @property
    def records(self) -> Snapshot:
        """The records in force now."""
        return self.parts.records()

    def uri(self, *segments: str) -> str:
        """An absolute URL: ``call.uri("/edges/https", id)``."""
        return self.base_url + "/".join(segments)

    def ref(self, path: str, id: str) -> Ref:
        """A reference to something in the collection at ``path``."""
        return Ref(id=id, uri=self.uri(path, id))

    def optional_ref(self, path: str, id: str) -> Ref | None:
        """A reference, or ``None`` for an empty id."""
        return self.ref(path, id) if id else None

    def making(self, prefix: str, records: Snapshot) -> Making:
        """What stands around a record that this call makes."""
        new_id = self.parts.new_id
        return Making(
            id=new_id(prefix),
            account_id=self.account_id,
            owner_id=self.principal.owner_id,
            created_at=self.parts.now(),
            records=records,
            settings=self.parts.settings,
            live=self.parts.live(),
            inner_id=lambda inner, key: new_id(inner),
            random_bytes=self.parts.random_bytes,
        )

    def change(self, build: Callable[[Snapshot], Iterable[Put | Delete]]) -> Deferred[Snapshot]:
        """As `ngrok_twisted.control.service.Control.change`, as a Deferred."""
        written = lambda before, changes, after: self.parts.audit(self, before, changes, after)
        return Deferred.fromCoroutine(self.parts.change(build, written))
