"""
ngrok's agents beside ``ssh -R``: the same requests, bytes and connections through the same edge, which has TLS and muxado
on the agent's leg instead of SSH.
"""

from __future__ import annotations

from typing import ClassVar

from benchmarks.arm import Address, Arm
from benchmarks.figures import Sample, Unit
from benchmarks.suite import Suite, billed
from benchmarks.suites.https import VISITORS, HTTPSSuite, Visits
from benchmarks.suites.ssh import WORK, SSHSuite
from benchmarks.workshop import free_port, listening, python_module, report_of

FIRST = "agent-python"
CONNECTIONS = 400
"""Connections of one visitor for a second of the wanted time: less than any arm takes on this kind of machine."""
AT_ONCE = 8


class AgentRequestSuite(HTTPSSuite):
    """Requests over kept connections, from many visitors, and from one for whom nothing queues."""

    name = "agent"
    title = "Requests over HTTPS and an agent, 64 keep-alive visitors or 1"
    carries = "agent"
    first = FIRST
    skips = frozenset({"sish"})
    visits = {
        "small answers (121 B), 64 visitors": Visits(path="/small"),
        "small answers (121 B), 1 visitor": Visits(path="/small", visitors=1),
    }
    cells = tuple(visits)


class AgentHTTPSuite(HTTPSSuite):
    """Requests in the clear, for those that leave TLS to others."""

    name = "agent"
    title = f"Requests over HTTP and an agent, {VISITORS} keep-alive visitors"
    carries = "agent-http"
    first = FIRST
    scheme = "http"
    skips = frozenset({"edge"})
    visits = {
        "http, small answers (121 B)": Visits(path="/small"),
        "http, 100 KB answers": Visits(path="/large"),
    }
    cells = tuple(visits)

    def start(self, arm: Arm) -> Address:
        """`Suite`."""
        return arm.start_http(self._origin)


class AgentBulkSuite(SSHSuite):
    """Bulk bytes."""

    name = "agent"
    title = "Bulk bytes through an agent"
    carries = "agent-tcp"
    skips = frozenset({"edge"})
    work = {name: WORK[name] for name in ("download, 1 stream", "upload, 1 stream", "download, 8 streams")}
    cells = tuple(work)
    first = FIRST


class AgentConnectionSuite(Suite):
    """Connections to a TCP endpoint, each with a stream of its own to the agent: opened, 16 bytes up, 1 down, closed."""

    name: ClassVar[str] = "agent"
    title: ClassVar[str] = f"TCP connections through an agent, {AT_ONCE} at a time"
    carries: ClassVar[str] = "agent-tcp"
    first = FIRST
    unit: ClassVar[Unit] = Unit(cost="µs/connection", cost_scale=1e6, rate="conn/s", rate_scale=1)
    cells = ("open, 1 byte, close",)
    _origin = 0

    def open(self) -> None:
        """`Suite`."""
        self._origin = free_port()
        command = python_module("benchmarks.load.bulk_origin", str(self._origin))
        self.workshop.start("bulk-origin", *command, ready=lambda: listening(self._origin))

    def start(self, arm: Arm) -> Address:
        """`Suite`."""
        return arm.start_tcp(self._origin)

    def measure(self, arm: Arm, cell: str) -> Sample:
        """`Suite`."""
        count = max(AT_ONCE, int(CONNECTIONS * self.seconds))
        arguments = (str(self.address(arm).port), str(count), str(AT_ONCE))
        with billed(arm) as bill:
            report = report_of(
                *python_module("benchmarks.load.short_visits", *arguments), timeout=20 + 10 * self.seconds
            )
        return bill.sample(arm, report["connections"], report["seconds"])
