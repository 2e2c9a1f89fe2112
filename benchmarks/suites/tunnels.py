"""
Requests among many tunnels: what one costs when ten are online, and when ten thousand are. Each goes to another tunnel than the
one before.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from benchmarks import load
from benchmarks.arm import Address, Arm
from benchmarks.arms.edge_tunnels import FewTunnelsArm
from benchmarks.edge_config import DOMAIN
from benchmarks.figures import Sample, Unit
from benchmarks.suite import Suite, billed
from benchmarks.workshop import LOOPBACK, Unusable, report_of

VISITORS = 10
"""Fewer than tunnels: where two requests for one tunnel are under way they share its packets, which only few tunnels can offer."""
WARM_UP_SECONDS = 2
SCRIPT = Path(load.__path__[0]) / "tunnels.lua"


class TunnelsSuite(Suite):
    """The CPU of a small request over plain http, from tunnel to tunnel."""

    name: ClassVar[str] = "tunnels"
    title: ClassVar[str] = f"Requests to one tunnel after the other, {VISITORS} keep-alive visitors"
    carries: ClassVar[str] = "tunnels"
    first: ClassVar[str] = "edge-10000"
    unit: ClassVar[Unit] = Unit(cost="µs/request", cost_scale=1e6, rate="req/s", rate_scale=1)
    cells = ("small answers",)
    most_rounds: ClassVar[int] = 3
    needs = {"wrk": "apt-get install wrk"}

    def open(self) -> None:
        """`Suite`. The clients answer themselves."""

    def start(self, arm: Arm) -> Address:
        """`Suite`."""
        assert isinstance(arm, FewTunnelsArm)
        return arm.start_tunnels()

    def warm_up(self, arm: Arm, cell: str) -> None:
        """`Suite`."""
        self._visit(arm, WARM_UP_SECONDS)

    def measure(self, arm: Arm, cell: str) -> Sample:
        """`Suite`."""
        return self._visit(arm, max(1, round(self.seconds)))

    def _visit(self, arm: Arm, seconds: int) -> Sample:
        """
        :raises Unusable: a request failed.
        """
        assert isinstance(arm, FewTunnelsArm)
        url = f"http://{LOOPBACK}:{self.address(arm).port}/"
        wrk = ("wrk", "-t1", f"-c{VISITORS}", f"-d{seconds}", "--timeout", "5", "-s", str(SCRIPT))
        with billed(arm) as bill:
            report = report_of(*wrk, url, "--", DOMAIN, str(arm.active), timeout=seconds + 20)
        if report["failed"] or not report["requests"]:
            raise Unusable(f"{report['failed']:.0f} of {report['requests']:.0f} requests to {url} failed")
        return bill.sample(arm, report["requests"], report["seconds"], report["p50"], report["p99"])
