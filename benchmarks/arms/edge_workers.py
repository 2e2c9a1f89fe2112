"""
The product in one process and in two, with several tunnels of ``ssh -R`` clients: what a second process brings, and costs.
"""

from __future__ import annotations

from typing import ClassVar

from benchmarks import edge_config
from benchmarks.arm import Address
from benchmarks.arms.edge import EdgeArm
from benchmarks.certificate import HOST
from benchmarks.openssh import client_command, find_url, start_client
from benchmarks.workshop import LOOPBACK, Unusable

TUNNELS = 4
"""Clients of each kind. Agents are dealt to all processes evenly."""


class OneProcessArm(EdgeArm):
    """
    One process.

    :cvar workers: how many processes serve.
    :ivar requests: the public sides of tunnels to a service that speaks HTTP.
    :ivar streams: those of tunnels to one that speaks by itself.
    """

    label: ClassVar[str] = "edge-1"
    role: ClassVar[str] = f"twistd ngrok, one process, {TUNNELS} https and {TUNNELS} TCP tunnels of ssh -R"
    carries = frozenset({"workers"})
    workers: ClassVar[int] = 1

    def start_workers(self, http_origin: int, relay_origin: int) -> Address:
        """
        Start, with tunnels to two services and a realistic route to the first without one.

        :return: the public side of the route.
        :raises Unusable: with the reason.
        """
        self._way = "route", http_origin
        ports = self._start()
        kinds = (("https", "443", http_origin, "http"), ("tcp", "0", relay_origin, "tcp"))
        found: dict[str, list[Address]] = {"https": [], "tcp": []}
        for scheme, wanted, origin, command in kinds:
            for number in range(TUNNELS):
                forward = f"{wanted}:{LOOPBACK}:{origin}"
                host, port = self._client(f"{scheme}-{number}", ports["ssh"], forward, scheme, command, number)
                found[scheme].append(Address(host=host, port=ports.get(scheme) or port))
        self.requests, self.streams = found["https"], found["tcp"]
        return Address(host=HOST, port=ports["https"])

    def make_config(self, ports: dict[str, int]) -> edge_config.Config:
        """`EdgeArm`."""
        return super().make_config(ports) | {"workers": self.workers}

    def _client(self, name: str, port: int, forward: str, scheme: str, command: str, number: int) -> tuple[str, int]:
        line = client_command(self.workshop, port, forward, number=number, command=command)
        is_there = lambda output: find_url(output, scheme) is not None
        client = start_client(self.workshop, f"{self.label}-client-{name}", line, is_there)
        self.clients.append(client.pid)
        found = find_url(client.output(), scheme)
        if found is None:
            raise Unusable("the edge printed no URL")
        return found[0], found[1] or 0


class TwoProcessesArm(OneProcessArm):
    """Two processes."""

    label = "edge-2"
    role = "the same with workers: 2"
    workers = 2
