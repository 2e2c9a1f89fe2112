"""
Requests: visitors with keep-alive connections → HTTPS edge → ``ssh -R`` → service; small answers and 100 KB ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Mapping

from benchmarks import load
from benchmarks.arm import Address, Arm
from benchmarks.figures import Sample, Unit
from benchmarks.suite import Suite, billed
from benchmarks.workshop import Unusable, free_port, listening, python_module, report_of

VISITORS = 64
"""How many there are where nothing else is said."""
WARM_UP_SECONDS = 1
SCRIPT = Path(load.__path__[0]) / "visitors.lua"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    """
    :ivar path: what is asked for, see `benchmarks.load.http_origin`.
    :ivar visitors: keep-alive connections at once, each with one request under way.
    :ivar codings: what they accept, if it is not what a browser does.
    """

    path: str
    visitors: int = VISITORS
    codings: str = ""


class HTTPSSuite(Suite):
    """
    The handshakes of the visitors are part of the bill, once each.

    :cvar visits: what its kinds of work are, by their names.
    :cvar scheme: ``https`` or ``http``.
    """

    name: ClassVar[str] = "https"
    title: ClassVar[str] = f"Requests over HTTPS and ssh -R, {VISITORS} keep-alive visitors, default OpenSSH client"
    carries: ClassVar[str] = "https"
    unit: ClassVar[Unit] = Unit(cost="µs/request", cost_scale=1e6, rate="req/s", rate_scale=1)
    visits: ClassVar[Mapping[str, Visits]] = {
        "small answers (121 B)": Visits(path="/small"),
        "100 KB answers": Visits(path="/large"),
    }
    cells = tuple(visits)
    scheme: ClassVar[str] = "https"
    skips = frozenset({"nginx+sshd-gcm", "haproxy+sshd"})
    needs = {"wrk": "apt-get install wrk"}
    _origin = 0

    def open(self) -> None:
        """`Suite`."""
        self._origin = free_port()
        command = python_module("benchmarks.load.http_origin", str(self._origin))
        self.workshop.start("http-origin", *command, ready=lambda: listening(self._origin))

    def start(self, arm: Arm) -> Address:
        """`Suite`."""
        return arm.start_https(self._origin)

    def warm_up(self, arm: Arm, cell: str) -> None:
        """`Suite`."""
        self._visit(arm, cell, WARM_UP_SECONDS)

    def measure(self, arm: Arm, cell: str) -> Sample:
        """`Suite`."""
        return self._visit(arm, cell, max(1, round(self.seconds)))

    def _visit(self, arm: Arm, cell: str, seconds: int) -> Sample:
        """
        :raises Unusable: a request failed; figures of an arm that fails are worth nothing.
        """
        address, visits = self.address(arm), self.visits[cell]
        url = f"{self.scheme}://{address.host}:{address.port}{visits.path}"
        wrk = ("wrk", "-t1", f"-c{visits.visitors}", f"-d{seconds}", "--timeout", "5", "-s", str(SCRIPT))
        command = (*wrk, url, *(["--", visits.codings] if visits.codings else []))
        with billed(arm) as bill:
            report = report_of(*command, timeout=seconds + 20)
        if report["failed"] or not report["requests"]:
            raise Unusable(f"{report['failed']:.0f} of {report['requests']:.0f} requests to {url} failed")
        return bill.sample(arm, report["requests"], report["seconds"], report["p50"], report["p99"])
