"""
A storm of log-ins: a thousand clients come at the same moment, as after a restart, each with a key of its own, and each asks
for a forward. They are played by a program in Go, so that the load is no thousand processes.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any, ClassVar, Mapping

from benchmarks.arm import Address, Arm, which
from benchmarks.arms.go_ssh import PROGRAM
from benchmarks.figures import Sample, Unit
from benchmarks.suite import MILLISECONDS, Suite, billed
from benchmarks.workshop import LOOPBACK, Unusable, run

CLIENTS = 1000
WARM_UP = 50
"""Clients that come before the count begins, for what a server sets up once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """
    What a crowd found.

    :ivar logins: how many got their forward.
    :ivar seconds: until the last one had.
    :ivar p50: seconds that the middle one took.
    :ivar p99: seconds within which 99 of 100 were in.
    """

    logins: int
    seconds: float
    p50: float
    p99: float


class LoginsSuite(Suite):
    """CPU for a log-in with a forward, in a crowd."""

    name: ClassVar[str] = "logins"
    title: ClassVar[str] = f"{CLIENTS} SSH clients log in at once, with a forward each"
    carries: ClassVar[str] = "ssh"
    unit: ClassVar[Unit] = Unit(cost="ms/log-in", cost_scale=MILLISECONDS, rate="log-ins/s", rate_scale=1)
    needs = {PROGRAM: "scripts/install-bench-peers"}
    exchanges: ClassVar[Mapping[str, str]] = {
        "curve25519": "curve25519-sha256",
        "mlkem768x25519": "mlkem768x25519-sha256",
    }
    cells = tuple(exchanges)
    most_rounds: ClassVar[int] = 3
    # sshd turns most of a crowd away (MaxStartups), and so does sish without the rights to the ports asked for.
    skips = frozenset({"sshd", "sshd-gcm", "sish"})

    def open(self) -> None:
        """`Suite`."""
        self.workshop.more_keys = run(which(PROGRAM) or PROGRAM, "keys", str(CLIENTS)).splitlines()

    def start(self, arm: Arm) -> Address:
        """`Suite`."""
        return Address(host=LOOPBACK, port=arm.start_ssh())

    def warm_up(self, arm: Arm, cell: str) -> None:
        """`Suite`."""
        self._storm(arm, cell, WARM_UP)

    def measure(self, arm: Arm, cell: str) -> Sample:
        """`Suite`."""
        with billed(arm) as bill:
            storm, clients = self._begin(arm, cell, CLIENTS)
        sample = bill.sample(arm, storm.logins, storm.seconds, storm.p50 * MILLISECONDS, storm.p99 * MILLISECONDS)
        end(clients)
        if storm.logins < CLIENTS:
            raise Unusable(f"{CLIENTS - storm.logins} of {CLIENTS} did not get in")
        return sample

    def _storm(self, arm: Arm, cell: str, clients: int) -> None:
        end(self._begin(arm, cell, clients)[1])

    def _begin(self, arm: Arm, cell: str, clients: int) -> tuple[Storm, subprocess.Popen[bytes]]:
        """Have them come. They stay until `end`."""
        address = self.address(arm)
        command = (which(PROGRAM) or PROGRAM, "logins", f"{address.host}:{address.port}", self.exchanges[cell])
        return begin(*command, str(clients), str(clients), "hold")


def begin(*command: str) -> tuple[Storm, subprocess.Popen[bytes]]:
    """
    Start a crowd and wait until all are in, or were turned away.

    :raises Unusable: it said nothing.
    """
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    return parse(process.stdout.readline()), process


def parse(line: bytes) -> Storm:
    """
    :param line: what the program says.
    :raises Unusable: it is not what it should say.
    """
    try:
        said: dict[str, Any] = json.loads(line)
        return Storm(logins=said["logins"], seconds=said["seconds"], p50=said["p50"], p99=said["p99"])
    except (ValueError, KeyError, TypeError):
        raise Unusable(f"{PROGRAM} said {line!r}") from None


def end(process: subprocess.Popen[bytes]) -> None:
    """All leave."""
    process.communicate(b"\n")
