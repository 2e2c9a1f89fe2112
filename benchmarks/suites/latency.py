"""
How long visitors wait while nobody is at the end of its strength: requests at a fixed pace, half of what the slower one of two can
do; beside nginx and sshd, and beside sish, which can do much less.
"""

from __future__ import annotations

from typing import ClassVar

from benchmarks import cores, h2load
from benchmarks.arm import Address, Arm
from benchmarks.figures import Sample
from benchmarks.suite import billed
from benchmarks.suites.https import VISITORS, WARM_UP_SECONDS, HTTPSSuite, Visits
from benchmarks.workshop import Unusable, run

HALF = 0.5
TIMEOUT = 20.0
"""Seconds beyond those of the work for h2load to end."""
ARRIVING = 0.3
"""Seconds in which all visitors come; their handshakes take a tenth."""
MILLISECONDS = 1000
"""In a second."""


class LatencySuite(HTTPSSuite):
    """
    Beside nginx and sshd.

    The warm-up finds what each arm can do; then all get the same pace. Visitors send on time whether they have been answered or
    not; what one long answer holds up on its connection counts as having waited. What counts are visitors who are there: not
    the time in which they come, whose handshakes would be the slowest hundredth of all. The servers have one core, and
    visitors, the user's ``ssh`` and the service share the others.
    """

    name: ClassVar[str] = "latency"
    title: ClassVar[str] = f"Latency over HTTPS and ssh -R at half the slower one's load, {VISITORS} visitors"
    visits = {
        "small answers (121 B), half load": Visits(path="/small"),
        "100 KB answers, half load": Visits(path="/large"),
    }
    cells = tuple(visits)
    weight: ClassVar[float] = 3
    """A median of two rounds lies a fifth from the next; one piece of work is two seconds."""
    needs = HTTPSSuite.needs | h2load.NEEDS
    skips = HTTPSSuite.skips | {"sish"}

    def open(self) -> None:
        """`Suite`."""
        self._slowest: dict[str, float] = {}
        self._core = cores.leave_one(self.workshop)
        super().open()

    def start(self, arm: Arm) -> Address:
        """`Suite`."""
        address = super().start(arm)
        cores.give(self._core, arm.roots)
        return address

    def warm_up(self, arm: Arm, cell: str) -> None:
        """`Suite`. Remembers the slowest arm's rate."""
        rate = self._visit(arm, cell, WARM_UP_SECONDS).rate
        self._slowest[cell] = min(rate, self._slowest.get(cell, rate))

    def measure(self, arm: Arm, cell: str) -> Sample:
        """`Suite`."""
        visits, rate = self.visits[cell], HALF * self._slowest[cell]
        seconds = max(2, round(self.seconds))
        log = self.workshop.directory / "h2load.log"
        log.unlink(missing_ok=True)
        command = h2load.command(self.address(arm), visits.path, visits.visitors, 0, seconds, log, rate)
        with billed(arm) as bill:
            text = run(*command, timeout=seconds + TIMEOUT)
        interval = visits.visitors / rate * MILLISECONDS
        report = h2load.parse(text, log.read_text(encoding="ascii"), interval, ARRIVING)
        if report.failed or not report.requests:
            raise Unusable(f"{report.failed} of {report.requests + report.failed} requests failed")
        return bill.sample(arm, report.requests, report.seconds, report.p50, report.p99)


class SishLatencySuite(LatencySuite):
    """Beside sish."""

    title = f"Latency over HTTPS and ssh -R at half of sish's load, {VISITORS} visitors"
    visits = {
        "small answers (121 B), half of sish's load": Visits(path="/small"),
        "100 KB answers, half of sish's load": Visits(path="/large"),
    }
    cells = tuple(visits)
    weight = 1  # sish is slower by far
    skips = HTTPSSuite.skips | {"nginx+sshd"}
