"""
ngrok's own agents come back by themselves: after the server was killed, stopped, or restarted in place, and after networks
that end connections or let them die. What they had is theirs again.
"""

from __future__ import annotations

import signal
import socket
import subprocess
from pathlib import Path
from typing import Any, Mapping

from tests.functional.agents import CLIENTS, HOST, Agent, GoSDK, JavaScriptSDK, OldPythonSDK, PythonSDK, V2, Wish
from tests.functional.clients import open_tcp
from tests.functional.edge import AUTHTOKEN, Edge
from tests.functional.management import MANAGED, Management
from tests.functional.relay import Network
from tests.functional.service import Service, echo
from tests.functional.test_agents import LABELLED
from tests.functional.test_life import OwnEdgeTestCase

#: For agents to be back, on a machine that is busy with other tests; they are much faster.
BACK = 20

#: A second between heartbeats and one of tolerance, in the words of each client; the server adds five.
LIVELY: Mapping[type[Agent], list[tuple[Any, ...]]] = {
    PythonSDK: [("heartbeat_interval", 1), ("heartbeat_tolerance", 1)],
    OldPythonSDK: [("heartbeat_interval", 1), ("heartbeat_tolerance", 1)],
    JavaScriptSDK: [("heartbeat_interval", 1000), ("heartbeat_tolerance", 1000)],
    GoSDK: [("heartbeat_interval", 1), ("heartbeat_tolerance", 1)],
    V2: [("heartbeat_interval", "1s"), ("heartbeat_tolerance", "1s")],
}


class HeldEdge(Edge):
    """An edge whose listening socket for agents stays open while no process is there, as with systemd's socket units."""

    def __init__(self, extra: Mapping[str, Any]) -> None:
        super().__init__(extra)
        self.held = socket.create_server(("127.0.0.1", self.agent), backlog=512)

    def configure(self, extra: Mapping[str, Any]) -> None:
        """Edge."""
        listen = {name: f"tcp:{getattr(self, name)}:interface=127.0.0.1" for name in ("https", "http", "ssh", "api")}
        super().configure({"listen": {**listen, "agent": "systemd:domain=INET:name=agent"}, **extra})

    def launch(self) -> subprocess.Popen[bytes]:
        """Edge, as systemd does it; the process's id is known only in the process itself."""
        script = f'export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=agent; exec "$@" 3<&{self.held.fileno()}'
        words = ["/bin/sh", "-c", script, "sh", *self.command, "-n", "--pidfile=", "ngrok", "-c", str(self.config_path)]
        with self.log_path.open("ab") as log:
            self._launched = log.tell()
            self.process = subprocess.Popen(
                words, cwd=self.directory, env=self.environment, stdout=log, stderr=log, pass_fds=[self.held.fileno()]
            )
        return self.process

    def remove(self) -> None:
        """Edge."""
        super().remove()
        self.held.close()


class ReconnectCase(OwnEdgeTestCase):
    """Agents of an edge that no other test uses."""

    config = {**MANAGED, **LABELLED}
    seconds = 120

    def make_edge(self) -> Edge:
        """Edge."""
        return HeldEdge(self.config)

    def agent(self, client: type[Agent], *wishes: Wish, **arguments: Any) -> Agent:
        """A client that ends with the test."""
        agent = client(self.edge, AUTHTOKEN, *wishes, **arguments)
        self.addCleanup(agent.close)
        return agent

    def listed(self) -> dict[str, Any]:
        """What the API says of agents and of what they have, but for the moments when they came."""
        api = Management(self.edge)
        try:
            found = {
                name: api("GET", f"/{name}")[name] for name in ("tunnel_sessions", "tunnels", "endpoints")
            }
        finally:
            api.close()
        moments = ("started_at", "created_at", "updated_at")
        for things in found.values():
            things.sort(key=lambda thing: thing["id"])
            for thing in things:
                for moment in moments:
                    thing.pop(moment, None)
        return found

    def network(self) -> Network:
        """The way of some agents to the edge."""
        network = Network(lambda: open_tcp(self.edge.agent))
        self.addCleanup(network.close)
        return network

    def restart_in_place(self) -> None:
        """SIGUSR2."""
        edge = self.edge
        ready = edge.log().count(" is ready")
        assert edge.process is not None
        edge.process.send_signal(signal.SIGUSR2)
        self.eventually(lambda: edge.log().count(" is ready") > ready, "restart", 40)


class RestartTests(ReconnectCase):
    """Every client at once, with all that it can have, and a server that goes and comes."""

    def setUp(self) -> None:
        """Start all clients."""
        super().setUp()
        self.services = {client: (self.web(client.name), self.serve(Service(echo))) for client in CLIENTS}
        self.agents = {client: self.agent(client, *self.wishes(client)) for client in CLIENTS}
        for client, agent in self.agents.items():
            agent.heard("online", len(self.wishes(client)))
        self.before = self.listed()

    def wishes(self, client: type[Agent]) -> list[Wish]:
        """A name, a random one, a random port, TLS, and labels."""
        web, stream = self.services[client]
        label = client.name.lower().replace(".", "-").replace(" ", "-")
        wishes = [
            Wish(kind="http", port=web.port, domain=f"{label}.edge.localhost", metadata=f"of {client.name}"),
            Wish(kind="http", port=web.port),
            Wish(kind="tcp", port=stream.port),
            Wish(kind="tls", port=stream.port),
        ]
        if "labeled" in client.kinds:
            wishes.append(Wish(kind="labeled", port=web.port, labels={"app": "web"}, metadata="twin"))
        return wishes

    def assert_back(self) -> None:
        """Everything is listed as it was, under the same URLs and ids; visitors get through, to whom they always did."""
        self.eventually(lambda: self.listed() == self.before, "agents that are back", BACK)
        for client, agent in self.agents.items():
            for number in (0, 1):
                answer = self.get(agent.url(number))
                self.assertEqual((answer.status, answer.headers.get("x-service")), (200, client.name))
            with open_tcp(int(agent.url(2).rpartition(":")[2])) as connection:
                connection.sendall(b"ping")
                self.assertEqual(connection.recv(4), b"ping", client.name)
        labelled = f"https://labelled.edge.localhost:{self.edge.https}"
        names = {client.name for client in CLIENTS if "labeled" in client.kinds}
        seen = {self.get(labelled).headers.get("x-service") for _ in range(60)}
        self.assertEqual(seen, names)

    def assert_closes(self) -> None:
        """What an agent closes then is gone."""
        for client, agent in self.agents.items():
            if client is V2:
                continue
            for number in range(len(self.wishes(client))):
                agent.close_endpoint(number)
        left = [each for each in self.before["tunnel_sessions"] if each["agent_version"] == "2.3.41"]
        self.assertEqual(len(left), 1, self.before["tunnel_sessions"])

        def look() -> bool:
            return {each["tunnel_session"]["id"] for each in self.listed()["tunnels"]} == {left[0]["id"]}

        self.eventually(look, "endpoints of the last agent alone")

    def test_killed(self) -> None:
        """SIGKILL, and a new start."""
        self.edge.kill()
        self.edge.start()
        self.assert_back()
        self.assert_closes()

    def test_stopped(self) -> None:
        """SIGTERM, and a new start; twice."""
        for _ in range(2):
            self.assertEqual(self.edge.stop(), 0)
            self.edge.start()
            self.assert_back()

    def test_in_place(self) -> None:
        """SIGUSR2."""
        self.restart_in_place()
        self.assert_back()
        self.assert_closes()


class RefusedTests(ReconnectCase):
    """What cannot be had again."""

    def test_one_of_several(self) -> None:
        """A name that somebody else has by now is left to them; the agent's other endpoints are up again, and stay."""
        lost, kept = self.new_name(), self.new_name()
        web = self.web()
        wishes = [Wish(kind="http", port=web.port, domain=name) for name in (lost, kept)]
        agents = [self.agent(client, *wishes[: 1 + (client is PythonSDK)]) for client in (PythonSDK,)]
        del agents, wishes
        self.fail("to be written")


class NetworkTests(ReconnectCase):
    """A server that stays, and networks that do not."""
