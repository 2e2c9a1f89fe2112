"""
Bytes that the edge does not look into, to a service that it reaches by itself: TLS passed on by its server name, and TCP.
"""

from __future__ import annotations

from typing import ClassVar

from benchmarks.arm import Address, Arm
from benchmarks.certificate import HOST
from benchmarks.figures import Sample, Unit
from benchmarks.suite import Suite, billed
from benchmarks.suites.ssh import SSHSuite, Work
from benchmarks.workshop import LOOPBACK, free_port, listening, python_module, report_of

PROCESSES = 4
"""Visitors at once."""
TIMEOUT = 20.0
"""Seconds beyond those of the work for the visitors to end."""


class RelayTCPBulkSuite(SSHSuite):
    """Bulk bytes over a TCP port."""

    name = "relay"
    title: ClassVar[str] = "Bulk bytes through a TCP port to a plain upstream"
    carries: ClassVar[str] = "relay-tcp"
    work = {
        "tcp, download, 1 stream": Work(direction="D", streams=1),
        "tcp, upload, 1 stream": Work(direction="U", streams=1),
        "tcp, download, 8 streams": Work(direction="D", streams=8),
    }
    cells = tuple(work)

    def start(self, arm: Arm) -> Address:
        """`Suite`."""
        return arm.start_direct(self.carries, self._origin)


class RelayTLSBulkSuite(RelayTCPBulkSuite):
    """Bulk bytes behind a ClientHello."""

    title = "Bulk bytes through TLS passthrough, by server name, to a plain upstream"
    carries = "relay-tls"
    work = {"tls, download, 1 stream": Work(direction="D", streams=1)}
    cells = tuple(work)
    named = (LOOPBACK, HOST)


class RelayTCPConnectionSuite(Suite):
    """Connections over a TCP port."""

    name: ClassVar[str] = "relay"
    title: ClassVar[str] = f"Connections through a TCP port to a plain upstream, {PROCESSES} at a time"
    carries: ClassVar[str] = "relay-tcp"
    unit: ClassVar[Unit] = Unit(cost="µs/connection", cost_scale=1e6, rate="conn/s", rate_scale=1)
    cells = ("tcp: open, 1 byte, close",)
    server_name: ClassVar[tuple[str, ...]] = ()
    _origin = 0

    def open(self) -> None:
        """`Suite`."""
        self._origin = free_port()
        command = python_module("benchmarks.load.relay_origin", str(self._origin))
        self.workshop.start("relay-origin", *command, ready=lambda: listening(self._origin))

    def start(self, arm: Arm) -> Address:
        """`Suite`."""
        return arm.start_direct(self.carries, self._origin)

    def measure(self, arm: Arm, cell: str) -> Sample:
        """`Suite`."""
        arguments = (str(self.address(arm).port), str(self.seconds), str(PROCESSES), *self.server_name)
        with billed(arm) as bill:
            report = report_of(
                *python_module("benchmarks.load.relay_visits", *arguments), timeout=self.seconds + TIMEOUT
            )
        return bill.sample(arm, report["connections"], report["seconds"])


class RelayTLSConnectionSuite(RelayTCPConnectionSuite):
    """Connections behind a ClientHello."""

    title = f"Connections through TLS passthrough, by server name, to a plain upstream, {PROCESSES} at a time"
    carries = "relay-tls"
    cells = ("tls: open, 1 byte, close",)
    server_name = (HOST,)
