"""
The product with ten tunnels and with ten thousand, each on an SSH connection of its own: what a request costs among so many.
"""

from __future__ import annotations

import json
import subprocess
from typing import ClassVar

from benchmarks.arm import Address, which
from benchmarks.arms.edge import EdgeArm
from benchmarks.arms.go_ssh import PROGRAM
from benchmarks.edge_config import DOMAIN
from benchmarks.workshop import LOOPBACK, Unusable, run

AT_ONCE = 50
"""Clients that come at a time."""


class FewTunnelsArm(EdgeArm):
    """
    Ten tunnels.

    :cvar tunnels: how many are online.
    :cvar active: how many of them are visited.
    """

    label: ClassVar[str] = "edge-10"
    role: ClassVar[str] = "twistd ngrok, one process, with 10 tunnels for plain http"
    carries = frozenset({"tunnels"})
    needs = {PROGRAM: "scripts/install-bench-peers"}
    tunnels: ClassVar[int] = 10
    active: ClassVar[int] = 10

    def start_tunnels(self) -> Address:
        """
        Start, and have all tunnels come online.

        :return: the listener for http; the hosts are ``t0``, ``t1``, … below the domain.
        :raises Unusable: with the reason.
        """
        program = which(PROGRAM) or PROGRAM
        self.workshop.more_keys = run(program, "keys", str(self.tunnels)).splitlines()
        ports = self._start()
        command = (program, "tunnels", f"{LOOPBACK}:{ports['ssh']}", DOMAIN, str(self.tunnels), str(AT_ONCE))
        users = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.workshop.at_end(lambda: users.communicate(b"\n"))
        self.clients.append(users.pid)
        assert users.stdout is not None
        online = json.loads(users.stdout.readline() or b"{}").get("online", 0)
        if online < self.tunnels:
            raise Unusable(f"{online} of {self.tunnels} tunnels came online")
        return Address(host=DOMAIN, port=ports["http"])


class ManyTunnelsArm(FewTunnelsArm):
    """Ten thousand, of which a tenth is visited."""

    label = "edge-10000"
    role = "the same with 10,000 tunnels, of which 1,000 are visited"
    tunnels = 10_000
    active = 1000
