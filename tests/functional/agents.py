"""
ngrok's own agents and SDKs, unmodified, behind one face: what tests ask of them, and what each of them says then.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Mapping, Sequence

import yaml

from tests.functional.edge import Edge
from tests.functional.ports import free_port
from tests.functional.tools import ROOT, peer, program, require
from tests.functional.waiting import wait_until

# Seconds for an agent to say something on a busy machine.
SAYS = 30

#: The host name of the agents' listener: its certificate names it, and it needs no name server.
HOST = "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """
    One endpoint, in no client's own words.

    :ivar kind: ``http``, ``tcp``, ``tls`` or ``labeled``.
    :ivar port: of the local service.
    :ivar domain: the wanted name; empty for a random one.
    :ivar address: the wanted ``host:port`` of a tcp endpoint.
    :ivar labels: of a labelled one.
    :ivar metadata: opaque.
    :ivar policy: a traffic policy.
    :ivar pooling: share the URL.
    :ivar scheme: of the local service.
    :ivar options: what not all clients have. For the Python and JavaScript SDKs calls of their builders: a name in Python's
        spelling, arguments; for the others a name and its value.
    """

    kind: str
    port: int
    domain: str = ""
    address: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    metadata: str = ""
    policy: str = ""
    pooling: bool = False
    scheme: str = ""
    options: Sequence[tuple[Any, ...]] = ()

    @property
    def to(self) -> str:
        """Where the agent forwards to."""
        scheme = self.scheme or {"http": "http", "labeled": "http"}.get(self.kind, "tcp")
        return f"{scheme}://127.0.0.1:{self.port}"


class Agent:
    """
    A client that runs, and what it has said so far: one dict an event, see ``peers/ngrok_agent.py``.

    :cvar name: for people.
    :cvar kinds: the kinds of endpoints that it can open.
    :cvar ends: whether it may end by itself when it is refused.
    """

    name: ClassVar[str]
    kinds: ClassVar[frozenset[str]] = frozenset({"http", "tcp", "tls", "labeled"})

    def __init__(
        self,
        edge: Edge,
        token: str,
        *wishes: Wish,
        session: Sequence[tuple[Any, ...]] = (),
        commands: Sequence[str] = (),
        server: str = "",
    ) -> None:
        """
        :param session: calls of the session's builder, as `Wish.options`.
        :param commands: the orders that the application takes.
        :param server: ``host:port`` instead of the edge's listener for agents.
        """
        self.directory = tempfile.TemporaryDirectory(prefix="agent-")
        self._out, self._err = (Path(self.directory.name) / name for name in ("out", "err"))
        self._seen = 0
        self.server = server or f"{HOST}:{edge.agent}"
        plan = self.plan(edge, token, wishes, list(session), list(commands))
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                self.words(plan), stdin=subprocess.PIPE, stdout=out, stderr=err, env=self.environment()
            )

    # -- what differs

    def words(self, plan: dict[str, Any]) -> list[str]:
        """The command line."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """Of the process."""
        return {**os.environ, "HOME": self.directory.name}

    def wish(self, wish: Wish) -> dict[str, Any]:
        """A wish in the client's own words."""
        return {"kind": wish.kind, "to": wish.to, "options": [list(call) for call in _calls(wish)]}

    def plan(
        self, edge: Edge, token: str, wishes: Sequence[Wish], session: list[Any], commands: list[str]
    ) -> dict[str, Any]:
        """What the client is to do."""
        return {
            "server_addr": self.server,
            "root_cas": str(edge.ca),
            "authtoken": token,
            "session": [list(call) for call in session],
            "commands": commands,
            "endpoints": [self.wish(wish) for wish in wishes],
        }

    # -- what it says

    def events(self) -> list[dict[str, Any]]:
        """Everything so far."""
        lines = self._out.read_text(errors="replace").split("\n")[:-1]
        return [json.loads(line) for line in lines if line.startswith("{")]

    def heard(self, event: str, count: int = 1, seconds: float = SAYS) -> dict[str, Any]:
        """Wait until it has said this so many times; the last of them is returned."""

        def look() -> Any:
            found = [each for each in self.events() if each["event"] == event]
            return found[count - 1] if len(found) >= count else None

        return wait_until(look, seconds, lambda: f"'{event}' of {self.name}, which says:\n{self.told()}")

    def told(self) -> str:
        """All that it printed, for people."""
        return (self._out.read_text(errors="replace") + self._err.read_text(errors="replace"))[-4000:]

    def url(self, number: int = 0) -> str:
        """The URL of an endpoint, once it is online."""

        def look() -> Any:
            found = [each for each in self.events() if each["event"] == "online" and each["number"] == number]
            return found[-1] if found else None

        return str(wait_until(look, SAYS, lambda: f"an endpoint of {self.name}, which says:\n{self.told()}")["url"])

    # -- what it is told

    def say(self, line: str) -> None:
        """A line for its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def open(self, wish: Wish) -> None:
        """Open another endpoint."""
        self.say(f"open {json.dumps(self.wish(wish))}")

    def close_endpoint(self, number: int) -> None:
        """Close one."""
        self.say(f"close {number}")

    def leave(self) -> None:
        """End the session as the client does when it is asked to."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def close(self) -> None:
        """End the process."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.directory.cleanup()


def _calls(wish: Wish) -> list[tuple[Any, ...]]:
    """A wish as calls of the Python SDK's builders."""
    calls: list[tuple[Any, ...]] = []
    if wish.domain:
        calls.append(("domain", wish.domain))
    if wish.address:
        calls.append(("remote_addr", wish.address))
    calls.extend(("label", name, value) for name, value in wish.labels.items())
    if wish.metadata:
        calls.append(("metadata", wish.metadata))
    if wish.policy:
        calls.append(("traffic_policy", wish.policy))
    if wish.pooling:
        calls.append(("pooling_enabled", True))
    return [*calls, *wish.options]


class PythonSDK(Agent):
    """PyPI ``ngrok``."""

    version = "1.7.0"
    name = f"ngrok for Python {version}"

    @classmethod
    def python(cls) -> str:
        """The interpreter that has it."""
        python = ROOT / ".cache" / "ngrok-python" / cls.version / "bin" / "python"
        require(python.exists(), cls.name)
        return str(python)

    def words(self, plan: dict[str, Any]) -> list[str]:
        """Agent."""
        return [self.python(), peer("ngrok_agent.py"), json.dumps(plan)]


class OldPythonSDK(PythonSDK):
    """PyPI ``ngrok``, an older one."""

    version = "1.4.0"
    name = f"ngrok for Python {version}"


class JavaScriptSDK(Agent):
    """npm ``@ngrok/ngrok``."""

    name = "ngrok for JavaScript 1.7.0"

    #: Methods whose name is not just Python's in camel case.
    OTHERS = {"websocket_tcp_conversion": "websocketTcpConversion", "mutual_tlsca": "mutualTlsca"}

    def words(self, plan: dict[str, Any]) -> list[str]:
        """Agent."""
        for call in plan["session"]:
            call[0] = self._camel(call[0])
        return [program("node"), peer("ngrok_agent.js"), json.dumps(plan)]

    @classmethod
    def modules(cls) -> str:
        """The folder that has it."""
        modules = ROOT / ".cache" / "npm-agents" / "node_modules"
        require((modules / "@ngrok" / "ngrok").is_dir(), cls.name)
        return str(modules)

    def environment(self) -> dict[str, str]:
        """Agent."""
        return {**super().environment(), "NODE_PATH": self.modules()}

    def wish(self, wish: Wish) -> dict[str, Any]:
        """Agent."""
        said = super().wish(wish)
        return {**said, "options": [[self._camel(name), *arguments] for name, *arguments in said["options"]]}

    def _camel(self, name: str) -> str:
        first, *others = name.split("_")
        return self.OTHERS.get(name, first + "".join(word.capitalize() for word in others))


class GoSDK(Agent):
    """ngrok-go."""

    name = "ngrok-go 2.1.4"
    kinds = frozenset({"http", "tcp", "tls"})

    def words(self, plan: dict[str, Any]) -> list[str]:
        """Agent."""
        binary = ROOT / ".cache" / "go" / "ngrok_agent_go"
        require(binary.exists(), self.name)
        return [str(binary), json.dumps(plan)]

    def wish(self, wish: Wish) -> dict[str, Any]:
        """Agent."""
        scheme = {"http": "https"}.get(wish.kind, wish.kind)
        url = f"{scheme}://{wish.domain or wish.address}" if wish.domain or wish.address else f"{scheme}://"
        return {
            "to": wish.to,
            "url": url,
            "metadata": wish.metadata,
            "traffic_policy": wish.policy,
            "pooling": wish.pooling,
            **{name: value for name, value in wish.options},
        }

    def plan(
        self, edge: Edge, token: str, wishes: Sequence[Wish], session: list[Any], commands: list[str]
    ) -> dict[str, Any]:
        """Agent."""
        plan = super().plan(edge, token, wishes, session, commands)
        plan.update({name: value for name, value in session})
        return plan


class V2(Agent):
    """The agent of version 2, with a configuration file, as npm's ``@expo/ngrok-bin`` brings it."""

    name = "ngrok 2.3.41"
    kinds = frozenset({"http", "tcp", "tls"})

    @classmethod
    def program(cls) -> str:
        """The agent's path."""
        path = ROOT / ".cache" / "npm-agents" / "node_modules" / "@expo" / "ngrok-bin-linux-x64" / "ngrok"
        require(path.exists(), cls.name)
        return str(path)

    def words(self, plan: dict[str, Any]) -> list[str]:
        """Agent."""
        config = Path(self.directory.name) / "ngrok.yml"
        config.write_text(yaml.safe_dump(plan))
        return [self.program(), "start", "--all", "--config", str(config)]

    def wish(self, wish: Wish) -> dict[str, Any]:
        """Agent."""
        said = {
            "proto": wish.kind,
            "addr": wish.port,
            "hostname": wish.domain,
            "remote_addr": wish.address,
            "metadata": wish.metadata,
        }
        tunnel = {name: value for name, value in said.items() if value}
        if wish.kind == "http":
            tunnel.update(bind_tls=True, inspect=False)
        return {**tunnel, **{name: value for name, value in wish.options}}

    def plan(
        self, edge: Edge, token: str, wishes: Sequence[Wish], session: list[Any], commands: list[str]
    ) -> dict[str, Any]:
        """Agent."""
        self.api = free_port()
        return {
            "authtoken": token,
            "server_addr": self.server,
            "root_cas": str(edge.ca),
            "update": False,
            "update_check": False,
            "console_ui": False,
            "log": "stdout",
            "log_format": "json",
            "log_level": "debug",
            "web_addr": f"127.0.0.1:{self.api}",
            "tunnels": {f"t{number}": self.wish(wish) for number, wish in enumerate(wishes)},
            **{name: value for name, value in session},
        }

    def events(self) -> list[dict[str, Any]]:
        """Agent: what its log says, in the words of the other clients."""
        events = []
        for line in self._out.read_text(errors="replace").split("\n")[:-1]:
            entry = json.loads(line) if line.startswith("{") else {}
            if entry.get("msg") == "started tunnel":
                number = int(str(entry["name"]).removeprefix("t").partition(" ")[0])
                events.append({"event": "online", "number": number, "url": entry["url"]})
            elif entry.get("msg") in ("client session established", "tunnel session started"):
                events.append({"event": "connected"})
        return events


#: Every client, for tests that all of them pass.
CLIENTS: tuple[type[Agent], ...] = (PythonSDK, OldPythonSDK, JavaScriptSDK, GoSDK, V2)
