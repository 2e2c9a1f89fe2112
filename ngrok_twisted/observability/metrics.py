"""
`FlowMetrics`: what visitors' requests and connections come to, counted for Prometheus.

Counting is additions to plain integers; what Prometheus reads is only made when it asks. Labels take a handful of values
each, all of them this server's own words: no host, path, address or name of a visitor ever is one, since every new value
would be another time series, for ever.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from operator import add
from typing import Iterator, Mapping, Sequence

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

from ngrok_twisted.flow import Flow

#: Upper bounds in seconds of the parts of the histogram: from what the edge answers itself to what visitors give up on.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

#: What visitors speak, as flows have it: their series are there from the start, so that rates are right from the first one.
PROTOS = ("https", "http", "tls", "tcp")

#: What modules decide is noted in flows under these names; the part before the dot is the module.
DECISIONS = frozenset(
    {
        "basic_auth.decision",
        "circuit_breaker.decision",
        "compression.algorithm",
        "ip_policy.decision",
        "user_agent_filter.decision",
        "webhook_verification.decision",
    }
)

#: The words of all these modules. What is none of them is counted as `OTHER`, so that the labels stay few.
WORDS = frozenset({"allow", "block", "allow_while_open", "br", "deflate", "gzip", "none", "zstd"})
OTHER = "other"

#: A flow that has noted this is not counted.
UNCOUNTED = "metrics.uncounted"

#: How many codes of errors are told apart: more than there are.
CODES_MAX = 200

# A status has three digits (RFC 9110 section 15); 0 is a request that ended before it was answered.
_CLASSES = ("none", *(f"{digit}xx" for digit in range(1, 10)))


class _Tally:
    """
    What flows of one protocol came to.

    :ivar streams: those that were no requests.
    :ivar statuses: requests by the first digit of the status.
    :ivar spread: answered requests by the first of `BOUNDS` that they did not exceed; the last is for the slower ones.
    :ivar seconds: how long these took together.
    """

    __slots__ = ("streams", "bytes_in", "bytes_out", "statuses", "spread", "seconds")

    def __init__(self) -> None:
        self.streams = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.statuses = [0] * len(_CLASSES)
        self.spread = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def add(self, other: _Tally) -> None:
        """Count what another one has counted."""
        self.streams += other.streams
        self.bytes_in += other.bytes_in
        self.bytes_out += other.bytes_out
        self.seconds += other.seconds
        self.statuses = [*map(add, self.statuses, other.statuses)]
        self.spread = [*map(add, self.spread, other.spread)]


class FlowMetrics:
    """
    A flow observer, and a collector of ``prometheus_client``.
    """

    def __init__(self) -> None:
        self._tallies = {proto: _Tally() for proto in PROTOS}
        self._decisions: dict[tuple[str, str], int] = {}
        self._errors: dict[str, int] = {}
        self._versions: defaultdict[bytes, int] = defaultdict(int)

    def __call__(self, flow: Flow) -> None:
        """Count a flow that has ended."""
        variables = flow.variables
        if variables is not None and UNCOUNTED in variables:
            return
        tally = self._tallies.get(flow.proto)
        if tally is None:
            tally = self._tallies[flow.proto] = _Tally()
        tally.bytes_in += flow.bytes_in
        tally.bytes_out += flow.bytes_out
        status = flow.status
        if not flow.method and not status:
            tally.streams += 1
        else:
            tally.statuses[status // 100] += 1
            self._versions[flow.version] += 1
            if status >= 200:  # a WebSocket may be open for days, which says nothing of how fast it was answered
                seconds = flow.ended - flow.started
                tally.seconds += seconds
                tally.spread[bisect_left(BOUNDS, seconds)] += 1
        if flow.error is not None:
            self._count_error(flow.error.name)
        if variables is not None:
            self._count_decisions(variables)

    def add(self, other: FlowMetrics) -> None:
        """Count what another one has counted, as that of another process."""
        for proto, tally in other._tallies.items():
            self._tallies.setdefault(proto, _Tally()).add(tally)
        for key, number in other._decisions.items():
            self._decisions[key] = self._decisions.get(key, 0) + number
        for name, number in other._errors.items():
            self._count_error(name, number)
        for version, number in other._versions.items():
            self._versions[version] = self._versions.get(version, 0) + number

    def _count_error(self, name: str, number: int = 1) -> None:
        errors = self._errors
        if name not in errors and len(errors) >= CODES_MAX:
            name = OTHER
        errors[name] = errors.get(name, 0) + number

    def _count_decisions(self, variables: Mapping[str, object]) -> None:
        decisions = self._decisions
        for name, word in variables.items():
            if name in DECISIONS and word is not None:
                key = (name, word if isinstance(word, str) and word in WORDS else OTHER)
                decisions[key] = decisions.get(key, 0) + 1

    # -- what is read --------------------------------------------------------------------------------------------------

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        yield self._requests()
        yield self._spoken()
        yield self._durations()
        streams = CounterMetricFamily("ngrok_streams", "TLS and TCP connections that have ended.", labels=["proto"])
        received = CounterMetricFamily(
            "ngrok_received_bytes", "Bytes from visitors: bodies of requests, all of streams.", labels=["proto"]
        )
        sent = CounterMetricFamily(
            "ngrok_sent_bytes", "Bytes to visitors: bodies of responses, all of streams.", labels=["proto"]
        )
        for proto, tally in self._tallies.items():
            if tally.streams:
                streams.add_metric([proto], tally.streams)
            received.add_metric([proto], tally.bytes_in)
            sent.add_metric([proto], tally.bytes_out)
        yield from (streams, received, sent, self._modules(), self._failures())

    def _requests(self) -> Metric:
        family = CounterMetricFamily(
            "ngrok_http_requests",
            "HTTP requests that have ended, by the class of the status; none: they ended without one.",
            labels=["proto", "status"],
        )
        for proto, tally in self._tallies.items():
            for name, count in zip(_CLASSES, tally.statuses):
                if count:
                    family.add_metric([proto, name], count)
        return family

    def _spoken(self) -> Metric:
        family = CounterMetricFamily(
            "ngrok_http_versions", "HTTP requests that have ended, by what the visitor speaks.", labels=["version"]
        )
        for version, count in self._versions.items():
            if version:
                family.add_metric([version.decode("ascii")], count)
        return family

    def _durations(self) -> Metric:
        family = HistogramMetricFamily(
            "ngrok_http_request_duration_seconds",
            "From the head of a request to the end of its response, but for upgraded connections.",
            labels=["proto"],
        )
        for proto, tally in self._tallies.items():
            if any(tally.spread):
                family.add_metric([proto], buckets=list(cumulated(BOUNDS, tally.spread)), sum_value=tally.seconds)
        return family

    def _modules(self) -> Metric:
        family = CounterMetricFamily(
            "ngrok_module_decisions", "What modules decided of requests.", labels=["module", "decision"]
        )
        for (name, word), count in self._decisions.items():
            family.add_metric([name.partition(".")[0], word], count)
        return family

    def _failures(self) -> Metric:
        family = CounterMetricFamily(
            "ngrok_errors", "Requests and connections that the edge itself ended with an error.", labels=["code"]
        )
        for name, count in self._errors.items():
            family.add_metric([name], count)
        return family


def cumulated(bounds: Sequence[float], spread: Sequence[int]) -> Iterator[tuple[str, float]]:
    """
    The parts of a histogram as Prometheus has them: each holds the smaller ones, too.

    :param bounds: their upper bounds; the last part has none.
    """
    total = 0
    for bound, count in zip((*map(str, bounds), "+Inf"), spread):
        total += count
        yield bound, total
