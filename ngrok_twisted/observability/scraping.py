"""
`MetricsPage`: what Prometheus reads, as a web resource. Beside what flows came to it shows what the server is right now:
who is connected, which circuits are open, how it does as a process.

A page is made when it is asked for, in some milliseconds; the number of its lines does not depend on traffic.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Mapping, Sized

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Metric,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from twisted.web.resource import Resource

from ngrok_twisted.circuit import CLOSED, HALF_OPEN, OPEN, Circuit
from ngrok_twisted.observability.metrics import PROTOS, FlowMetrics
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
    """

    tunnels: Sized
    sessions: Sized
    visitors: Callable[[], Mapping[str, int]]
    events: Callable[[], tuple[int, int]]
    records: Callable[[], Snapshot]
    kept: Mapping[Any, Any]


class ServerMetrics:
    """
    A collector of ``prometheus_client`` that counts nothing itself: it looks.
    """

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._expiries = _Expiries()

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

    def _connections(self) -> Metric:
        family = GaugeMetricFamily("ngrok_connections_open", "Connections of visitors.", labels=["proto"])
        counts = self._watched.visitors()
        for proto in PROTOS:
            family.add_metric([proto], counts.get(proto, 0))
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
        circuits = circuits_of(self._watched.kept)
        counts = Counter(circuit.state for circuit in circuits.values())
        states = GaugeMetricFamily("ngrok_circuit_breakers", "Circuit breakers by their state.", labels=["state"])
        for state in STATES:
            states.add_metric([state], counts[state])
        family = GaugeMetricFamily(
            "ngrok_circuit_breaker_state", "0 closed, 1 half-open, 2 open, by the route's id.", labels=["route"]
        )
        worst = sorted(circuits.items(), key=lambda item: -STATES[item[1].state])
        for route, circuit in worst[:CIRCUITS_MAX]:
            family.add_metric([route], STATES[circuit.state])
        yield from (states, family)


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

    def __init__(self, flows: FlowMetrics, watched: Watched) -> None:
        """
        :param flows: also an observer of the flows that ask for this page, which it does not count.
        """
        super().__init__()
        self._flows = flows
        self._registry = CollectorRegistry()
        self._registry.register(flows)
        self._registry.register(ServerMetrics(watched))
        # Memory, processor time and files of the process, and the Python that runs it.
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)

    def render_GET(self, request: Any) -> bytes:
        """IResource; HEAD, too."""
        request.flow.observers = tuple(seen for seen in request.flow.observers if seen is not self._flows)
        if request.uri.partition(b"?")[0] != PATH:
            request.setResponseCode(404)
            request.setHeader(b"content-type", b"text/plain")
            return b"There is only /metrics here.\n"
        request.setHeader(b"content-type", CONTENT_TYPE)
        return generate_latest(self._registry)
