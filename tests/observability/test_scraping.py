"""
Tests for `ngrok_twisted.observability.scraping`.
"""

from __future__ import annotations

from typing import Any, Mapping
from weakref import WeakValueDictionary

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.circuit import CLOSED, HALF_OPEN, OPEN, Circuit, CircuitLimits
from ngrok_twisted.edge.services import ServiceSite
from ngrok_twisted.edge.visitors import VisitorChannel
from ngrok_twisted.net.stalls import Stalls
from ngrok_twisted.observability import scraping
from ngrok_twisted.observability.metrics import FlowMetrics
from ngrok_twisted.observability.scraping import Elsewhere, MetricsPage, Watched
from ngrok_twisted.records.base import Put, Snapshot
from ngrok_twisted.records.tls_certificate import TLSCertificate
from tests.edge.doubles import Edge, get
from tests.edge.wire import Wire, statuses
from tests.observability.test_metrics import Samples, ended, parsed
from tests.tls.authority import Made

LIMITS = CircuitLimits(error_threshold=0.5, volume=1, window=10.0, buckets=10, tripped=10.0)


def circuit(*failures: bool, later: float = 0.0) -> Circuit:
    """
    :param failures: what its requests came to.
    :param later: seconds after which one more asks.
    """
    made = Circuit(LIMITS)
    for failed in failures:
        made.record(made.epoch, failed, 0.0)
    made.ask(later)
    return made


class PageCase(SynchronousTestCase):
    """A page of a server with two tunnels, one session and nothing else."""

    def setUp(self) -> None:
        self.flows = FlowMetrics()
        self.records = Snapshot(revision=7)
        self.visitors: Mapping[str, int] = {"tls": 3}
        self.kept: Any = WeakValueDictionary()
        self.stalls = Stalls()
        watched = Watched(
            tunnels=[1, 2],
            sessions=[1],
            visitors=lambda: self.visitors,
            events=lambda: (5, 6),
            records=lambda: self.records,
            kept=self.kept,
            stalls=self.stalls,
        )
        self.page = MetricsPage(self.flows, watched)
        self.edge = Edge()

    def ask(self, request: bytes) -> bytes:
        """What the listener answers, through the edge's own HTTP server."""
        return self.open(request).value()

    def open(self, request: bytes) -> Wire:
        """A connection on which this was asked."""
        site = ServiceSite("metrics", self.page, self.edge.context)
        site.observers = (*site.observers, self.flows)
        wire = Wire()
        self.channel = channel = VisitorChannel(site, self.edge.plane.visitors)
        channel.makeConnection(wire)
        channel.dataReceived(request)
        return wire

    def samples(self) -> Samples:
        """What a scrape gives."""
        answer = self.ask(get("127.0.0.1", "/metrics"))
        self.assertEqual(statuses(answer), [200])
        return parsed(answer.partition(b"\r\n\r\n")[2].decode())


class PageTests(PageCase):
    """The page over HTTP."""

    def test_stalls(self) -> None:
        """It tells the longest turn of the event loop since it was asked before, and how long turns take."""
        self.stalls.turns, self.stalls.seconds = 5, 0.25
        self.stalls.note(0.03)
        samples = self.samples()
        self.assertEqual(samples["ngrok_loop_stall_seconds", ()], 0.03)
        buckets = {
            bound: samples["ngrok_loop_turn_seconds_bucket", (("le", bound),)] for bound in ("0.005", "0.02", "0.05")
        }
        self.assertEqual(buckets, {"0.005": 4, "0.02": 4, "0.05": 5})
        self.assertEqual(samples["ngrok_loop_turn_seconds_count", ()], 5)
        self.assertEqual(samples["ngrok_loop_turn_seconds_sum", ()], 0.25)
        self.assertEqual(self.samples()["ngrok_loop_stall_seconds", ()], 0)

    def test_state(self) -> None:
        """It shows what the server is now, and the process."""
        samples = self.samples()
        expected = {
            "ngrok_tunnels_online": 2,
            "ngrok_agent_sessions": 1,
            "ngrok_events_sent_total": 5,
            "ngrok_events_dropped_total": 6,
            "ngrok_records_revision": 7,
        }
        self.assertEqual({name: samples[name, ()] for name in expected}, expected)
        self.assertEqual(samples["ngrok_connections_open", (("proto", "tls"),)], 3)
        self.assertEqual(samples["ngrok_connections_open", (("proto", "tcp"),)], 0)
        self.assertGreater(samples["process_resident_memory_bytes", ()], 1e6)

    def test_flows(self) -> None:
        """It shows what flows came to, but for the flows that only ask for it."""
        self.flows(ended())
        self.samples()
        counted = {key: value for key, value in self.samples().items() if key[0] == "ngrok_http_requests_total"}
        self.assertEqual(counted, {("ngrok_http_requests_total", (("proto", "https"), ("status", "2xx"))): 1})
        self.assertEqual(len(self.edge.flows), 2)

    def test_content_type(self) -> None:
        """It says which format it has; a query changes nothing."""
        answer = self.ask(get("127.0.0.1", "/metrics?name=x"))
        self.assertIn(b"\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n", answer.lower())

    def test_other_paths(self) -> None:
        """There is nothing else there."""
        for path in ("/", "/metrics/", "/metricsx", "/debug"):
            self.assertEqual(statuses(self.ask(get("127.0.0.1", path))), [404])

    def test_other_methods(self) -> None:
        """It can only be read."""
        self.assertEqual(statuses(self.ask(b"DELETE /metrics HTTP/1.1\r\nHost: a\r\n\r\n")), [405])


class WorkersTests(PageCase):
    """A server of several processes: the page shows all of them as one."""

    def setUp(self) -> None:
        super().setUp()
        self.asked: list[Deferred[Any]] = []
        self.page._elsewhere = self.elsewhere
        flows, turns = FlowMetrics(), Stalls()
        flows(ended())
        flows(ended("tls", method=b"", status=0))
        turns.turns, turns.seconds = 3, 1.0
        turns.note(0.3)
        self.worker = Elsewhere(
            place=4,
            flows=flows,
            visitors={"tls": 2, "tcp": 1},
            circuits={"edghtsrt_1": OPEN, "edghtsrt_2": CLOSED},
            turns=turns,
            seconds=1.5,
            memory=1000,
        )

    def elsewhere(self) -> Deferred[Any]:
        """As the crew."""
        self.asked.append(Deferred())
        return self.asked[-1]

    def test_sums(self) -> None:
        """What was counted is added, of what is measured the worst is shown, and what each worker takes."""
        self.flows(ended())
        self.stalls.turns = 1
        self.stalls.note(0.03)
        route = self.kept["edghtsrt_1", ""] = circuit()
        wire = self.open(get("127.0.0.1", "/metrics"))
        self.assertEqual(wire.value(), b"")
        self.asked[0].callback([self.worker])
        samples = parsed(wire.value().partition(b"\r\n\r\n")[2].decode())
        wanted = {
            ("ngrok_http_requests_total", (("proto", "https"), ("status", "2xx"))): 2,
            ("ngrok_streams_total", (("proto", "tls"),)): 1,
            ("ngrok_connections_open", (("proto", "tls"),)): 5,
            ("ngrok_connections_open", (("proto", "tcp"),)): 1,
            ("ngrok_circuit_breaker_state", (("route", "edghtsrt_1"),)): 2,
            ("ngrok_circuit_breakers", (("state", "open"),)): 1,
            ("ngrok_loop_stall_seconds", ()): 0.3,
            ("ngrok_loop_turn_seconds_count", ()): 4,
            ("ngrok_worker_cpu_seconds_total", (("worker", "4"),)): 1.5,
            ("ngrok_worker_resident_memory_bytes", (("worker", "4"),)): 1000,
        }
        self.assertEqual({key: samples[key] for key in wanted}, wanted)
        self.assertEqual(route.state, CLOSED)
        wire = self.open(get("127.0.0.1", "/metrics"))
        self.asked[1].callback([])
        samples = parsed(wire.value().partition(b"\r\n\r\n")[2].decode())
        self.assertEqual(samples["ngrok_http_requests_total", (("proto", "https"), ("status", "2xx"))], 1)

    def test_head(self) -> None:
        """HEAD has no body."""
        wire = self.open(b"HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        self.asked[0].callback([self.worker])
        head, _, body = wire.value().partition(b"\r\n\r\n")
        self.assertEqual((statuses(wire.value()), body), ([200], b""))
        self.assertIn(b"content-length: ", head.lower())

    def test_left(self) -> None:
        """Whoever has left meanwhile is answered no more."""
        wire = self.open(get("127.0.0.1", "/metrics"))
        self.channel.connectionLost(Failure(ConnectionDone()))
        self.asked[0].callback([self.worker])
        self.assertEqual(wire.value(), b"")


class CircuitTests(PageCase):
    """Circuit breakers on the page."""

    def states(self) -> dict[str, float]:
        """The state of each route's."""
        return {
            dict(labels)["route"]: value
            for (name, labels), value in self.samples().items()
            if name == "ngrok_circuit_breaker_state"
        }

    def test_states(self) -> None:
        """Each circuit has its number, and those that are gone have none."""
        closed, half, opened = circuit(), circuit(True, later=10.0), circuit(True)
        self.assertEqual((half.state, opened.state), (HALF_OPEN, OPEN))
        for name, one in (("rt_closed", closed), ("rt_half", half), ("rt_open", opened)):
            self.kept[name, ("circuit_breaker", LIMITS)] = one
        self.assertEqual(self.states(), {"rt_closed": 0, "rt_half": 1, "rt_open": 2})
        self.assertEqual(self.samples()["ngrok_circuit_breakers", (("state", "open"),)], 1)
        del opened, one
        self.assertEqual(self.states(), {"rt_closed": 0, "rt_half": 1})
        self.assertEqual(self.samples()["ngrok_circuit_breakers", (("state", "open"),)], 0)

    def test_changed(self) -> None:
        """Of two circuits of one route the newer is shown, once."""
        before, after = circuit(True), circuit()
        self.kept["rt_1", ("circuit_breaker", 1)] = before
        self.kept["rt_1", ("circuit_breaker", 2)] = after
        self.assertEqual(self.states(), {"rt_1": 0})

    def test_others(self) -> None:
        """What other modules keep is no circuit."""
        other = FlowMetrics()
        self.kept["rt_1", ("other", 1)] = other
        self.assertEqual(self.states(), {})

    def test_many(self) -> None:
        """Of very many the open ones are shown, and all of them are counted."""
        self.patch(scraping, "CIRCUITS_MAX", 3)
        circuits = [circuit(number == 4) for number in range(5)]
        for number, one in enumerate(circuits):
            self.kept[f"rt_{number}", ("circuit_breaker", 1)] = one
        self.assertEqual(len(self.states()), 3)
        self.assertEqual(self.states()["rt_4"], 2)
        self.assertEqual(self.samples()["ngrok_circuit_breakers", (("state", "closed"),)], 4)


class ExpiryTests(PageCase):
    """The expiry of certificates on the page."""

    NAME = "ngrok_tls_certificate_next_expiry_timestamp_seconds"

    def declare(self, **days: int) -> None:
        """Have certificates, each good for so many days."""
        pairs = {id: Made("a.example.com", days=left) for id, left in days.items()}
        self.records = self.records.with_changes(
            Put(TLSCertificate(id=id, certificate_pem=made.pem, private_key_pem=made.key_pem))
            for id, made in pairs.items()
        )

    def test_none(self) -> None:
        """Without certificates nothing is said."""
        self.assertNotIn((self.NAME, ()), self.samples())

    def test_first(self) -> None:
        """The one that expires first counts, also one that comes later."""
        self.declare(cert_1=30, cert_2=20)
        before = self.samples()[self.NAME, ()]
        self.declare(cert_3=10)
        self.assertAlmostEqual(before - self.samples()[self.NAME, ()], 10 * 86400, delta=60)
