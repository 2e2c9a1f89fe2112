"""
The product: ``twistd -n ngrok`` in one process, entered by a plain ``ssh -R``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import ClassVar

from benchmarks.agents import AUTHTOKEN
from benchmarks.arm import Address, Arm
from benchmarks.openssh import CLIENT, client_command, find_url, public_keys, start_client
from benchmarks.workshop import LOOPBACK, Unusable, free_port, free_ports, listening

DOMAIN = "ngrok.localhost"
TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()")
"""What the ``twistd`` script does, but on this checkout whether it is installed or not."""
TCP_PORTS = 10
"""Public TCP ports that the edge may hand out; a run uses one."""


class EdgeArm(Arm):
    """
    ``twistd -n ngrok``, one process, with the defaults of the product but for ports and state.

    :cvar https_command: what the client runs for an HTTPS endpoint.
    """

    label: ClassVar[str] = "edge"
    role: ClassVar[str] = "twistd ngrok, one process, entered by ssh -R"
    carries = frozenset({"tcp", "https", "ssh", "agent", "h2"})
    needs = CLIENT
    https_command: ClassVar[str] = "http"

    def start_tcp(self, origin: int) -> Address:
        """`Arm`."""
        return self._connect("tcp", f"0:{LOOPBACK}:{origin}", "tcp")

    def start_https(self, origin: int) -> Address:
        """`Arm`."""
        return self._connect("https", f"443:{LOOPBACK}:{origin}", self.https_command)

    def start_ssh(self) -> int:
        """`Arm`."""
        return self._start()["ssh"]

    @property
    def state(self) -> Path:
        """Where the edge keeps its CA and whatever else it makes."""
        return self.workshop.folder(self.label) / "state"

    def _start(self) -> dict[str, int]:
        """
        :return: the loopback ports of its listeners.
        """
        ports = {name: free_port() for name in ("https", "http", "ssh", "agent")}
        config = self._write_config(ports)
        pidfile = config.parent / "twistd.pid"
        edge = self.workshop.start(
            f"{self.label}-twistd",
            *(*TWISTD, "-n", f"--pidfile={pidfile}", "ngrok", "-c", str(config)),
            ready=lambda: all(listening(ports[name]) for name in ("ssh", "https", "agent")),
        )
        self.roots.append(edge.pid)
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
        return Address(host=host, port=ports["https"] if scheme == "https" else port or 0)

    def _write_config(self, ports: dict[str, int]) -> Path:
        """Every YAML reader reads JSON."""
        first = free_ports(TCP_PORTS)
        config = {
            "domain": DOMAIN,
            "listen": {name: f"tcp:{port}:interface={LOOPBACK}" for name, port in ports.items()},
            "tcp": {"interface": LOOPBACK, "ports": f"{first}-{first + TCP_PORTS - 1}"},
            "state": str(self.state),
            "store": "memory",
            "tls": {"issuer": "local"},
            "ssh_credentials": [{"public_key": line} for line in public_keys(self.workshop)],
            "credentials": [{"name": "agents", "token": AUTHTOKEN}],
        }
        path = self.workshop.folder(self.label) / "config.yaml"
        path.write_text(json.dumps(config, indent=2), encoding="utf-8")
        return path
