"""
HTTP/2: a hundred requests at once, on as many connections or on one, beside the same in HTTP/1.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Mapping

from benchmarks import h2load
from benchmarks.arm import Arm
from benchmarks.figures import Sample
from benchmarks.suite import billed
from benchmarks.suites.https import HTTPSSuite
from benchmarks.workshop import Unusable, run

TIMEOUT = 20.0
"""Seconds beyond those of the work for h2load to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """
    :ivar path: what is asked for, see `benchmarks.load.http_origin`.
    :ivar connections: at once.
    :ivar streams: requests under way on each.
    """

    path: str
    connections: int
    streams: int


class H2Suite(HTTPSSuite):
    """
    Visitors that speak HTTP/1.1 get a connection for each request under way, so that there are as many of these.
    """

    name = "h2"
    title = "Requests over HTTP/2 and ssh -R, 100 at once, default OpenSSH client"
    carries = "h2"
    needs = h2load.NEEDS
    loads: ClassVar[Mapping[str, Load]] = {
        "small answers (121 B), 100 connections of 1 stream": Load(path="/small", connections=100, streams=1),
        "small answers (121 B), 1 connection of 100 streams": Load(path="/small", connections=1, streams=100),
        "100 KB answers, 100 connections of 1 stream": Load(path="/large", connections=100, streams=1),
        "100 KB answers, 1 connection of 100 streams": Load(path="/large", connections=1, streams=100),
    }
    cells = tuple(loads)

    def _visit(self, arm: Arm, cell: str, seconds: int) -> Sample:
        load = self.loads[cell]
        connections, streams = load.connections, load.streams
        if not arm.http2:
            connections, streams = connections * streams, 0
        log = self.workshop.directory / "h2load.log"
        log.unlink(missing_ok=True)
        command = h2load.command(self.address(arm), load.path, connections, streams, seconds, log)
        with billed(arm) as bill:
            text = run(*command, timeout=seconds + TIMEOUT)
        report = h2load.parse(text, log.read_text(encoding="ascii"))
        if report.protocol != ("h2" if arm.http2 else "http/1.1"):
            raise Unusable(f"visitors got {report.protocol}")
        if report.failed or not report.requests:
            raise Unusable(f"{report.failed} of {report.requests + report.failed} requests failed")
        return bill.sample(arm, report.requests, report.seconds, report.p50, report.p99)
