"""
What a second process brings, and what it costs: requests and connections, with and without tunnels, to a server of one process and
to one of two.

Where the work is heavy, as where long answers are compressed, the load and the service leave a machine of two cores to the
server; where it is light they do not, and the figure to look at is the cost.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, ClassVar, Mapping

from benchmarks.arm import Address, Arm
from benchmarks.arms.edge_workers import OneProcessArm
from benchmarks.figures import Sample, Unit
from benchmarks.suite import Suite, billed
from benchmarks.suites.https import SCRIPT
from benchmarks.workshop import Unusable, free_port, listening, python_module, report_of

VISITORS = 64
"""At once, on connections that they keep."""
PROCESSES = 4
"""Of visitors that come and go."""
TIMEOUT = 30.0
"""Seconds beyond those of the work for the visitors to end."""

Report = Mapping[str, float]


class WorkersSuite(Suite):
    """
    Every arm is an `OneProcessArm`.
    """

    name: ClassVar[str] = "workers"
    title: ClassVar[str] = (
        "One process and two: requests and connections through several tunnels, and on a realistic route"
    )
    carries: ClassVar[str] = "workers"
    first: ClassVar[str] = "edge-1"
    unit: ClassVar[Unit] = Unit(cost="µs/unit", cost_scale=1e6, rate="units/s", rate_scale=1)
    cells: ClassVar[tuple[str, ...]] = (
        "realistic route, gzipped JSON of 64 KB",
        "realistic route, gzipped JSON of 4 KB",
        "small answers, 4 tunnels",
        "TLS connections, full, 4 tunnels",
        "TLS connections, resumed, no tunnel",
        "TCP connections, 4 tunnels",
    )
    needs = {"wrk": "apt-get install wrk"}
    _http = _relay = 0

    def open(self) -> None:
        """`Suite`."""
        self._http, self._relay = free_port(), free_port()
        for port, name in ((self._http, "http_origin"), (self._relay, "relay_origin")):
            command = python_module(f"benchmarks.load.{name}", str(port))
            self.workshop.start(name, *command, ready=lambda port=port: listening(port))  # type: ignore[misc]

    def start(self, arm: Arm) -> Address:
        """`Suite`."""
        assert isinstance(arm, OneProcessArm)
        return arm.start_workers(self._http, self._relay)

    def measure(self, arm: Arm, cell: str) -> Sample:
        """
        `Suite`.

        :raises Unusable: something failed; figures of an arm that fails are worth nothing.
        """
        assert isinstance(arm, OneProcessArm)
        loads = self._loads(arm)[self.cells.index(cell)]
        with billed(arm) as bill, ThreadPoolExecutor(len(loads)) as pool:
            reports = list(pool.map(lambda load: load(), loads))
        units = sum(report.get("requests") or report["connections"] for report in reports)
        if not units or any(report.get("failed") for report in reports):
            raise Unusable(f"visitors failed: {json.dumps([dict(report) for report in reports])}")
        return bill.sample(arm, units, max(report["seconds"] for report in reports))

    def _loads(self, arm: OneProcessArm) -> list[list[Callable[[], Report]]]:
        """What is to be done at the same time, for each of `cells`."""
        route, tunnels = self.address(arm), arm.requests
        share = PROCESSES // len(tunnels) or 1
        return [
            [lambda: self._visit(route, "/list", VISITORS, "gzip")],
            [lambda: self._visit(route, "/json", VISITORS, "gzip")],
            [lambda to=to: self._visit(to, "/small", VISITORS // len(tunnels)) for to in tunnels],  # type: ignore[misc]
            [lambda to=to: self._connect(to, "full", share) for to in tunnels],  # type: ignore[misc]
            [lambda: self._connect(route, "resumed", PROCESSES)],
            [lambda to=to: self._open(to, share) for to in arm.streams],  # type: ignore[misc]
        ]

    def _visit(self, to: Address, path: str, visitors: int, codings: str = "") -> Report:
        seconds = max(1, round(self.seconds))
        wrk = ("wrk", "-t1", f"-c{visitors}", f"-d{seconds}", "--timeout", "5", "-s", str(SCRIPT))
        accepted = ("--", codings) if codings else ()
        return report_of(*wrk, f"https://{to.host}:{to.port}{path}", *accepted, timeout=seconds + TIMEOUT)

    def _connect(self, to: Address, kind: str, processes: int) -> Report:
        arguments = (str(to.port), to.host, str(self.seconds), str(processes), kind)
        return report_of(*python_module("benchmarks.load.handshakes", *arguments), timeout=self.seconds + TIMEOUT)

    def _open(self, to: Address, processes: int) -> Report:
        arguments = (str(to.port), str(self.seconds), str(processes))
        return report_of(*python_module("benchmarks.load.relay_visits", *arguments), timeout=self.seconds + TIMEOUT)
