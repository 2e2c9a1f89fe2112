"""
The product, entered by ngrok's Python SDK instead of ``ssh -R``.
"""

from __future__ import annotations

from typing import ClassVar

from benchmarks.agents import Agent, PythonSDK, Server, online
from benchmarks.arm import Address
from benchmarks.arms.edge import EdgeArm
from benchmarks.openssh import find_url
from benchmarks.workshop import Unusable


class PythonAgentArm(EdgeArm):
    """``twistd -n ngrok``, one process; TLS and muxado to the agent instead of SSH."""

    label: ClassVar[str] = "agent-python"
    role: ClassVar[str] = "twistd ngrok, one process, entered by ngrok for Python 1.7.0"
    carries = frozenset({"agent", "agent-http", "agent-tcp"})
    agent: ClassVar[Agent] = PythonSDK()

    def missing(self) -> str:
        """`Arm`."""
        return super().missing() or self.agent.missing()

    def start_tcp(self, origin: int) -> Address:
        """`Arm`."""
        return self._publish("tcp", origin)

    def start_https(self, origin: int) -> Address:
        """`Arm`."""
        return self._publish("https", origin)

    def start_http(self, origin: int) -> Address:
        """`Arm`."""
        return self._publish("http", origin)

    def _publish(self, scheme: str, origin: int) -> Address:
        """Start, and let the agent ask for an endpoint."""
        ports = self._start()
        line = self.agent.line(Server(port=ports["agent"], ca=self.state / "ca.pem"), scheme, origin)
        client = self.workshop.start(f"{self.label}-client", *self.workshop.users, *line)
        client.wait_until(lambda: online(client.output()) is not None)
        self.clients.append(client.pid)
        found = find_url(online(client.output()) or "", scheme)
        if found is None:
            raise Unusable(f"the agent has no {scheme} URL")
        host, port = found
        return Address(host=host, port=ports.get(scheme) or port or 0)
