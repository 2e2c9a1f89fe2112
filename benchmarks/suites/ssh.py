"""
Bulk bytes through ``ssh -R`` with a default client: download and upload, one stream and eight.

The volume is the same for every arm, so that it is the same work: what the slowest moves in the wanted time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Mapping

from benchmarks.arm import Address, Arm
from benchmarks.figures import Sample, Unit
from benchmarks.suite import Suite, billed
from benchmarks.workshop import free_port, listening, python_module, report_of

GIGABYTE = 10**9
WARM_UP_VOLUME = 64 * 10**6
"""Bytes: enough to fill every window and buffer on the way, and to tell the rate within some percent."""
MAX_VOLUME = 8 * GIGABYTE
TIMEOUT_FACTOR = 10
"""A piece of work that takes so many times as long as it should will not end."""
MIN_TIMEOUT = 30.0
"""Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """
    :ivar direction: ``D`` or ``U``, as the visitor sees it.
    :ivar streams: connections at once.
    """

    direction: str
    streams: int


WORK = {
    "download, 1 stream": Work(direction="D", streams=1),
    "upload, 1 stream": Work(direction="U", streams=1),
    "download, 8 streams": Work(direction="D", streams=8),
    "upload, 8 streams": Work(direction="U", streams=8),
}


class SSHSuite(Suite):
    """
    Visitor → public TCP port → ``ssh -R`` → service.

    :cvar work: what its kinds of work are, by their names.
    :cvar named: where visitors connect to, and the name that they send a ClientHello for, if they do.
    """

    name: ClassVar[str] = "ssh"
    title: ClassVar[str] = "Bulk bytes through ssh -R, default OpenSSH client"
    carries: ClassVar[str] = "tcp"
    unit: ClassVar[Unit] = Unit(cost="cpu-s/GB", cost_scale=1, rate="MB/s", rate_scale=1000)
    work: ClassVar[Mapping[str, Work]] = WORK
    cells = tuple(WORK)
    named: ClassVar[tuple[str, ...]] = ()
    _origin = 0

    def open(self) -> None:
        """`Suite`."""
        self._slowest: dict[str, float] = {}
        self._origin = free_port()
        command = python_module("benchmarks.load.bulk_origin", str(self._origin))
        self.workshop.start("bulk-origin", *command, ready=lambda: listening(self._origin))

    def start(self, arm: Arm) -> Address:
        """`Suite`."""
        return arm.start_tcp(self._origin)

    def warm_up(self, arm: Arm, cell: str) -> None:
        """`Suite`. Remembers the slowest arm's rate."""
        rate = self._move(arm, cell, WARM_UP_VOLUME, MIN_TIMEOUT).rate
        self._slowest[cell] = min(rate, self._slowest.get(cell, rate))

    def measure(self, arm: Arm, cell: str) -> Sample:
        """`Suite`."""
        volume = int(self._slowest[cell] * self.seconds * GIGABYTE)
        timeout = max(MIN_TIMEOUT, TIMEOUT_FACTOR * self.seconds)
        return self._move(arm, cell, min(max(volume, WARM_UP_VOLUME), MAX_VOLUME), timeout)

    def _move(self, arm: Arm, cell: str, volume: int, timeout: float) -> Sample:
        """
        :param volume: bytes.
        :param timeout: seconds.
        """
        work = self.work[cell]
        arguments = (str(self.address(arm).port), work.direction, str(volume), str(work.streams), *self.named)
        with billed(arm) as bill:
            report = report_of(*python_module("benchmarks.load.bulk_visitor", *arguments), timeout=timeout)
        return bill.sample(arm, report["bytes"] / GIGABYTE, report["seconds"])
