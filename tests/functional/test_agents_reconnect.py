"""
ngrok's own agents come back by themselves: after the server was killed, stopped, or restarted in place, and after networks
that end connections or let them die. What they had is theirs again.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from typing import Any, Mapping

from tests.functional.agents import CLIENTS, HOST, Agent, GoSDK, JavaScriptSDK, OldPythonSDK, PythonSDK, V2, Wish
from tests.functional.clients import open_tcp
from tests.functional.edge import AS_SYSTEMD, AUTHTOKEN, Edge
from tests.functional.management import MANAGED, Management
from tests.functional.relay import Network
from tests.functional.service import Service, echo
from tests.functional.test_agents import LABELLED
from tests.functional.test_life import OwnEdgeTestCase
from tests.functional.test_restart import Visiting

NOBODY = "192.0.2.0/24"

#: For agents to be back, on a machine that is busy with other tests; they are much faster.
BACK = 20

#: A second between heartbeats and one of tolerance, in the words of each client; the server adds five.
LIVELY: Mapping[type[Agent], list[tuple[Any, ...]]] = {
    PythonSDK: [("heartbeat_interval", 1), ("heartbeat_tolerance", 1)],
    OldPythonSDK: [("heartbeat_interval", 1), ("heartbeat_tolerance", 1)],
    JavaScriptSDK: [("heartbeat_interval", 1), ("heartbeat_tolerance", 1)],
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
        words = [sys.executable, "-c", AS_SYSTEMD, str(self.held.fileno()), "agent"]
        words += [*self.command, "-n", "--pidfile=", "ngrok", "-c", str(self.config_path)]
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


def host_of(url: str) -> str:
    """The host name in a URL."""
    return url.partition("://")[2].partition(":")[0]


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
            found = {name: api("GET", f"/{name}")[name] for name in ("tunnel_sessions", "tunnels", "endpoints")}
        finally:
            api.close()
        moments = ("started_at", "created_at", "updated_at")
        for things in found.values():
            things.sort(key=lambda thing: thing["id"])
            for thing in things:
                for moment in moments:
                    thing.pop(moment, None)
        return found

    def visited(self, url: str) -> tuple[int, str | None]:
        """What a visitor gets, and from which service."""
        answer = self.get(url)
        return answer.status, answer.headers.get("x-service")

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

    def assert_back(self, after: str) -> None:
        """Everything is listed as it was, under the same URLs and ids; visitors get through, to whom they always did."""
        self.eventually(lambda: self.listed() == self.before, f"agents that are back after {after}", BACK)
        for client, agent in self.agents.items():
            for number in (0, 1):
                self.assertEqual(self.visited(agent.url(number)), (200, client.name), after)
            with open_tcp(int(agent.url(2).rpartition(":")[2])) as connection:
                connection.sendall(b"ping")
                self.assertEqual(connection.recv(4), b"ping", client.name)
        names = {(200, client.name) for client in CLIENTS if "labeled" in client.kinds}
        self.assertEqual({self.visited("https://labelled.edge.localhost") for _ in range(60)}, names, after)

    def assert_closes(self) -> None:
        """What an agent closes then is gone."""
        for client, agent in self.agents.items():
            for number in range(len(self.wishes(client))):
                if client is not V2:  # which has no such command
                    agent.close_endpoint(number)
        (other,) = [each["id"] for each in self.before["tunnel_sessions"] if each["agent_version"] == "2.3.41"]
        self.eventually(
            lambda: {each["tunnel_session"]["id"] for each in self.listed()["tunnels"]} == {other},
            "one agent's endpoints",
        )

    def test_restarts(self) -> None:
        """
        SIGKILL and a new start, SIGTERM and a new start, SIGUSR2: it is as if nothing had happened, and of the last one
        visitors notice nothing but a pause.
        """
        self.edge.kill()
        self.edge.start()
        self.assert_back("SIGKILL")
        self.assertEqual(self.edge.stop(), 0)
        self.edge.start()
        self.assert_back("SIGTERM")
        visiting = [Visiting(self.edge, host_of(agent.url())) for agent in self.agents.values()]
        self.restart_in_place()
        self.assert_back("SIGUSR2")
        for each in visiting:
            each.end()
        self.assert_closes()

    def test_state_lost(self) -> None:
        """Of a server that knows nothing any more, not even what it has signed, agents have their names again."""
        self.edge.kill()
        for path in self.edge.state.iterdir():
            if path.is_file() and path.name not in ("ca.pem", "ca.key"):
                path.unlink()
        self.edge.start()
        for client, agent in self.agents.items():
            for number in (0, 1):
                url = agent.url(number)
                self.eventually(lambda: self.visited(url) == (200, client.name), url, BACK)


class RefusedTests(ReconnectCase):
    """What cannot be had again."""

    def test_one_of_several(self) -> None:
        """A name that is somebody else's by now is left to them; the agents' other endpoints are up again, and stay."""
        lost = {client: self.new_name() for client in CLIENTS}
        kept = {client: self.new_name() for client in CLIENTS}
        agents = {}
        for client in CLIENTS:
            web = self.web(client.name)
            wishes = [Wish(kind="http", port=web.port, domain=name) for name in (lost[client], kept[client])]
            agents[client] = self.agent(client, *wishes)
        for agent in agents.values():
            agent.heard("online", 2)
        self.edge.kill()
        others = [{"domain": name, "account": "others"} for name in lost.values()]
        self.edge.configure({**self.config, "accounts": [{"name": "others"}], "reserved_domains": others})
        self.edge.start()
        for client in CLIENTS:
            self.eventually(lambda: self.visited(f"https://{kept[client]}") == (200, client.name), client.name, BACK)
            self.assertEqual(self.visited(f"https://{lost[client]}"), (404, None))
        sessions = self.listed()["tunnel_sessions"]
        self.assertEqual(len(sessions), len(CLIENTS))
        self.assertEqual(self.edge.log().count("cannot have endpoint"), len(CLIENTS))
        self.assertEqual(self.edge.log().count("has ended"), 0)


class NetworkTests(ReconnectCase):
    """A server that stays, and networks that do not."""

    def make_edge(self) -> Edge:
        """An ordinary one."""
        return Edge(self.config)

    def connected(self, network: Network, client: type[Agent]) -> Agent:
        """An agent behind a network, with frequent heartbeats."""
        web = self.web(client.name)
        wish = Wish(kind="http", port=web.port)
        agent = self.agent(client, wish, session=LIVELY[client], server=f"{HOST}:{network.port}")
        self.assertEqual(self.visited(agent.url()), (200, client.name))
        return agent

    def test_cut(self) -> None:
        """Who is cut off is back at once, as who it was."""
        network = self.network()
        agents = {client: self.connected(network, client) for client in CLIENTS}
        before = self.listed()
        for _ in range(2):
            network.drop_connections()
            self.eventually(lambda: network.accepted % len(CLIENTS) == 0 and self.listed() == before, "all", BACK)
            for client, agent in agents.items():
                self.assertEqual(self.visited(agent.url()), (200, client.name))

    def test_dead_for_the_agent(self) -> None:
        """An agent that misses its heartbeats comes back while the server still thinks that it is there."""
        network = self.network()
        agents = {client: self.connected(network, client) for client in (GoSDK, V2)}
        before = self.listed()
        network.die()
        self.eventually(lambda: network.accepted == 4, "both", BACK)
        for client, agent in agents.items():  # between its old connection's end and its bind nobody serves it
            self.eventually(lambda: self.visited(agent.url()) == (200, client.name), client.name, BACK)
        self.assertEqual(self.listed(), before)

    def test_dead_for_the_server(self) -> None:
        """
        The SDKs of the Rust family do not look at their heartbeats; the server does, and takes them offline. When the
        connection ends at last they are back.
        """
        network = self.network()
        agents = {client: self.connected(network, client) for client in (PythonSDK, OldPythonSDK, JavaScriptSDK)}
        before = self.listed()
        network.die()
        self.eventually(lambda: not self.listed()["tunnels"], "silence that is noticed", BACK)
        for agent in agents.values():
            self.assertEqual(self.visited(agent.url()), (404, None))
        network.drop_connections()
        self.eventually(lambda: self.listed() == before, "all of them", BACK)
        for client, agent in agents.items():
            self.assertEqual(self.visited(agent.url()), (200, client.name))

    def test_options(self) -> None:
        """Whatever an agent has asked for beside its names still stands before its service when it is back."""
        network, web, service = self.network(), self.web(), self.serve(Service(echo))
        api = Management(self.edge)
        self.addCleanup(api.close)
        policy = api.make("/ip_policies")
        api.make("/ip_policy_rules", ip_policy_id=policy, cidr=NOBODY, action="allow")
        deny = json.dumps({"on_http_request": [{"actions": [{"type": "deny", "config": {"status_code": 418}}]}]})
        with_builders = [
            Wish(kind="http", port=web.port, options=[("allow_cidr", NOBODY)]),
            Wish(kind="http", port=web.port, options=[("basic_auth", "ada", "correct-horse")]),
            Wish(kind="http", port=web.port, options=[("deny_user_agent", ".*"), ("deny_user_agent", "^$")]),
            Wish(kind="http", port=web.port, options=[("webhook_verification", "github", "a-long-secret")]),
            Wish(kind="http", port=web.port, options=[("response_header", "x-service", "changed")]),
            Wish(kind="http", port=web.port, policy=deny),
            Wish(kind="tcp", port=service.port, options=[("allow_cidr", NOBODY)]),
            Wish(kind="tcp", port=service.port, options=[("proxy_proto", "1")]),
        ]
        wishes: dict[type[Agent], list[Wish]] = {
            **dict.fromkeys((PythonSDK, OldPythonSDK, JavaScriptSDK), with_builders),
            GoSDK: [
                Wish(kind="http", port=web.port, policy=deny),
                Wish(kind="tcp", port=service.port, options=[("proxy_proto", "v1")]),
                Wish(kind="http", port=web.port, domain="svc.internal", options=[("bindings", ["internal"])]),
            ],
            V2: [
                Wish(kind="http", port=web.port, options=[("ip_policy", policy)]),
                Wish(kind="http", port=web.port, options=[("auth", "ada:correct-horse")]),
            ],
        }
        there = f"{HOST}:{network.port}"
        agents = {client: self.agent(client, *asked, server=there) for client, asked in wishes.items()}
        for client, agent in agents.items():
            agent.heard("online", len(wishes[client]))
        before = self.listed()
        expected: list[Any] = [
            (403, None),
            (401, None),
            (403, None),
            (403, None),
            (200, "changed"),
            (418, None),
            b"",
            b"PROXY",
        ]
        wanted: dict[type[Agent], list[Any]] = {client: expected for client in (PythonSDK, OldPythonSDK, JavaScriptSDK)}
        wanted |= {GoSDK: [(418, None), b"PROXY"], V2: [(403, None), (401, None)]}
        self.assertEqual(self.all_tried(agents, wanted), wanted)
        network.drop_connections()
        self.eventually(lambda: network.accepted == 2 * len(CLIENTS) and self.listed() == before, "all", BACK)
        self.assertEqual(self.all_tried(agents, wanted), wanted)

    def all_tried(self, agents: Mapping[type[Agent], Agent], wanted: Mapping[type[Agent], list[Any]]) -> dict[Any, Any]:
        """What visitors of the first endpoints of each agent get, of as many as are wanted."""
        return {
            client: [self.tried(agents[client].url(number)) for number in range(len(those))]
            for client, those in wanted.items()
        }

    def tried(self, url: str) -> tuple[int, str | None] | bytes:
        """What a visitor gets: status and service, or the first bytes that an echo says."""
        if not url.startswith("tcp:"):
            return self.visited(url)
        with open_tcp(int(url.rpartition(":")[2])) as connection:
            try:
                connection.sendall(b"ping")
                return connection.recv(5)
            except OSError:
                return b""
