"""
How backends, and what needs them, hang together.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Callable, Iterator, Mapping

from ngrok_twisted import kinds
from ngrok_twisted.control.around import Around
from ngrok_twisted.interfaces import IBackendKind
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.edge import HTTPSEdge, TCPEdge, TLSEdge
from ngrok_twisted.records.references import references


def children(backend: Backend) -> tuple[tuple[str, str], ...]:
    """The ids of the backends that a backend names, each with its path in the config."""
    found: list[tuple[str, str]] = []
    cls: Any = type(backend.config)
    for reference in references(cls):
        if reference.family == Backend.family:
            found += reference.ids(backend.config)
    return tuple(found)


def users(records: Snapshot, id: str) -> Iterator[str]:
    """The ids of everything that names this backend."""
    for edge in records.all(HTTPSEdge):
        yield from (route.id for route in edge.routes if route.backend is not None and route.backend.backend_id == id)
    for cls in (TLSEdge, TCPEdge):
        for stream in records.all(cls):
            if stream.backend is not None and stream.backend.backend_id == id:  # type: ignore[attr-defined]
                yield stream.id
    for backend in records.all(Backend):
        if any(child == id for _, child in children(backend)):
            yield backend.id


def leads_to_itself(id: str, around: Around) -> bool:
    """Whether a backend is among those that it leads to."""
    down = around.index(_down)
    waiting, seen = list(down.get(id, ())), set()
    while waiting:
        child = waiting.pop()
        if child == id:
            return True
        if child not in seen:
            seen.add(child)
            waiting += down.get(child, ())
    return False


def levels(id: str, around: Around) -> int:
    """How many backends stand one below the other in the longest chain through this one."""
    return _longest(id, around, lambda _: 1)


def nested_failovers(id: str, around: Around) -> int:
    """How many failovers stand inside the first one of any chain through this backend."""
    is_failover = lambda found: int(found is not None and found.kind == "failover")
    return _longest(id, around, is_failover) - 1


def carries_streams(id: str, around: Around) -> bool:
    """Whether a backend, or one that it leads to, can carry bytes; true of one that is not there."""
    known = kinds.discover("ngrok_twisted.backends", IBackendKind)
    waiting, seen = [id], set()
    while waiting:
        found = around.records.get(Backend, waiting.pop())
        if found is None:
            return True
        below = [child for _, child in children(found)]
        if not below and getattr(known[found.kind], "carries_streams", True):
            return True
        waiting += [child for child in below if child not in seen]
        seen.update(below)
    return False


def _longest(id: str, around: Around, count: Callable[[Backend | None], int]) -> int:
    """The greatest sum of ``count`` along a chain through a backend."""

    def along(id: str, steps: Mapping[str, tuple[str, ...]], known: dict[str, int]) -> int:
        if id not in known:
            known[id] = 0  # what leads back here adds nothing more
            known[id] = count(around.records.get(Backend, id)) + max(
                (along(step, steps, known) for step in steps.get(id, ())), default=0
            )
        return known[id]

    own = count(around.records.get(Backend, id))
    return along(id, around.index(_up), {}) + along(id, around.index(_down), {}) - own


def _down(around: Around) -> Mapping[str, tuple[str, ...]]:
    """The backends that each backend names."""
    return {backend.id: tuple(id for _, id in children(backend)) for backend in around.records.all(Backend)}


def _up(around: Around) -> Mapping[str, tuple[str, ...]]:
    """The backends that name each backend."""
    found: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for id, below in around.index(_down).items():
        for child in below:
            found[child] += (id,)
    return found
