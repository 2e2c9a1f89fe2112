"""
Tests for `ngrok_twisted.observability.scraping`.
"""

from __future__ import annotations

from typing import Any, Mapping
from weakref import WeakValueDictionary

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.circuit import HALF_OPEN, OPEN, Circuit, CircuitLimits
from ngrok_twisted.edge.services import ServiceSite
from ngrok_twisted.edge.visitors import VisitorChannel
from ngrok_twisted.net.stalls import Stalls
from ngrok_twisted.observability import scraping
from ngrok_twisted.observability.metrics import FlowMetrics
from ngrok_twisted.observability.scraping import MetricsPage, Watched
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
        site = ServiceSite("metrics", self.page, self.edge.context)
        site.observers = (*site.observers, self.flows)
        wire = Wire()
        channel = VisitorChannel(site, self.edge.plane.visitors)
        channel.makeConnection(wire)
        channel.dataReceived(request)
        return wire.value()

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
