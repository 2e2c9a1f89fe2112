"""
New TLS 1.3 connections, whole handshakes and resumed ones: each with one request, which the arm answers by itself.
"""

from __future__ import annotations

from typing import ClassVar, Mapping

from benchmarks.arm import Address, Arm
from benchmarks.certificate import HOST
from benchmarks.figures import Sample, Unit
from benchmarks.suite import Suite, billed
from benchmarks.workshop import free_port, python_module, report_of

PROCESSES = 4
"""Visitors at once: enough to keep a server busy on a core of its own, so that it works as it does under load."""
TIMEOUT = 30.0
"""Seconds beyond those of the work for the visitors to end."""


class TLSSuite(Suite):
    """
    Certificates are ECDSA P-256. Visitors are ours, in Python: they cost about as much as what they visit, so that connections
    a second are theirs, too; CPU is not.
    """

    name: ClassVar[str] = "tls"
    title: ClassVar[str] = f"New TLS 1.3 connections, ECDSA P-256, one request each, {PROCESSES} at a time"
    carries: ClassVar[str] = "handshake"
    unit: ClassVar[Unit] = Unit(cost="µs/connection", cost_scale=1e6, rate="conn/s", rate_scale=1)
    kinds: ClassVar[Mapping[str, str]] = {"full handshake": "full", "resumed": "resumed"}
    cells = tuple(kinds)

    def open(self) -> None:
        """`Suite`. Nobody is asked."""

    def start(self, arm: Arm) -> Address:
        """`Suite`."""
        return arm.start_direct(self.carries, free_port())

    def measure(self, arm: Arm, cell: str) -> Sample:
        """`Suite`."""
        arguments = (str(self.address(arm).port), HOST, str(self.seconds), str(PROCESSES), self.kinds[cell])
        with billed(arm) as bill:
            report = report_of(*python_module("benchmarks.load.handshakes", *arguments), timeout=self.seconds + TIMEOUT)
        return bill.sample(arm, report["connections"], report["seconds"])
