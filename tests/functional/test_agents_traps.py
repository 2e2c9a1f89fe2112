"""
Where ngrok's own agents are delicate, or the first server that one writes for them goes wrong: visitors who are early, many,
slow, half gone or gone; sessions that only look alive; names that change hands; several connections of one agent.

Source: specification of the agent protocol, sections 2.1, 3.8, 7.3, 8.1, 8.3 and 8.4.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections import Counter
from typing import Any, Mapping

from tests.functional.agents import CLIENTS, HOST, Agent, GoSDK, JavaScriptSDK, OldPythonSDK, PythonSDK, V2, Wish
from tests.functional.clients import ANSWER, Answer, fetch, keep_open, open_tcp, open_tls, read_all
from tests.functional.edge import AUTHTOKEN, Edge
from tests.functional.relay import Network
from tests.functional.service import PATIENCE, Service, reset
from tests.functional.steady import Asking, Steady
from tests.functional.test_agents import AgentTestCase
from tests.functional.test_agents_reconnect import LIVELY
from tests.functional.web import Web, pattern

MEGABYTE = 1 << 20

#: More visitors at once than an agent is sent, and than some of them survive or have places for (specification, section 3.8,
#: L1 and L2); and how many it is sent, beside a few streams of its own.
CROWD = 600
AT_ONCE = 470


class Early(Steady):
    """
    Asks for a name again and again, before there is one and from then on.

    :ivar seen: the statuses of the answers; what comes again is there once.
    """

    def __init__(self, edge: Edge, name: str) -> None:
        super().__init__()
        self._edge, self._name = edge, name
        self.seen: list[int] = []
        self.start()

    def step(self) -> None:
        """One visit."""
        status = fetch(self._edge, f"https://{self._name}/").status
        if self.seen[-1:] != [status]:
            self.seen.append(status)


class TrapTests:
    """What every client has to get through."""

    # The class of each client is an `AgentTestCase` too; `Any` spares the checker from knowing.
    self: Any

    def tcp(self: Any, service: Service) -> int:
        """The public port of a service."""
        return int(self.agent(Wish(kind="tcp", port=service.port)).url().rpartition(":")[2])

    def test_early_visitors(self: Any) -> None:
        """Who comes before a name is there reads that it is offline, and everyone from the first moment on gets through."""
        names, web = [self.new_name() for _ in range(4)], self.web()
        early = [Early(self.edge, name) for name in names]
        self.eventually(lambda: all(each.steps > 1 for each in early), "visitors")
        agent = self.agent(*(Wish(kind="http", port=web.port, domain=name) for name in names))
        agent.heard("online", len(names))
        for each in early:
            steps = each.steps
            self.eventually(lambda: each.steps > steps + 10, "more visits")
            each.end()
        self.assertEqual([each.seen for each in early], [[404, 200]] * len(names))

    def test_crowd(self: Any) -> None:
        """Many more visitors at once than an agent can take are served one after another, or told to come again."""
        web, name = self.web(), self.new_name()
        agent = self.agent(Wish(kind="http", port=web.port, domain=name))
        url = agent.url()
        sessions = self.sessions()
        crowd = [keep_open(self.edge, name) for _ in range(CROWD)]
        for visitor in crowd:
            visitor.request("GET", "/wait", headers={"Host": name})
        self.eventually(lambda: len(web.asked) >= AT_ONCE, "visitors at the service")
        web.gate.set()
        seen = Counter(Answer(visitor.getresponse()).status for visitor in crowd)
        for visitor in crowd:
            visitor.close()
        self.assertLessEqual(set(seen), {200, 503})
        self.assertGreaterEqual(seen[200], AT_ONCE, seen)
        self.assertEqual(self.get(url).status, 200)
        self.assertEqual(self.sessions(), sessions)
        self.assertFalse([each for each in agent.events() if each["event"] == "disconnected"])

    def sessions(self: Any) -> list[Any]:
        """The ids of all sessions."""
        return sorted(each["id"] for each in self.api()("GET", "/tunnel_sessions")["tunnel_sessions"])

    def test_gone(self: Any) -> None:
        """When a visitor is gone, in whatever way, so is the connection to the service."""
        ended = threading.Semaphore(0)

        def talk(connection: socket.socket) -> None:
            connection.sendall(b"hello")
            try:
                while connection.recv(65536):
                    pass
            finally:
                ended.release()

        port = self.tcp(self.serve(Service(talk)))
        for leave in (socket.socket.close, reset):
            connection = open_tcp(port)
            self.assertEqual(connection.recv(5), b"hello")
            connection.sendall(b"bye")
            leave(connection)
            self.assertTrue(ended.acquire(timeout=ANSWER), leave)

    def test_gone_from_http(self: Any) -> None:
        """So it is when a visitor does not wait for the end of an answer."""
        ended, name = threading.Semaphore(0), self.new_name()

        def talk(connection: socket.socket) -> None:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: hello\n\n")
            try:
                while connection.recv(65536):
                    pass
            finally:
                ended.release()

        self.agent(Wish(kind="http", port=self.serve(Service(talk)).port, domain=name)).url()
        with open_tls(self.edge, name) as connection:
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
            received = b""
            while b"hello" not in received:
                received += connection.recv(65536)
        self.assertTrue(ended.acquire(timeout=ANSWER))

    def test_half_close(self: Any) -> None:
        """A visitor that has said everything hears the rest of the answer."""
        data = b"".join(pattern(4 * MEGABYTE))

        def talk(connection: socket.socket) -> None:
            heard = b""
            while len(heard) < len(data):
                heard += connection.recv(MEGABYTE)
            connection.sendall(heard)

        connection = open_tcp(self.tcp(self.serve(Service(talk))))
        self.addCleanup(connection.close)
        self.assert_round_trip(connection, data)
        self.assertEqual(connection.recv(1), b"")

    def test_slow_visitors(self: Any) -> None:
        """Visitors who do not read, and services that do not, stall nobody else of the same session, and fill no memory."""
        web, names = self.web(), [self.new_name() for _ in range(2)]
        deaf = self.serve(Service(lambda connection: time.sleep(PATIENCE)))
        wishes = [Wish(kind="http", port=web.port, domain=name) for name in names]
        agent = self.agent(*wishes, Wish(kind="tcp", port=deaf.port))
        port = int(agent.url(2).rpartition(":")[2])
        self.assertEqual(self.get(agent.url(0)).status, 200)
        before = self.edge.resident_megabytes()
        slow = [keep_open(self.edge, names[0]) for _ in range(4)]
        for visitor in slow:
            visitor.request("GET", f"/size/{50 * MEGABYTE}", headers={"Host": names[0]})
        pouring = [threading.Thread(target=self.pour, args=(port,), daemon=True) for _ in range(4)]
        for each in pouring:
            each.start()
        for number in range(20):
            self.assertEqual(self.get(agent.url(number % 2)).status, 200)
        self.assertEqual(len(self.get(f"{agent.url(1)}/size/{20 * MEGABYTE}").body), 20 * MEGABYTE)
        self.assertLess(self.edge.resident_megabytes() - before, 40)
        for visitor in slow:
            visitor.close()

    def pour(self: Any, port: int) -> None:
        """Send as much as there is room for."""
        with open_tcp(port) as connection:
            connection.settimeout(2)
            try:
                connection.sendall(bytes(50 * MEGABYTE))
            except OSError:
                pass


class CloseTests:
    """What is closed, and what becomes of the rest; for clients that can close an endpoint when they are told to."""

    self: Any

    def test_closed(self: Any) -> None:
        """An endpoint that is closed is gone at once, and its name is free; the agent's others stay, and new ones work."""
        web, names = self.web(), [self.new_name() for _ in range(2)]
        wishes = [Wish(kind="http", port=web.port, domain=name) for name in names]
        agent = self.agent(*wishes)
        urls = agent.url(0), agent.url(1)
        for number in range(2, 5):
            agent.close_endpoint(number - 2 if number == 2 else number - 1)
            agent.heard("closed", number - 1)
            self.assertEqual([self.get(url).status for url in urls], [404, 200])
            agent.open(wishes[0])
            self.assertEqual(agent.url(number), urls[0])
            self.assertEqual([self.get(url).status for url in urls], [200, 200])
        self.assertFalse([each for each in agent.events() if each["event"] in ("refused", "disconnected")])


class PythonTests(TrapTests, CloseTests, AgentTestCase):
    """PyPI ``ngrok`` 1.7.0."""

    client = PythonSDK

    def test_ended(self) -> None:
        """A session that is ended, whose connection stays open and dead, is noticed by its silence (L6)."""
        agent = self.agent(Wish(kind="http", port=self.web().port), session=LIVELY[self.client])
        url = agent.url()
        agent.say("end")
        agent.heard("ended")
        self.eventually(lambda: self.gone(url), "offline endpoint")
        self.assertIsNone(agent.process.poll())

    def gone(self, url: str) -> bool:
        """Whether an endpoint is offline; who asks before that waits in vain."""
        connection = keep_open(self.edge, url.partition("://")[2].partition(":")[0])
        assert connection.sock is not None
        connection.sock.settimeout(1)
        try:
            connection.request("GET", "/")
            return Answer(connection.getresponse()).status == 404
        except TimeoutError:
            return False
        finally:
            connection.close()


class OldPythonTests(TrapTests, CloseTests, AgentTestCase):
    """PyPI ``ngrok`` 1.4.0."""

    client = OldPythonSDK

    test_ended, gone = PythonTests.test_ended, PythonTests.gone


class JavaScriptTests(TrapTests, CloseTests, AgentTestCase):
    """npm ``@ngrok/ngrok``."""

    client = JavaScriptSDK


class GoTests(TrapTests, CloseTests, AgentTestCase):
    """ngrok-go."""

    client = GoSDK


class V2Tests(TrapTests, AgentTestCase):
    """The agent of version 2."""

    client = V2


class SeveralTests(AgentTestCase):
    """Several clients at once."""

    def by(self, client: type[Agent], *wishes: Wish, **arguments: Any) -> Agent:
        """An agent of this kind, which ends with the test."""
        agent = client(self.edge, AUTHTOKEN, *wishes, **arguments)
        self.addCleanup(agent.close)
        return agent

    def test_answer_at_the_end(self) -> None:
        """
        A service that only answers when everything was said is heard through those that pass half-closes on.
        """

        def count(connection: socket.socket) -> None:
            total = 0
            while data := connection.recv(65536):
                total += len(data)
            connection.sendall(b"%d" % total)

        service = self.serve(Service(count))
        for client in (PythonSDK, OldPythonSDK, JavaScriptSDK):
            port = int(self.by(client, Wish(kind="tcp", port=service.port)).url().rpartition(":")[2])
            with open_tcp(port) as connection:
                connection.sendall(b"x" * 100_000)
                connection.shutdown(socket.SHUT_WR)
                self.assertEqual(read_all(connection), b"100000", client.name)

    def test_taken_over(self) -> None:
        """
        A name goes to another session of the same authtoken when its agent does not answer. When that agent wakes up, and
        when it loses its connection, what else it has is still there, and the name stays with its new owner.
        """
        network = Network(lambda: open_tcp(self.edge.agent))
        self.addCleanup(network.close)
        names = {client: [self.new_name() for _ in range(2)] for client in CLIENTS}
        old, services = {}, [self.web("old"), self.web("new")]
        for client in CLIENTS:
            wishes = [Wish(kind="http", port=services[0].port, domain=name) for name in names[client]]
            old[client] = self.by(client, *wishes, server=f"{HOST}:{network.port}")
        for agent in old.values():
            agent.heard("online", 2)
            agent.process.send_signal(signal.SIGSTOP)
        new = [
            self.by(PythonSDK, Wish(kind="http", port=services[1].port, domain=names[client][0])) for client in CLIENTS
        ]
        for one in new:
            one.url()
        for agent in old.values():
            agent.process.send_signal(signal.SIGCONT)
        self.assert_shared(names)
        network.drop_connections()
        self.eventually(lambda: network.accepted == 2 * len(CLIENTS), "new connections")
        self.assert_shared(names)
        self.assertFalse([one for one in new if len(one.events()) > 2])

    def assert_shared(self, names: Mapping[type[Agent], list[str]]) -> None:
        """Of the two names of each client, the first leads to the new agent, and the second to the old one."""
        for client, (first, second) in names.items():
            look = lambda: [self.get(f"https://{name}").headers.get("x-service") for name in (first, second)]
            self.eventually(lambda: look() == ["new", "old"], f"two agents, {client.name}")


class LegsTests(AgentTestCase):
    """An agent with several connections: ngrok-go, when it is switched to that."""

    client = GoSDK

    def setUp(self) -> None:
        """An edge to which two ways lead."""
        self.watch(self.seconds)
        self.network = Network(lambda: open_tcp(self.edge.agent))
        self.addCleanup(self.network.close)
        self.edge = Edge()
        self.addCleanup(self.edge.remove)
        ways = [f"{HOST}:{self.edge.agent}", f"{HOST}:{self.network.port}"]
        self.edge.configure({**self.config, "agent": {"connect_addresses": ways, "max_streams": 5}})
        self.edge.start()

    def test_legs(self) -> None:
        """
        There is one session; visitors are spread over its connections; when one is lost the others go on, and when it is
        back it is used again.
        """
        web, name = self.web(), self.new_name()
        agent = self.agent(Wish(kind="http", port=web.port, domain=name), session=[("multi_leg", True)])
        url = agent.url()
        self.eventually(lambda: self.crowd(name, web, 8) == 8, "two ways")
        (session,) = self.api()("GET", "/tunnel_sessions")["tunnel_sessions"]
        self.assertEqual(len(self.api()("GET", "/tunnels")["tunnels"]), 1)
        asking = Asking(self.edge, name)
        asking.start()
        for _ in range(2):
            self.network.drop_connections()
            self.assertEqual(self.get(url).status, 200)
        self.eventually(lambda: self.crowd(name, web, 8) == 8, "two ways again")
        asking.end()
        (again,) = self.api()("GET", "/tunnel_sessions")["tunnel_sessions"]
        self.assertEqual(again, session)

    def crowd(self, name: str, web: Web, size: int) -> int:
        """How many of so many visitors are at the service at the same time."""
        visitors = [keep_open(self.edge, name) for _ in range(size)]
        before = len(web.asked)
        web.gate.clear()
        for visitor in visitors:
            visitor.request("GET", "/wait", headers={"Host": name})
        time.sleep(0.5)
        there = sum(each.target == "/wait" for each in web.asked[before:])
        web.gate.set()
        for visitor in visitors:
            visitor.close()
        return there
