"""
The product: ``twistd -n ngrok`` in one process, entered by a plain ``ssh -R``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import ClassVar

from benchmarks import edge_config, stalls
from benchmarks.arm import Address, Arm
from benchmarks.certificate import HOST
from benchmarks.openssh import CLIENT, client_command, find_url, public_keys, start_client
from benchmarks.workshop import LOOPBACK, Unusable, free_port, listening, python_module

TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()")
"""What the ``twistd`` script does, but on this checkout whether it is installed or not."""


class EdgeArm(Arm):
    """
    ``twistd -n ngrok``, one process, with the defaults of the product but for ports and state.

    :cvar https_command: what the client runs for an HTTPS endpoint.
    :ivar twistd: the command that runs ``twistd``.
    :ivar tcp_port: the first of the public TCP ports that it may hand out.
    :ivar metrics_port: the loopback port where it tells about itself.
    """

    label: ClassVar[str] = "edge"
    role: ClassVar[str] = "twistd ngrok, one process; where there is a tunnel, entered by ssh -R"
    carries = frozenset({"tcp", "https", "ssh", "agent", "agent-http", "agent-tcp", "h2", *edge_config.DIRECT})
    needs = CLIENT
    https_command: ClassVar[str] = "http"
    twistd: tuple[str, ...] = TWISTD
    _way = "", 0

    def start_tcp(self, origin: int) -> Address:
        """`Arm`."""
        return self._connect("tcp", f"0:{LOOPBACK}:{origin}", "tcp")

    def start_https(self, origin: int) -> Address:
        """`Arm`."""
        return self._connect("https", f"443:{LOOPBACK}:{origin}", self.https_command)

    def start_http(self, origin: int) -> Address:
        """`Arm`."""
        return self._connect("http", f"80:{LOOPBACK}:{origin}", self.https_command)

    def start_ssh(self) -> int:
        """`Arm`."""
        return self._start()["ssh"]

    def start_direct(self, way: str, origin: int) -> Address:
        """`Arm`."""
        if way == "plain-http":
            self.twistd = python_module("benchmarks.both_fronts")
        self._way = way, origin
        ports = self._start()
        if way == "relay-tcp":
            return Address(host=LOOPBACK, port=self.tcp_port)
        return Address(host=HOST, port=ports["http" if way == "plain-http" else "https"])

    def longest_turn(self) -> float | None:
        """`Arm`."""
        return stalls.longest_turn(self.metrics_port)

    @property
    def state(self) -> Path:
        """Where the edge keeps its CA and whatever else it makes."""
        return self.workshop.folder(self.label) / "state"

    def _start(self) -> dict[str, int]:
        """
        :return: the loopback ports of its listeners.
        """
        ports = {name: free_port() for name in ("https", "http", "ssh", "agent", "metrics")}
        config = self._write_config(ports)
        pidfile = config.parent / "twistd.pid"
        edge = self.workshop.start(
            f"{self.label}-twistd",
            *(*self.twistd, "-n", f"--pidfile={pidfile}", "ngrok", "-c", str(config)),
            ready=lambda: all(listening(ports[name]) for name in ("ssh", "https", "agent")),
        )
        self.roots.append(edge.pid)
        self.metrics_port = ports["metrics"]
        return ports

    def _connect(self, scheme: str, forward: str, command: str) -> Address:
        """
        Start, and let a client ask for an endpoint.

        :param command: what the client runs, which says what kind of endpoint it wants.
        """
        ports = self._start()
        line = client_command(self.workshop, ports["ssh"], forward, command=command)
        client = start_client(
            self.workshop, f"{self.label}-client", line, lambda output: find_url(output, scheme) is not None
        )
        self.clients.append(client.pid)
        found = find_url(client.output(), scheme)
        if found is None:
            raise Unusable("the edge printed no URL")
        host, port = found
        return Address(host=host, port=ports.get(scheme) or port or 0)

    def make_config(self, ports: dict[str, int]) -> edge_config.Config:
        """
        What stands in its configuration file.

        :param ports: the loopback port of each listener, by its name.
        """
        config = edge_config.server(ports, str(self.state), public_keys(self.workshop))
        self.tcp_port = int(config["tcp"]["ports"].partition("-")[0])
        way, origin = self._way
        return config | edge_config.DIRECT[way](config, origin) if way else config

    def _write_config(self, ports: dict[str, int]) -> Path:
        """Every YAML reader reads JSON."""
        path = self.workshop.folder(self.label) / "config.yaml"
        path.write_text(json.dumps(self.make_config(ports), indent=2), encoding="utf-8")
        return path
