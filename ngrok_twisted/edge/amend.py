"""
The next router where nothing but a few endpoints of agents came, went or changed: what happens all the time, and must not cost
more the more of them there are. `ngrok_twisted.edge.compile` makes routers from all records; both make the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterable, Mapping, TypeVar

from ngrok_twisted.edge.router import Router
from ngrok_twisted.records.base import KEY_FAMILIES, Record, Snapshot
from ngrok_twisted.records.endpoint import Endpoint

K = TypeVar("K")
V = TypeVar("V")

# The protocol, host and port of a URL.
Key = tuple[str, str, int]

# What an edge came from, and the edge.
Live = tuple[tuple[Record, ...], Any]

_MAY_CHANGE = KEY_FAMILIES | {Endpoint.family}

_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Changes:
    """
    :ivar gone: endpoints as they were.
    :ivar come: endpoints as they are, in the order of the snapshot.
    """

    gone: tuple[Endpoint, ...]
    come: tuple[Endpoint, ...]


def endpoint_changes(before: Snapshot | None, after: Snapshot) -> Changes | None:
    """
    What happened to endpoints from one snapshot to the next; ``None`` if more than that has changed.

    A record that is the same object in both has not changed: looking at ten thousand takes a millisecond.
    """
    if before is None or not before.is_same_but(after, _MAY_CHANGE):
        return None
    old: Mapping[str, Any] = before.tables.get(Endpoint.family, _NOTHING)
    new: Mapping[str, Any] = after.tables.get(Endpoint.family, _NOTHING)
    gone = [endpoint for id, endpoint in old.items() if new.get(id) is not endpoint]
    come = [endpoint for id, endpoint in new.items() if old.get(id) is not endpoint]
    return Changes(tuple(gone), tuple(come))


def url_of(endpoint: Endpoint) -> Key:
    """What an endpoint's URL is known by."""
    return endpoint.proto, endpoint.host, endpoint.port


def amended_edges(
    previous: Router,
    snapshot: Snapshot,
    changes: Changes,
    is_servable: Callable[[Endpoint], bool],
    make: Callable[[Key, tuple[Endpoint, ...], Live | None], Live],
) -> dict[Key, Live | None] | None:
    """
    The edges of the URLs that the changes are about: ``None`` for one that is gone.

    :param is_servable: whether an endpoint is not left out; see `ngrok_twisted.edge.agents.grouped`.
    :param make: gives the edge of a URL for its members, and for the edge that was there before.
    :return: ``None``, if it takes a look at all records to know.
    :raises LookupError: as ``make``.
    """
    gone, come = _by_url(changes.gone), _by_url(changes.come)
    found: dict[Key, Live | None] = {}
    for key in {**gone, **come}:
        before = previous.edges.get(key)
        if key in previous.configured or _owner(previous, key) is not (None if before is None else before[1]):
            return None  # somebody else has the place too
        members = _members(snapshot, before, gone.get(key, ()), come.get(key, ()), is_servable)
        found[key] = make(key, members, before) if members else None
    hosts = {host for (_, host, _), live in found.items() if live is None}
    if hosts and any(key[1] in hosts and key not in found for key in previous.edges):
        return None  # what is left of the name may be another's now
    return found


def amended_router(previous: Router, edges: Mapping[Key, Live | None], internal: Any, source: Snapshot) -> Router:
    """
    :param edges: as `amended_edges` has them.
    :param source: the snapshot.
    """
    secure, plain, ports = placed(edges)
    router = Router(
        ports=_after(previous.ports, ports),
        edges=_after(previous.edges, edges),
        built=previous.built,
        internal=internal,
        source=source,
        services=previous.services,
        configured=previous.configured,
    )
    router.secure = previous.secure.amended(secure)
    router.plain = previous.plain.amended(plain)
    return router


def placed(edges: Mapping[Key, Live | None]) -> tuple[dict[str, Any], dict[str, Any], dict[int, Any]]:
    """
    :return: the edges as visitors look for them: by names under TLS, by names in the clear, by ports; ``None`` for those gone.
    """
    secure: dict[str, Any] = {}
    plain: dict[str, Any] = {}
    ports: dict[int, Any] = {}
    for (proto, host, port), live in edges.items():
        edge = None if live is None else live[1]
        if proto == "tcp":
            ports[port] = edge
        elif proto == "http":
            plain[host] = edge
        else:
            secure[host] = edge
    return secure, plain, ports


def _after(before: Mapping[K, V], changes: Mapping[K, V | None]) -> dict[K, V]:
    """What is there after changes, of which ``None`` takes something away."""
    every: dict[K, Any] = {**before, **changes}
    for key, value in changes.items():
        if value is None:
            del every[key]
    return every


def _by_url(endpoints: Iterable[Endpoint]) -> dict[Key, list[Endpoint]]:
    found: dict[Key, list[Endpoint]] = {}
    for endpoint in endpoints:
        if endpoint.binding == "public":
            found.setdefault(url_of(endpoint), []).append(endpoint)
    return found


def _owner(router: Router, key: Key) -> Any:
    proto, host, port = key
    if proto == "tcp":
        return router.ports.get(port)
    return (router.plain if proto == "http" else router.secure).exactly(host)


def _members(
    snapshot: Snapshot,
    before: Live | None,
    gone: Iterable[Endpoint],
    come: Iterable[Endpoint],
    is_servable: Callable[[Endpoint], bool],
) -> tuple[Endpoint, ...]:
    """Who has a URL now; of a pool in the order of the snapshot."""
    there = {} if before is None else {one.id: one for one in before[0] if isinstance(one, Endpoint)}
    arrived = {one.id: one for one in come if is_servable(one)}
    left = {one.id for one in gone} - arrived.keys()
    members = {id: one for id, one in {**there, **arrived}.items() if id not in left}
    if len(members) > 1:
        return tuple(members[id] for id in snapshot.tables[Endpoint.family] if id in members)
    return tuple(members.values())
