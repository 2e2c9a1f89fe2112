"""
Bulk bytes over a distance: one stream through a tunnel while the user, or the visitor, is 50 or 100 ms away on a link of
100 Mbit/s. One that has too small a window cannot fill it.

The distance is there before anything is connected: what a connection has learned on a shorter way misleads it for seconds.
"""

from __future__ import annotations

from typing import ClassVar, Mapping

from benchmarks import far
from benchmarks.arm import Address, Arm
from benchmarks.figures import Sample, Unit
from benchmarks.suite import Suite, billed
from benchmarks.workshop import LOOPBACK, free_port, listening, python_module, report_of

GIGABYTE = 10**9
MILLISECONDS = 1e-3
VOLUME = 20 * 10**6
"""Bytes: 1.6 seconds of the link, after a slow start of about half a second."""
HELD_UP = 1.2
"""What takes so many times as long as the link needs is done once more, and the faster one counts. Where the kernel's congestion
control is BBR, each connection stops for 0.4 seconds every ten seconds to measure its round trip again: that meets one haul in
four, of any arm, and never two in succession."""
TIMEOUT = 60.0
"""Seconds, in which a window of 35 KB moves as much over 100 ms."""
DIRECTIONS = {"download": "D", "upload": "U"}


class FarUserSuite(Suite):
    """
    Visitor → public TCP port → the link → ``ssh -R`` → service.

    :cvar round_trip: of the link, milliseconds.
    :cvar hauls: the directions of its kinds of work, by their names.
    :cvar rests: what is far is a connection that is old enough to be held up, see `HELD_UP`.
    """

    name: ClassVar[str] = "delay"
    title: ClassVar[str] = "One stream through ssh -R, the user 100 ms away on 100 Mbit/s, default OpenSSH client"
    carries: ClassVar[str] = "tcp"
    unit: ClassVar[Unit] = Unit(cost="cpu-s/GB", cost_scale=1, rate="Mbit/s", rate_scale=8000)
    round_trip: ClassVar[int] = 100
    rests: ClassVar[bool] = True
    hauls: ClassVar[Mapping[str, str]] = {f"far user, 100 ms, {name}": way for name, way in DIRECTIONS.items()}
    cells = tuple(hauls)
    skips = frozenset({"sshd-gcm", "go-ssh"})
    most_rounds: ClassVar[int] = 2

    def open(self) -> None:
        """`Suite`. The user's clients and services are far away, too."""
        self._make_link()
        self.workshop.servers, self.workshop.users = far.SERVERS, self._link.command
        command = python_module("benchmarks.load.bulk_origin", str(self._origin))
        origin = self.workshop.start("bulk-origin", *self._link.command, *command)
        origin.wait_until(lambda: far.listens(origin, self._origin))

    def start(self, arm: Arm) -> Address:
        """`Suite`."""
        return arm.start_tcp(self._origin)

    def warm_up(self, arm: Arm, cell: str) -> None:
        """`Suite`. Nothing: the link decides, and users' connections start slowly, too."""

    def measure(self, arm: Arm, cell: str) -> Sample:
        """`Suite`."""
        sample = self._haul(arm, cell)
        if self.rests and sample.seconds * far.BANDWIDTH > HELD_UP * 8 * VOLUME:
            sample = min(sample, self._haul(arm, cell), key=lambda one: one.seconds)
        return sample

    def _haul(self, arm: Arm, cell: str) -> Sample:
        with billed(arm) as bill:
            report = report_of(*self._visitor(self.address(arm).port, self.hauls[cell]), timeout=TIMEOUT)
        return Sample(
            units=report["bytes"] / GIGABYTE,
            seconds=report["seconds"],
            spent=bill.cpu,
            client_cpu=bill.client_cpu,
            memory=arm.memory_kib(),
        )

    def _make_link(self) -> None:
        self._link = far.Link(self.workshop, self.round_trip * MILLISECONDS)
        self._origin = free_port()

    def _visitor(self, port: int, direction: str) -> tuple[str, ...]:
        """The command line of a visitor, who is near."""
        return python_module("benchmarks.load.bulk_visitor", str(port), direction, str(VOLUME), "1", LOOPBACK)


class NearerUserSuite(FarUserSuite):
    """The same over half the distance."""

    title: ClassVar[str] = "One stream through ssh -R, the user 50 ms away on 100 Mbit/s, default OpenSSH client"
    round_trip: ClassVar[int] = 50
    hauls: ClassVar[Mapping[str, str]] = {f"far user, 50 ms, {name}": way for name, way in DIRECTIONS.items()}
    cells = tuple(hauls)
    most_rounds: ClassVar[int] = 2


class FarVisitorSuite(FarUserSuite):
    """
    Visitor → the link → public TCP port → ``ssh -R`` → service.
    """

    title: ClassVar[str] = "One stream through ssh -R, the visitor 100 ms away on 100 Mbit/s, default OpenSSH client"
    rests: ClassVar[bool] = False  # each visitor has a connection of its own
    hauls: ClassVar[Mapping[str, str]] = {f"far visitor, 100 ms, {name}": way for name, way in DIRECTIONS.items()}
    cells = tuple(hauls)
    most_rounds: ClassVar[int] = 2

    def open(self) -> None:
        """`Suite`."""
        self._make_link()
        command = python_module("benchmarks.load.bulk_origin", str(self._origin))
        self.workshop.start("bulk-origin", *command, ready=lambda: listening(self._origin))

    def _visitor(self, port: int, direction: str) -> tuple[str, ...]:
        program = "benchmarks.load.bulk_visitor"
        return (*self._link.command, *python_module(program, str(port), direction, str(VOLUME), "1", far.SERVERS))


class FarAgentSuite(FarUserSuite):
    """
    The way of `FarUserSuite`, with an agent of ngrok's in the place of ``ssh -R``.
    """

    title: ClassVar[str] = "One stream to ngrok's own agents, 100 ms away on 100 Mbit/s"
    carries: ClassVar[str] = "agent"
    hauls: ClassVar[Mapping[str, str]] = {f"far agent, 100 ms, {name}": way for name, way in DIRECTIONS.items()}
    cells = tuple(hauls)
    most_rounds: ClassVar[int] = 2
