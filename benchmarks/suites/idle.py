"""
Idle tunnels: what each one costs in memory while nobody visits it. Every client is an ``ssh -N -R 0:…`` of its own.

Servers keep what they once took from the kernel, so that every round has a server of its own.
"""

from __future__ import annotations

import time
from typing import ClassVar

from benchmarks.arm import Address, Arm
from benchmarks.figures import Sample, Unit
from benchmarks.openssh import CLIENT, client_command
from benchmarks.suite import SETTLE, Suite
from benchmarks.workshop import LOOPBACK, Process, Workshop, free_port

FIRST = 5
"""Tunnels that are opened before the count begins, for what a server sets up once."""
COUNTED = 40
"""More would be steadier, but each is an ``ssh`` of the user's and, with sshd, two processes of the server's."""
AT_ONCE = 4
"""Log-ins under way at a time; by default sshd turns some away from ten on (``MaxStartups``)."""
STANDING = "Allocated port"
"""What the OpenSSH client says once its forward stands."""


class IdleSuite(Suite):
    """
    The growth of data (PSS without program files) from `FIRST` tunnels to `COUNTED` more, divided by these.
    """

    name: ClassVar[str] = "idle"
    title: ClassVar[str] = f"Memory of an idle tunnel, {COUNTED} of them"
    carries: ClassVar[str] = "ssh"
    unit: ClassVar[Unit] = Unit(cost="KiB/tunnel", cost_scale=1, rate="log-ins/s", rate_scale=1)
    needs = CLIENT
    cells = ("idle tunnel",)
    skips = frozenset({"sish", "go-ssh"})
    most_rounds: ClassVar[int] = 3

    def open(self) -> None:
        """`Suite`. No tunnel is ever visited, so that no service is needed."""

    def start(self, arm: Arm) -> Address:
        """`Suite`. Only a first look at whether it comes up."""
        with Workshop() as workshop:
            return Address(host=LOOPBACK, port=type(arm)(workshop).start_ssh())

    def measure(self, arm: Arm, cell: str) -> Sample:
        """`Suite`."""
        with Workshop() as workshop:
            server = type(arm)(workshop)
            port = server.start_ssh()
            open_tunnels(workshop, port, range(FIRST))
            time.sleep(SETTLE)
            before, started = server.data_kib(), time.perf_counter()
            open_tunnels(workshop, port, range(FIRST, FIRST + COUNTED))
            seconds = time.perf_counter() - started
            time.sleep(SETTLE)
            after = server.data_kib()
            return Sample(units=COUNTED, seconds=seconds, spent=after - before, memory=server.memory_kib())


def open_tunnels(workshop: Workshop, port: int, numbers: range) -> None:
    """
    Open some tunnels and wait until each stands.

    :param port: the server's SSH port.
    :raises Unusable: one does not come up.
    """
    for first in range(numbers.start, numbers.stop, AT_ONCE):
        batch = [open_tunnel(workshop, port, number) for number in range(first, min(first + AT_ONCE, numbers.stop))]
        for client in batch:
            client.wait_until(lambda client=client: STANDING in client.output())  # type: ignore[misc]


def open_tunnel(workshop: Workshop, port: int, number: int) -> Process:
    """Start a client; its tunnel stands a moment later."""
    forward = f"0:{LOOPBACK}:{free_port()}"
    command = client_command(workshop, port, forward, number=number, log_level="INFO")
    return workshop.start(f"client-{number}", *command)
