"""
What many edges cost: ``python -m benchmarks.many_edges [COUNT]``.

An edge plane is given so many HTTPS edges, each with two routes and a backend of its own. Measured are the CPU times of
serving them all, of serving them with one of them changed, and with one agent more; and of finding the owner of a name among
them, as the front does for each connection, beside the same among ten. No socket is opened.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from random import Random
from time import process_time
from typing import Any, Callable

from twisted.internet.task import Clock

from ngrok_twisted import kinds
from ngrok_twisted.backends.tunnel_group import TunnelGroupConfig
from ngrok_twisted.edge.context import EdgeContext
from ngrok_twisted.edge.plane import EdgePlane
from ngrok_twisted.edge.site import HTTPLimits
from ngrok_twisted.interfaces import IBackendKind, IModuleKind
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.base import Put, Snapshot
from ngrok_twisted.records.edge import BackendRef, HTTPSEdge, HTTPSEdgeRoute
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.runtime import Runtime
from ngrok_twisted.tunnels import Tunnels
from ngrok_twisted.upstream.pool import Pool

#: Edges, unless told otherwise.
COUNT = 10_000

#: Names looked up in one measurement, and measurements of each kind: the best one counts.
LOOKUPS = 20_000
ROUNDS = 5

MILLISECOND, NANOSECOND = 1e3, 1e9


def main(arguments: list[str]) -> None:
    """Measure and print."""
    count = int(arguments[0]) if arguments else COUNT
    plane, snapshot = _plane(), edges(count)
    print(f"{count} https edges with two routes and a backend each, CPU time")
    print(f"  served from nothing   {best(lambda: serve(_plane(), snapshot)) * MILLISECOND:9.1f} ms")
    serve(plane, snapshot)
    print(f"  nothing changed       {best(lambda: serve(plane, again(snapshot))) * MILLISECOND:9.1f} ms")
    print(f"  one edge changed      {best(lambda: serve(plane, one_changed(snapshot))) * MILLISECOND:9.1f} ms")
    serve(plane, snapshot)
    print(f"  one agent more        {best(lambda: serve(plane, one_agent(snapshot))) * MILLISECOND:9.1f} ms")
    few = _plane()
    serve(few, edges(10))
    print(f"  look-up of a name     {lookup(plane, count) * NANOSECOND:9.1f} ns")
    print(f"  the same among ten    {lookup(few, 10) * NANOSECOND:9.1f} ns")


def edges(count: int) -> Snapshot:
    """So many edges, with their backends."""
    changes = []
    for number in range(count):
        backend = Backend(
            id=f"bkdtg_{number}",
            account_id="ac_1",
            kind="tunnel_group",
            config=TunnelGroupConfig(labels={"edge": str(number)}),
        )
        reference = BackendRef(backend_id=backend.id)
        routes = tuple(HTTPSEdgeRoute(match=match, backend=reference, id=f"edghtsrt_{number}") for match in ("/", "/a"))
        hostports = (f"edge-{number}.example.com:443",)
        edge = HTTPSEdge(id=f"edghts_{number}", account_id="ac_1", hostports=hostports, routes=routes)
        changes += [Put(backend), Put(edge)]
    return Snapshot().with_changes(changes)


def again(snapshot: Snapshot) -> Snapshot:
    """The same records in new tables, as after any change of others."""
    return snapshot.with_changes([Put(next(snapshot.all(cls))) for cls in (HTTPSEdge, Backend)])


def one_changed(snapshot: Snapshot) -> Snapshot:
    """The same with another description of one edge."""
    edge = next(snapshot.all(HTTPSEdge))
    one_changed.calls += 1  # type: ignore[attr-defined]
    return snapshot.with_changes([Put(replace(edge, description=str(one_changed.calls)))])  # type: ignore[attr-defined]


one_changed.calls = 0  # type: ignore[attr-defined]


def one_agent(snapshot: Snapshot) -> Snapshot:
    """The same with an agent's endpoint."""
    return snapshot.with_changes(
        [Put(Endpoint(id="ep_1", account_id="ac_1", proto="https", host="agent.example.com", port=443))]
    )


def serve(plane: EdgePlane, snapshot: Snapshot) -> None:
    """Check and apply, as the control plane does."""
    problems = plane.check(snapshot)
    assert not problems, problems
    plane.apply(snapshot)


def lookup(plane: EdgePlane, count: int) -> float:
    """CPU seconds of one look-up among so many edges, each of which is found."""
    random = Random(1)
    names = [f"edge-{random.randrange(count)}.example.com" for _ in range(LOOKUPS)]

    def look() -> None:
        owner = plane.secure_owner
        for name in names:
            owner(name)

    assert plane.secure_owner(names[0]).name.startswith("edghts_")
    return best(look) / LOOKUPS


def best(work: Callable[[], Any]) -> float:
    """The least CPU seconds of several rounds."""
    times = []
    for _ in range(ROUNDS):
        started = process_time()
        work()
        times.append(process_time() - started)
    return min(times)


class _Certificates:
    """Nobody shakes hands here."""

    def update(self, snapshot: Snapshot) -> None:
        """As `ngrok_twisted.tls.certificates.Certificates`."""


def _plane() -> EdgePlane:
    clock: Any = Clock()
    context = EdgeContext(
        runtime=Runtime(reactor=clock, random=Random(1)),
        tunnels=Tunnels(),
        certificates=_Certificates(),
        pool=Pool(clock),
        limits=HTTPLimits(),
        stream_idle=300.0,
        observers=(),
        public_ports={"https": 443, "http": 80},
        module_kinds=kinds.discover("ngrok_twisted.modules", IModuleKind),
        backend_kinds=kinds.discover("ngrok_twisted.backends", IBackendKind),
    )
    return EdgePlane(context, "127.0.0.1")


if __name__ == "__main__":
    main(sys.argv[1:])
