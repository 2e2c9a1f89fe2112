"""
ngrok's own agents as users run them: unmodified SDKs that forward to a service on this machine, with their default settings.

``scripts/install-agents`` puts them in place; the programs that call them are those of the functional tests, which tell
what happens as one JSON object a line.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.workshop import LOOPBACK

CHECKOUT = Path(__file__).resolve().parents[1]
PEERS = CHECKOUT / "tests" / "functional" / "peers"
TOOLS = CHECKOUT / ".cache"
INSTALL = "scripts/install-agents"

AUTHTOKEN = "2bench0authtoken0of0the0edge_7Vt3Bn6RKd8sQw4Zx1Lm5"
"""What the agents show; it has the form of the tokens that the server makes."""

HOST = "localhost"
"""The host name of the agents' listener: its certificate names it, and it needs no name server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """
    Where an agent connects to.

    :ivar port: the loopback port of the edge's listener for agents.
    :ivar ca: the certificate of the edge's CA.
    """

    port: int
    ca: Path


class Agent:
    """
    A kind of agent.

    :cvar name: for people.
    :cvar program: the file that must be there.
    """

    name: ClassVar[str]
    program: ClassVar[Path]

    def missing(self) -> str:
        """What keeps it from being started here and what to do about it; empty if nothing does."""
        return "" if self.program.exists() else f"{self.name} is not installed ({INSTALL})"

    def command(self, plan: str) -> list[str]:
        """
        :param plan: what it is to do, in JSON.
        :return: the command line.
        """
        raise NotImplementedError

    def wish(self, kind: str, to: str) -> dict[str, Any]:
        """
        :param kind: ``tcp``, ``https`` or ``http``: how visitors come.
        :param to: where it forwards to, as a URL.
        :return: an endpoint in its own words.
        """
        raise NotImplementedError

    def line(self, server: Server, kind: str, origin: int) -> list[str]:
        """
        :param kind: ``tcp``, ``https`` or ``http``: how visitors come.
        :param origin: the service's loopback port.
        :return: the command line of an agent that forwards to it.
        """
        plan = {
            "server_addr": f"{HOST}:{server.port}",
            "root_cas": str(server.ca),
            "authtoken": AUTHTOKEN,
            "endpoints": [self.wish(kind, f"{'tcp' if kind == 'tcp' else 'http'}://{LOOPBACK}:{origin}")],
        }
        return self.command(json.dumps(plan))


class PythonSDK(Agent):
    """PyPI ``ngrok``, whose forwarder is that of ngrok-rust."""

    name = "ngrok for Python 1.7.0"
    program = TOOLS / "ngrok-python" / "1.7.0" / "bin" / "python"

    def command(self, plan: str) -> list[str]:
        """`Agent`."""
        return [str(self.program), str(PEERS / "ngrok_agent.py"), plan]

    def wish(self, kind: str, to: str) -> dict[str, Any]:
        """`Agent`."""
        if kind == "tcp":
            return {"kind": kind, "to": to}
        return {"kind": "http", "to": to, "options": [["scheme", kind]]}


class GoSDK(Agent):
    """ngrok-go."""

    name = "ngrok-go 2.1.4"
    program = TOOLS / "go" / "ngrok_agent_go"

    def command(self, plan: str) -> list[str]:
        """`Agent`."""
        return [str(self.program), plan]

    def wish(self, kind: str, to: str) -> dict[str, Any]:
        """`Agent`."""
        return {"url": f"{kind}://", "to": to}


def online(output: str) -> str | None:
    """
    :param output: what an agent has written so far.
    :return: the URL of its endpoint, or ``None`` while there is none.
    """
    for line in output.splitlines():
        event = json.loads(line) if line.startswith("{") and line.endswith("}") else {}
        if event.get("event") == "online":
            return str(event["url"])
    return None
