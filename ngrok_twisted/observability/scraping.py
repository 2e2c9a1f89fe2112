"""
`MetricsPage`: what Prometheus reads, as a web resource. Beside what flows came to it shows what the server is right now:
who is connected, which circuits are open, how it does as a process.

A page is made when it is asked for, in some milliseconds; the number of its lines does not depend on traffic.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Callable, Iterable, Iterator, Mapping, Sequence, Sized

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Metric,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from twisted.internet.defer import Deferred
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from ngrok_twisted.circuit import CLOSED, HALF_OPEN, OPEN, Circuit
from ngrok_twisted.net import stalls
from ngrok_twisted.observability.metrics import PROTOS, UNCOUNTED, FlowMetrics, cumulated
from ngrok_twisted.records.base import Record, Snapshot
from ngrok_twisted.records.tls_certificate import TLSCertificate
from ngrok_twisted.tls.pem import read_certificates

#: What every version of Prometheus reads (prometheus.io, "Exposition formats").
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

PATH = b"/metrics"

#: The number of each state of a circuit: the more, the worse.
STATES = {CLOSED: 0, HALF_OPEN: 1, OPEN: 2}

#: Circuits that are shown one by one, those that are not closed first. A line takes some 20 microseconds, during which
#: nobody else is served.
CIRCUITS_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """
    The parts of the server that are looked at.

    :ivar tunnels: those that are online.
    :ivar sessions: those of agents.
    :ivar visitors: gives how many visitors are connected, by protocol.
    :ivar events: gives how many events were sent, and how many lost, since the start.
    :ivar records: gives the records in force.
    :ivar kept: what modules keep, among it their circuits; see `ngrok_twisted.module.ModuleContext.keep`.
    :ivar stalls: the turns of the event loop; ``None`` where the reactor does not count them.
    """

    tunnels: Sized
    sessions: Sized
    visitors: Callable[[], Mapping[str, int]]
    events: Callable[[], tuple[int, int]]
    records: Callable[[], Snapshot]
    kept: Mapping[Any, Any]
    stalls: stalls.Stalls | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """
    What another process of the same server has to add.

    :ivar place: its number.
    :ivar flows: what it has counted.
    :ivar visitors: how many are connected to it, by protocol.
    :ivar circuits: the state of each of its circuits, by the id of the route or endpoint.
    :ivar turns: of its event loop.
    :ivar seconds: of the processor that it has used.
    :ivar memory: bytes of memory that it has resident.
    """

    place: int
    flows: FlowMetrics
    visitors: Mapping[str, int]
    circuits: Mapping[str, str]
    turns: stalls.Stalls
    seconds: float
    memory: int


class ServerMetrics:
    """
    A collector of ``prometheus_client`` that counts nothing itself: it looks.

    :ivar elsewhere: what other processes have to add.
    """

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._expiries = _Expiries()
        self.elsewhere: Sequence[Elsewhere] = ()

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        watched = self._watched
        yield GaugeMetricFamily("ngrok_tunnels_online", "Tunnels of agents.", value=len(watched.tunnels))
        yield GaugeMetricFamily("ngrok_agent_sessions", "Agents that are connected.", value=len(watched.sessions))
        yield self._connections()
        sent, lost = watched.events()
        yield CounterMetricFamily("ngrok_events_sent", "Events that their destinations took.", value=sent)
        yield CounterMetricFamily("ngrok_events_dropped", "Events that no destination will get.", value=lost)
        records = watched.records()
        yield GaugeMetricFamily("ngrok_records_revision", "Grows with every change of records.", value=records.revision)
        yield from self._expiry(records)
        yield from self._circuits()
        if watched.stalls is not None:
            yield from _turns(watched.stalls, [one.turns for one in self.elsewhere])
        if self.elsewhere:
            yield from _workers(self.elsewhere)

    def _connections(self) -> Metric:
        family = GaugeMetricFamily("ngrok_connections_open", "Connections of visitors.", labels=["proto"])
        counts = self._watched.visitors()
        for proto in PROTOS:
            others = sum(one.visitors.get(proto, 0) for one in self.elsewhere)
            family.add_metric([proto], counts.get(proto, 0) + others)
        return family

    def _expiry(self, records: Snapshot) -> Iterator[Metric]:
        next_one = self._expiries.first(records.tables.get(TLSCertificate.family, {}))
        if next_one is not None:
            yield GaugeMetricFamily(
                "ngrok_tls_certificate_next_expiry_timestamp_seconds",
                "When the first of the uploaded and declared certificates expires.",
                value=next_one,
            )

    def _circuits(self) -> Iterator[Metric]:
        circuits = self._worst_circuits()
        counts = Counter(circuits.values())
        states = GaugeMetricFamily("ngrok_circuit_breakers", "Circuit breakers by their state.", labels=["state"])
        for state in STATES:
            states.add_metric([state], counts[state])
        family = GaugeMetricFamily(
            "ngrok_circuit_breaker_state", "0 closed, 1 half-open, 2 open, by the route's id.", labels=["route"]
        )
        worst = sorted(circuits.items(), key=lambda item: -STATES[item[1]])
        for route, state in worst[:CIRCUITS_MAX]:
            family.add_metric([route], STATES[state])
        yield from (states, family)

    def _worst_circuits(self) -> Mapping[str, str]:
        """The state of each circuit; of one that several processes have, the worst."""
        found = {route: circuit.state for route, circuit in circuits_of(self._watched.kept).items()}
        for one in self.elsewhere:
            for route, state in one.circuits.items():
                found[route] = max(state, found.get(route, CLOSED), key=STATES.__getitem__)
        return found


def _turns(counted: stalls.Stalls, others: Iterable[stalls.Stalls]) -> Iterator[Metric]:
    longest = counted.take_longest()
    everywhere = stalls.Stalls()
    for one in (counted, *others):
        everywhere.add(one)
    yield GaugeMetricFamily(
        "ngrok_loop_stall_seconds",
        "The longest turn of the event loop since this was read before, if it took more than 5 ms: nobody was served in it.",
        value=max(longest, everywhere.take_longest()),
    )
    family = HistogramMetricFamily("ngrok_loop_turn_seconds", "Turns of the event loop, waiting not included.")
    family.add_metric([], buckets=list(cumulated(stalls.BOUNDS, everywhere.spread())), sum_value=everywhere.seconds)
    yield family


def _workers(elsewhere: Iterable[Elsewhere]) -> Iterator[Metric]:
    """The same as ``process_cpu_seconds`` and ``process_resident_memory_bytes``, which are the main process's."""
    seconds = CounterMetricFamily("ngrok_worker_cpu_seconds", "Processor time of a worker.", labels=["worker"])
    memory = GaugeMetricFamily("ngrok_worker_resident_memory_bytes", "Memory of a worker.", labels=["worker"])
    for one in elsewhere:
        seconds.add_metric([str(one.place)], one.seconds)
        memory.add_metric([str(one.place)], one.memory)
    yield from (seconds, memory)


def circuits_of(kept: Mapping[Any, Any]) -> Mapping[str, Circuit]:
    """
    The circuits that exist, by the id of the route or endpoint they stand in. After a change of settings the one before may
    be there for a moment longer: the newer counts.
    """
    return {place: value for (place, _), value in tuple(kept.items()) if isinstance(value, Circuit)}


class _Expiries:
    """Reads each certificate once, though it is asked again and again."""

    def __init__(self) -> None:
        self._table: Mapping[str, Record] = {}
        self._known: dict[str, float] = {}

    def first(self, table: Mapping[str, Any]) -> float | None:
        """
        When the first certificate expires, in seconds since the epoch; ``None`` without certificates. That of an issuer in
        a bundle counts as well: visitors refuse both.

        :param table: records by id.
        """
        if table is not self._table:
            texts = {record.certificate_pem for record in table.values()}
            self._known = {text: self._known.get(text) or _expiry(text) for text in texts}
            self._table = table
        return min(self._known.values(), default=None)


def _expiry(certificate_pem: str) -> float:
    return min(certificate.not_valid_after_utc.timestamp() for certificate in read_certificates(certificate_pem))


class MetricsPage(Resource):
    """
    ``/metrics``, for a listener of its own: it says nothing secret, but nothing of it is meant for visitors either.
    """

    isLeaf = True

    def __init__(
        self,
        flows: FlowMetrics,
        watched: Watched,
        elsewhere: Callable[[], Deferred[Sequence[Elsewhere]]] | None = None,
    ) -> None:
        """
        :param flows: what visitors' flows came to; those that ask for this page are not counted.
        :param elsewhere: asks the other processes of this server, where it has any; its Deferred never fails.
        """
        super().__init__()
        self._flows = flows
        self._elsewhere = elsewhere
        self._server = ServerMetrics(watched)
        # Memory, processor time and files of the process, and the Python that runs it.
        self._process = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._process)

    def render_GET(self, request: Any) -> Any:
        """IResource; HEAD, too."""
        request.flow.remember(UNCOUNTED, True)
        if request.uri.partition(b"?")[0] != PATH:
            request.setResponseCode(404)
            request.setHeader(b"content-type", b"text/plain")
            return b"There is only /metrics here.\n"
        request.setHeader(b"content-type", CONTENT_TYPE)
        if self._elsewhere is None:
            return self._page(())
        gone: list[Any] = []
        request.notifyFinish().addErrback(gone.append)
        asked = self._elsewhere()
        asked.addCallback(lambda elsewhere: None if gone else _answer(request, self._page(elsewhere)))
        return NOT_DONE_YET

    def _page(self, elsewhere: Sequence[Elsewhere]) -> bytes:
        flows = self._flows
        if elsewhere:
            flows = FlowMetrics()
            for one in (self._flows, *(other.flows for other in elsewhere)):
                flows.add(one)
        self._server.elsewhere = elsewhere
        registry = CollectorRegistry()
        registry.register(flows)
        registry.register(self._server)
        return generate_latest(registry) + generate_latest(self._process)


def _answer(request: Any, page: bytes) -> None:
    request.setHeader(b"content-length", b"%d" % len(page))
    if request.method != b"HEAD":
        request.write(page)
    request.finish()
