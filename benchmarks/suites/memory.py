"""
Memory of those who rest: visitors with a keep-alive connection who have had one answer, and tunnels that nobody visits; a
thousand of them beside the peers, and ten thousand by ourselves.

Servers keep what they once took from the kernel, so that every measurement has a server of its own.
"""

from __future__ import annotations

import time
from typing import ClassVar

from benchmarks.arm import Address, Arm, which
from benchmarks.figures import Sample, Unit
from benchmarks.suite import Suite
from benchmarks.workshop import LOOPBACK, Process, Unusable, Workshop, free_port, listening, python_module, run

FIRST = 100
"""Those who come before the count begins, for what a server sets up once."""
REST = 1.0
"""Seconds between the last answer and the look."""
TIMEOUT = 120.0
"""Seconds for all to come."""
MANY = 1000
VERY_MANY = 10_000
GO_CLIENT = "bench_go_ssh"
AT_ONCE = 100
"""Log-ins under way at a time: the edge lets a connection without a session wait a little for its command."""


class RestingVisitors(Suite):
    """
    The growth of data (PSS without program files) from `FIRST` visitors to so many more, divided by these.

    :cvar scheme: ``https`` or ``http``.
    :cvar count: how many there are.
    :cvar alone: only the edge itself is measured.
    :cvar rest: seconds more, in which servers may give back what a handshake has needed.
    """

    name: ClassVar[str] = "memory"
    title: ClassVar[str] = f"Memory of an idle visitor over HTTPS, {MANY:,} of them"
    carries: ClassVar[str] = "plain-https"
    unit: ClassVar[Unit] = Unit(cost="KiB each", cost_scale=1, rate="a second", rate_scale=1)
    cells = (f"{MANY:,} idle https visitors",)
    most_rounds: ClassVar[int] = 1
    scheme: ClassVar[str] = "https"
    count: ClassVar[int] = MANY
    alone: ClassVar[bool] = False
    rest: ClassVar[float] = 4.0
    skips: ClassVar[frozenset[str]] = frozenset({"haproxy", "twisted.web", "sshd", "sshd-gcm", "sish"})

    def open(self) -> None:
        """`Suite`."""
        self._origin = free_port()
        command = python_module("benchmarks.load.http_origin", str(self._origin))
        self.workshop.start("http-origin", *command, ready=lambda: listening(self._origin))

    def start(self, arm: Arm) -> Address:
        """`Suite`. Nothing yet: each measurement has a server of its own."""
        if self.alone and arm.label != self.first:
            raise Unusable(f"only the edge is asked for {self.count:,}")
        return Address(host=LOOPBACK, port=0)

    def warm_up(self, arm: Arm, cell: str) -> None:
        """`Suite`. Each server is measured from its start."""

    def measure(self, arm: Arm, cell: str) -> Sample:
        """`Suite`."""
        with Workshop() as workshop:
            server = type(arm)(workshop)
            address = self.begin(server)
            self._come(workshop, "first", address, FIRST)
            before, started = server.data_kib(), time.perf_counter()
            self._come(workshop, "counted", address, self.count)
            seconds = time.perf_counter() - started
            time.sleep(self.rest)
            return Sample(
                units=self.count, seconds=seconds, spent=server.data_kib() - before, memory=server.memory_kib()
            )

    def begin(self, server: Arm) -> Address:
        """Start a server that they can come to."""
        return server.start_direct(self.carries, self._origin)

    def load(self, address: Address, who: str, count: int) -> tuple[str, ...]:
        """
        :return: the command line of a program that is so many, tells in a line of JSON when all are there, and stays.
        """
        arguments = (str(address.port), address.host, self.scheme, str(count))
        return python_module("benchmarks.load.idle_visitors", *arguments)

    def _come(self, workshop: Workshop, who: str, address: Address, count: int) -> None:
        process = workshop.start(who, *self.load(address, who, count))
        process.wait_until(lambda: _are_there(process), timeout=TIMEOUT)
        time.sleep(REST)


def _are_there(process: Process) -> bool:
    return '"seconds":' in process.output()


class RestingPlainVisitors(RestingVisitors):
    """In the clear."""

    title = f"Memory of an idle visitor over HTTP, {MANY:,} of them"
    carries = "plain-http"
    cells = (f"{MANY:,} idle http visitors",)
    scheme = "http"
    rest = 0.0


class Crowd(RestingVisitors):
    """Ten times as many."""

    title = f"Memory of an idle visitor over HTTPS, {VERY_MANY:,} of them"
    cells = (f"{VERY_MANY:,} idle https visitors",)
    count = VERY_MANY
    alone = True


class PlainCrowd(RestingPlainVisitors):
    """Ten times as many in the clear."""

    title = f"Memory of an idle visitor over HTTP, {VERY_MANY:,} of them"
    cells = (f"{VERY_MANY:,} idle http visitors",)
    count = VERY_MANY
    alone = True


class RestingTunnels(RestingVisitors):
    """
    Tunnels, each on a connection of its own with a key of its own. The clients are all in one program, since a thousand of
    OpenSSH's would take ten gigabytes.
    """

    title = f"Memory of an idle ssh tunnel, {MANY:,} of them"
    carries = "ssh"
    cells = (f"{MANY:,} idle ssh tunnels",)
    needs = {GO_CLIENT: "scripts/install-bench-peers"}
    rest = 0.0

    def open(self) -> None:
        """`Suite`. No tunnel is ever visited, so that no service is needed."""
        keys = run(which(GO_CLIENT) or GO_CLIENT, "keys", str(self.count))
        self._keys = keys.splitlines()

    def begin(self, server: Arm) -> Address:
        """`RestingVisitors`."""
        server.workshop.more_keys = self._keys
        return Address(host=LOOPBACK, port=server.start_ssh())

    def load(self, address: Address, who: str, count: int) -> tuple[str, ...]:
        """`RestingVisitors`."""
        program = (which(GO_CLIENT) or GO_CLIENT, "logins", f"{LOOPBACK}:{address.port}")
        return (*program, "curve25519-sha256", str(count), str(AT_ONCE), "hold")


class TunnelCrowd(RestingTunnels):
    """Ten times as many."""

    title = f"Memory of an idle ssh tunnel, {VERY_MANY:,} of them"
    cells = (f"{VERY_MANY:,} idle ssh tunnels",)
    count = VERY_MANY
    alone = True
