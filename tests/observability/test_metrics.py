"""
Tests for `ngrok_twisted.observability.metrics`.
"""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import EndpointOffline
from ngrok_twisted.flow import Flow
from ngrok_twisted.observability.metrics import BOUNDS, CODES_MAX, FlowMetrics

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parsed(text: str) -> Samples:
    """The samples of a page, by name and labels, as Prometheus's own parser reads them."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def ended(proto: str = "https", seconds: float = 0.0, **more: Any) -> Flow:
    """A flow that is over; without more it is a request that was answered 200."""
    made = Flow("192.0.2.1", 5000, proto, 100.0)
    made.method, made.status, made.host = b"GET", 200, "secret.example.com"
    made.ended = 100.0 + seconds
    for name, value in more.items():
        setattr(made, name, value)
    return made


class FlowMetricsTests(SynchronousTestCase):
    """What is counted."""

    def setUp(self) -> None:
        self.metrics = FlowMetrics()
        self.registry = CollectorRegistry()
        self.registry.register(self.metrics)

    def text(self) -> str:
        """The page."""
        return generate_latest(self.registry).decode()

    def value(self, name: str, **labels: str) -> float | None:
        """One sample, or ``None``."""
        return parsed(self.text()).get((name, tuple(sorted(labels.items()))))

    def test_nothing(self) -> None:
        """Before the first visitor there are series, all of them 0."""
        samples = parsed(self.text())
        self.assertEqual(set(samples.values()), {0.0})
        self.assertIn(("ngrok_received_bytes_total", (("proto", "tcp"),)), samples)

    def test_requests(self) -> None:
        """Requests are told apart by scheme and class of status; those without an answer are counted as such."""
        for flow in (ended(), ended(status=204), ended(status=503), ended("http", status=301), ended(status=0)):
            self.metrics(flow)
        found = {key[1]: value for key, value in parsed(self.text()).items() if key[0] == "ngrok_http_requests_total"}
        self.assertEqual(
            found,
            {
                (("proto", "https"), ("status", "2xx")): 2,
                (("proto", "https"), ("status", "5xx")): 1,
                (("proto", "https"), ("status", "none")): 1,
                (("proto", "http"), ("status", "3xx")): 1,
            },
        )

    def test_versions(self) -> None:
        """Requests are counted by the version of HTTP that the visitor speaks; streams have none."""
        for version in (b"HTTP/1.1", b"HTTP/2.0", b"HTTP/2.0"):
            self.metrics(ended(version=version))
        self.metrics(ended("tls", method=b"", status=0))
        found = {key[1]: value for key, value in parsed(self.text()).items() if key[0] == "ngrok_http_versions_total"}
        self.assertEqual(found, {(("version", "HTTP/1.1"),): 1, (("version", "HTTP/2.0"),): 2})

    def test_durations(self) -> None:
        """A duration is in the part that ends with it, and in all larger ones."""
        for seconds in (BOUNDS[0] / 2, 0.125, 0.25, 11.0):
            self.metrics(ended(seconds=seconds))
        name = "ngrok_http_request_duration_seconds"
        counts = [self.value(name + "_bucket", proto="https", le=le) for le in ("0.005", "0.1", "0.25", "10.0", "+Inf")]
        self.assertEqual(counts, [1, 1, 3, 3, 4])
        self.assertEqual(self.value(name + "_count", proto="https"), 4)
        self.assertAlmostEqual(self.value(name + "_sum", proto="https") or 0, 11.3775)

    def test_upgraded(self) -> None:
        """How long a WebSocket was open is no duration of a request, nor is that of one that was never answered."""
        self.metrics(ended(seconds=5000.0, status=101))
        self.metrics(ended(seconds=5000.0, status=0))
        self.assertIsNone(self.value("ngrok_http_request_duration_seconds_count", proto="https"))
        self.assertEqual(self.value("ngrok_http_requests_total", proto="https", status="1xx"), 1)

    def test_streams(self) -> None:
        """Streams are no requests; the bytes of both are counted."""
        self.metrics(ended("tcp", method=b"", status=0, bytes_in=5, bytes_out=7))
        self.metrics(ended("https", bytes_in=1, bytes_out=2))
        self.metrics(ended("https", bytes_in=10, bytes_out=20))
        self.assertEqual(self.value("ngrok_streams_total", proto="tcp"), 1)
        self.assertEqual(self.value("ngrok_received_bytes_total", proto="tcp"), 5)
        self.assertEqual(self.value("ngrok_sent_bytes_total", proto="tcp"), 7)
        self.assertEqual(self.value("ngrok_received_bytes_total", proto="https"), 11)
        self.assertEqual(self.value("ngrok_sent_bytes_total", proto="https"), 22)
        self.assertNotIn('ngrok_http_requests_total{proto="tcp"', self.text())

    def test_decisions(self) -> None:
        """What modules decided is counted, and nothing else that they noted."""
        variables = {"basic_auth.decision": "block", "basic_auth.username": "mallory", "compression.algorithm": "br"}
        self.metrics(ended(variables=variables))
        self.metrics(ended(variables={"basic_auth.decision": "allow"}))
        self.metrics(ended(variables={"basic_auth.decision": "allow"}))
        total = "ngrok_module_decisions_total"
        self.assertEqual(self.value(total, module="basic_auth", decision="allow"), 2)
        self.assertEqual(self.value(total, module="basic_auth", decision="block"), 1)
        self.assertEqual(self.value(total, module="compression", decision="br"), 1)
        self.assertNotIn("mallory", self.text())

    def test_foreign_words(self) -> None:
        """A word that is not one of the server's own never becomes a label."""
        for number in range(100):
            self.metrics(ended(variables={"ip_policy.decision": f"word{number}"}))
        self.metrics(ended(variables={"ip_policy.decision": ["allow"]}))
        self.assertEqual(self.value("ngrok_module_decisions_total", module="ip_policy", decision="other"), 101)
        self.assertNotIn("word", self.text())

    def test_errors(self) -> None:
        """Errors are counted by their codes, and only so many codes are told apart."""
        self.metrics(ended(status=404, error=EndpointOffline()))
        self.assertEqual(self.value("ngrok_errors_total", code="ERR_NGROK_3200"), 1)
        for number in range(2 * CODES_MAX):
            error = EndpointOffline()
            error.code = number
            self.metrics(ended(error=error))
        lines = [line for line in self.text().splitlines() if line.startswith("ngrok_errors_total{")]
        self.assertEqual(len(lines), CODES_MAX + 1)

    def test_cardinality(self) -> None:
        """The page has as many lines after a thousand hosts and visitors as after one."""
        self.metrics(ended())
        lines = self.text().count("\n")
        for number in range(1000):
            self.metrics(
                ended(host=f"h{number}.example.com", target=b"/%d" % number, peer_host=f"2001:db8::{number:x}")
            )
        self.assertEqual(self.text().count("\n"), lines)
        self.assertNotIn("example.com", self.text())
