"""
A server of several processes: whoever comes is served as by one, and where its tunnel is.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import socket
import ssl
from collections import Counter
from typing import Any

from tests.functional import case
from tests.functional.agents import PythonSDK, Wish
from tests.functional.clients import SSH, Answer, keep_open, open_tcp, read_all
from tests.functional.edge import AUTHTOKEN, Edge
from tests.functional.h2_client import H2Client
from tests.functional.management import MANAGED, Management
from tests.functional.places import holder, holders, ports_of, processes
from tests.functional.rude_agent import known
from tests.functional.service import Service, echo, greet
from tests.functional.test_agents import LABELLED
from tests.functional.test_streams import StreamTestCase
from tests.functional.web import checksum, pattern

WORKERS = 3

MEGABYTE = 1 << 20


class WorkersCase(StreamTestCase):
    """A server of three processes."""

    config = {**MANAGED, **LABELLED, "workers": WORKERS}
    seconds = 150

    def setUp(self) -> None:
        """All processes are there."""
        super().setUp()
        self.eventually(lambda: len(processes(self.edge)) == WORKERS, "all workers")

    def everywhere(self, command: str = "http", port: int = 443) -> dict[str, int]:
        """
        A tunnel in each process, to a service of the same name.

        :return: the process of each name.
        """
        found: dict[str, int] = {}
        while set(found.values()) != set(processes(self.edge)):
            assert len(found) < 4 * WORKERS, f"agents are not spread: {found}"
            name = self.new_name()
            agent = self.ssh(f"{name}:{port}:127.0.0.1:{self.web(name).port}", command=command)
            agent.url()
            found[name] = self.place_of(agent)
        return found

    def place_of(self, agent: SSH) -> int:
        """The process that has an agent's connection."""
        ports = ports_of(agent.process.pid)
        found = [place for place in (holder(self.edge, port) for port in ports) if place is not None]
        self.assertEqual(len(found), 1)
        return found[0]

    def no_name(self) -> http.client.HTTPConnection:
        """A connection to the https port that asks for no name, so that it may ask for any."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPConnection("any", self.edge.https, timeout=20)
        connection.sock = context.wrap_socket(open_tcp(self.edge.https))
        self.addCleanup(connection.close)
        return connection

    def ask(self, connection: http.client.HTTPConnection, name: str, path: str = "/", **more: Any) -> Answer:
        """One request on a connection."""
        connection.request(more.pop("method", "GET"), path, headers={"Host": name}, **more)
        return Answer(connection.getresponse())


class HandOverTests(WorkersCase):
    """Visitors meet the process that has the tunnel."""

    def test_agents(self) -> None:
        """Agents are dealt to all processes evenly."""
        before = sum(holders(self.edge, self.edge.ssh).values())
        agents = [self.ssh(f"{self.new_name()}:443:127.0.0.1:{self.web().port}", command="http") for _ in range(6)]
        for agent in agents:
            agent.url()
        spread = holders(self.edge, self.edge.ssh)
        self.assertEqual(sum(spread.values()), before + 6)
        self.assertLessEqual(max(spread.values()) - min(spread.values()), 1, spread)

    def test_https(self) -> None:
        """A visitor's connection is in the process of the tunnel whose name it asks for."""
        for name, place in self.everywhere().items():
            connection = keep_open(self.edge, name)
            self.addCleanup(connection.close)
            for _ in range(3):
                answer = self.ask(connection, name)
                self.assertEqual((answer.status, answer.headers["x-service"]), (200, name))
            self.assertEqual(holder(self.edge, connection.sock.getsockname()[1]), place)

    def test_http(self) -> None:
        """So is one on the http port, by the host of its first request."""
        for name, place in self.everywhere("http --scheme http", 80).items():
            connection = keep_open(self.edge, name, plain=True)
            self.addCleanup(connection.close)
            self.assertEqual(self.ask(connection, name).headers["x-service"], name)
            self.assertEqual(holder(self.edge, connection.sock.getsockname()[1]), place)

    def test_http2(self) -> None:
        """And one that speaks HTTP/2, many requests at once."""
        for name, place in self.everywhere().items():
            client = H2Client(self.edge, name)
            self.addCleanup(client.close)
            streams = [client.ask("/size/100000") for _ in range(20)]
            client.wait(lambda: all(stream.over for stream in streams))
            self.assertEqual({len(stream.body) for stream in streams}, {100000})
            self.assertEqual(holder(self.edge, client._socket.getsockname()[1]), place)

    def test_tcp(self) -> None:
        """And one of a public port; it is served before it says anything, and FINs stay FINs."""
        places = set()
        for number in range(2 * WORKERS):
            service = self.serve(Service(greet(b"hello") if number % 2 else echo))
            agent = self.ssh(f"0:127.0.0.1:{service.port}", command="tcp")
            connection = open_tcp(int(agent.url().rpartition(":")[2]))
            self.addCleanup(connection.close)
            if number % 2:
                self.assertEqual(read_all(connection), b"hello")
                continue
            connection.sendall(b"ping")
            self.assertEqual(connection.recv(4), b"ping")
            self.assertEqual(holder(self.edge, connection.getsockname()[1]), self.place_of(agent))
            places.add(self.place_of(agent))
            connection.sendall(b"last")
            connection.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(connection), b"last")
            agent.close()

    def test_new_connections(self) -> None:
        """However many connections come, each is answered by its own service."""
        names = self.everywhere()
        for _ in range(20):
            for name in names:
                self.assertEqual(self.get(f"https://{name}/").headers["x-service"], name)

    def test_agents_of_ngrok(self) -> None:
        """Agents of ngrok's are dealt too, and answer for their names."""
        before = sum(holders(self.edge, self.edge.agent).values())
        for _ in range(WORKERS):
            name = self.new_name()
            agent = PythonSDK(self.edge, AUTHTOKEN, Wish(kind="http", port=self.web(name).port, domain=name))
            self.addCleanup(agent.close)
            agent.url()
            answer = self.get(f"https://{name}/echo", method="POST", body=b"x" * MEGABYTE)
            self.assertEqual((answer.status, json.loads(answer.body)["length"]), (200, MEGABYTE))
        spread = holders(self.edge, self.edge.agent)
        self.assertEqual(sum(spread.values()), before + WORKERS)
        self.assertGreater(len(+spread), 1, spread)

    def test_agents_among_visitors(self) -> None:
        """Those that come to the port of visitors are dealt as well."""
        places = set()
        for _ in range(WORKERS):
            agent = known(self.edge, front=True)
            self.addCleanup(agent.close)
            places.add(holder(self.edge, agent.socket.getsockname()[1]))
        self.assertEqual(len(places), WORKERS)


class RelayTests(WorkersCase):
    """What is asked for in the wrong process is fetched from the right one."""

    def test_https(self) -> None:
        """One connection asks for names of all processes, and keeps asking."""
        names = self.everywhere()
        connection = self.no_name()
        for _ in range(5):
            for name in names:
                answer = self.ask(connection, name)
                self.assertEqual((answer.status, answer.headers["x-service"]), (200, name))

    def test_http(self) -> None:
        """So does one on the http port."""
        names = self.everywhere("http --scheme http", 80)
        connection = keep_open(self.edge, next(iter(names)), plain=True)
        self.addCleanup(connection.close)
        for _ in range(5):
            for name in names:
                self.assertEqual(self.ask(connection, name).headers["x-service"], name)

    def test_visitors_address(self) -> None:
        """The service is told of the visitor, as always."""
        connection = self.no_name()
        for name in self.everywhere():
            told = json.loads(self.ask(connection, name, "/echo").body)
            fields = {key.lower(): value for key, value in told["headers"]}
            self.assertEqual((fields["x-forwarded-for"], fields["x-forwarded-host"]), ("127.0.0.1", name))

    def test_bodies(self) -> None:
        """Bodies of megabytes arrive as they are, in both directions."""
        size = 20 * MEGABYTE
        connection = self.no_name()
        for name in self.everywhere():
            answer = self.ask(connection, name, f"/size/{size}")
            self.assertEqual(hashlib.sha1(answer.body).hexdigest(), checksum(size))
            body = b"".join(pattern(size))
            answer = self.ask(connection, name, "/echo", method="POST", body=body)
            self.assertEqual(json.loads(answer.body)["sha1"], checksum(size))

    def test_broken_bodies(self) -> None:
        """A body that breaks off is no whole one."""
        for name in self.everywhere():
            connection = self.no_name()
            with self.assertRaises((http.client.IncompleteRead, OSError)):
                self.ask(connection, name, "/short")

    def test_errors(self) -> None:
        """A service that nobody can reach is a 502 with the code it has in one process."""
        connection = self.no_name()
        for place in range(WORKERS):
            service = self.web()
            url = self.publish(service)
            service.close()
            name = url.removeprefix("https://").partition(":")[0]
            answer = self.ask(connection, name)
            self.assertEqual((answer.status, answer.headers.get("ngrok-error-code")), (502, "ERR_NGROK_8012"))

    def test_console(self) -> None:
        """The user of a tunnel sees requests that came through another process."""
        name = self.new_name()
        for _ in range(WORKERS):
            name = self.new_name()
            agent = self.ssh(f"{name}:443:127.0.0.1:{self.web().port}", command="http --log-requests")
            agent.url()
            self.ask(self.no_name(), name, "/from-elsewhere")
            agent.wait_for("GET /from-elsewhere 200")

    def test_upgrade(self) -> None:
        """An upgraded connection goes both ways."""
        for name in self.everywhere():
            connection = self.no_name()
            connection.request("GET", "/upgrade", headers={"Host": name, "Connection": "Upgrade", "Upgrade": "raw"})
            sock = connection.sock
            head = b""
            while b"\r\n\r\n" not in head:
                head += sock.recv(1000)
            self.assertIn(b" 101 ", head)
            sock.sendall(b"ping")
            self.assertEqual(sock.recv(4), b"ping")


class LossTests(WorkersCase):
    """A process that dies while others fetch from it."""

    def victim(self) -> tuple[str, int]:
        """A name and the worker that has its tunnel; not the canary's, which does not come back."""
        spared = {processes(self.edge)[0], self.place_of(_canary(self.edge))}
        return next((name, place) for name, place in self.everywhere().items() if place not in spared)

    def test_in_flight(self) -> None:
        """An answer that was half there breaks off, visibly; whoever asks then is told at once that nobody is there."""
        name, place = self.victim()
        connection = self.no_name()
        connection.request("GET", "/half/1000000", headers={"Host": name})
        response = connection.getresponse()
        self.assertEqual(len(response.read(500_000)), 500_000)
        os.kill(place, signal.SIGKILL)
        with self.assertRaises((http.client.IncompleteRead, OSError)):
            response.read()
        self.eventually(lambda: self.is_gone(name), "the end of the tunnel")
        answer = self.ask(self.no_name(), name)
        self.assertEqual((answer.status, answer.headers["ngrok-error-code"]), (404, "ERR_NGROK_3200"))
        self.eventually(lambda: len(processes(self.edge)) == WORKERS, "another worker")

    def is_gone(self, name: str) -> bool:
        """Whether visitors are told so. One who was just given to the process that died meets the end of its connection."""
        try:
            return self.get(f"https://{name}/").status == 404
        except OSError:
            return False

    def test_kept_connections(self) -> None:
        """Connections that rest in other processes are forgotten with it: the agent that comes next is asked on new ones."""
        name, place = self.victim()
        connection = self.no_name()
        for _ in range(3):
            self.assertEqual(self.ask(connection, name).status, 200)
        os.kill(place, signal.SIGKILL)
        self.eventually(lambda: self.ask(connection, name).status == 404, "the end of the tunnel")
        self.publish(self.web("next"), name)
        for _ in range(3):
            self.assertEqual(self.ask(connection, name).headers["x-service"], "next")
        self.eventually(lambda: len(processes(self.edge)) == WORKERS, "another worker")


def _canary(edge: Edge) -> SSH:
    """The agent of the shared edge's canary."""
    return next(shared.agent for shared in case._edges.values() if shared.edge is edge)


class SharingTests(WorkersCase):
    """What belongs to several agents, in several processes."""

    def test_pool(self) -> None:
        """All members of a pool answer, whoever is in which process."""
        name = self.new_name()
        webs = [self.web(f"member-{number}") for number in range(2 * WORKERS)]
        for web in webs:
            self.publish(web, name, command="http --pooling-enabled")
        self.assertEqual(len(holders(self.edge, self.edge.ssh)), WORKERS)
        answered = Counter(self.get(f"https://{name}/").headers["x-service"] for _ in range(120))
        self.assertEqual(set(answered), {web.name for web in webs})
        self.assertGreater(min(answered.values()), 5, answered)

    def test_labels(self) -> None:
        """So do all tunnels with a label."""
        webs = [self.web(f"labelled-{number}") for number in range(WORKERS)]
        for web in webs:
            agent = PythonSDK(self.edge, AUTHTOKEN, Wish(kind="labeled", port=web.port, labels={"app": "web"}))
            self.addCleanup(agent.close)
            agent.heard("online")
        url = f"https://labelled.edge.localhost:{self.edge.https}/"
        self.eventually(
            lambda: {self.get(url).headers.get("x-service") for _ in range(30)} == {web.name for web in webs},
            "all members",
        )

    def test_taken(self) -> None:
        """A name that an agent of one process has is not another's, and is free when it has gone."""
        name = self.new_name()
        first = self.ssh(f"{name}:443:127.0.0.1:{self.web('first').port}", command="http")
        first.url()
        for _ in range(WORKERS):
            late = self.ssh(f"{name}:443:127.0.0.1:{self.web('late').port}", command="http")
            self.assertNotEqual(late.exit_code(), 0)
        first.close()
        self.eventually(lambda: self.get(f"https://{name}/").status == 404, "the end of the tunnel")
        for _ in range(WORKERS):
            agent = self.ssh(f"{name}:443:127.0.0.1:{self.web('next').port}", command="http")
            agent.url()
            self.assertEqual(self.get(f"https://{name}/").headers["x-service"], "next")
            agent.close()
            self.eventually(lambda: self.get(f"https://{name}/").status == 404, "the end of the tunnel")

    def test_listed(self) -> None:
        """The API lists the tunnels and the sessions of all processes."""
        api = Management(self.edge)
        self.addCleanup(api.close)
        names = self.everywhere()
        tunnels = api("GET", "/tunnels?limit=100")["tunnels"]
        hosts = {tunnel["public_url"].removeprefix("https://").partition(":")[0] for tunnel in tunnels}
        self.assertLessEqual(set(names), hosts)
        self.assertGreaterEqual(len(api("GET", "/tunnel_sessions?limit=100")["tunnel_sessions"]), len(names))
