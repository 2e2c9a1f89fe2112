"""
Limits: descriptors, TCP ports, time.
"""

from __future__ import annotations

import socket
import threading
import time

from tests.functional.case import EdgeTestCase
from tests.functional.clients import full_name, open_tcp, open_tls, read_all, send_raw
from tests.functional.edge import Edge
from tests.functional.service import Service, echo, silent

CANARY = full_name("canary")
REQUEST = f"GET / HTTP/1.1\r\nHost: {CANARY}\r\n".encode()


class DescriptorsTests(EdgeTestCase):
    """An edge that may open only a few files."""

    config = {"domain": "edge.localhost"}

    def make_edge(self) -> Edge:
        """An edge with 120 descriptors."""
        return Edge(self.config, files=120)

    def test_exhausted(self) -> None:
        """More visitors than descriptors: nothing crashes, nothing spins, and it recovers when they leave."""
        service = self.web()
        url = self.publish(service)
        held: list[socket.socket] = []
        for _ in range(200):
            try:
                held.append(open_tcp(self.edge.https, 2))
            except OSError:
                break
        before = self.edge.cpu_seconds()
        time.sleep(3)
        self.assertLess(self.edge.cpu_seconds() - before, 1.5)
        self.assertTrue(self.edge.alive)
        for connection in held:
            connection.close()
        self.eventually(lambda: self._answers(url), "answer after recovery", 40)

    def test_other_listeners(self) -> None:
        """A flood on the http and ssh listeners is survived as well."""
        for port in (self.edge.http, self.edge.ssh):
            held = [open_tcp(port, 5) for _ in range(150)]
            time.sleep(1)
            for connection in held:
                connection.close()
        self.eventually(lambda: self._answers(self.edge.url("canary")), "answer after recovery", 40)

    def _answers(self, url: str) -> bool:
        try:
            return self.get(url).status == 200
        except OSError:
            return False


class TCPPortsTests(EdgeTestCase):
    """An edge with very few public ports."""

    config = {"reserved_addrs": []}

    def make_edge(self) -> Edge:
        """An edge with two ports."""
        return Edge(self.config, tcp_ports=2)

    def test_exhausted(self) -> None:
        """The third tunnel is refused with a sentence; when one leaves, its port is there again."""
        service = self.serve(Service(echo))
        forward = f"0:127.0.0.1:{service.port}"
        first = self.ssh(forward, command="tcp")
        second = self.ssh(forward, command="tcp")
        first.url(), second.url()
        third = self.ssh(forward, command="tcp")
        self.assertNotEqual(third.exit_code(), 0)
        self.assertIn("public TCP ports of this server are in use", third.err)
        first.close()

        def again() -> bool:
            agent = self.ssh(forward, command="tcp")
            self.eventually(lambda: agent.process.poll() is not None or "tcp://" in agent.out, "decision")
            return "tcp://" in agent.out

        self.eventually(again, "free port")


class SlowVisitorTests(EdgeTestCase):
    """Visitors that say nearly nothing, for very long."""

    def test_many_slow_heads(self) -> None:
        """Two hundred slow heads at once keep nobody else waiting."""
        held = [open_tls(self.edge, "canary.edge.localhost") for _ in range(100)]
        held += [open_tcp(self.edge.http) for _ in range(100)]
        for connection in held:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: canary.edge.localhost\r\nX-Slow: ")
        for _ in range(5):
            for connection in held:
                connection.sendall(b"s")
            self.assertEqual(self.get(self.edge.url("canary")).status, 200)
        for connection in held:
            connection.close()

    def test_slow_body(self) -> None:
        """A slow body holds one connection to the service and no other visitor."""
        service = self.web()
        name = self.new_name()
        url = self.publish(service, name)
        held = [open_tls(self.edge, name) for _ in range(30)]
        for connection in held:
            connection.sendall(f"POST /echo HTTP/1.1\r\nHost: {name}\r\nContent-Length: 1000\r\n\r\nstart".encode())
        self.eventually(lambda: service.arrived == 5 * 30, "starts of 30 bodies")
        self.assertEqual(self.get(url).status, 200)
        for connection in held:
            connection.close()


class LoweredTests(EdgeTestCase):
    """An edge whose operator has set low limits and short times."""

    config = {
        "limits": {"http_head_bytes": 20000, "http_fields": 50},
        "timeouts": {"http_first_head": 2, "http_idle": 3, "stream_idle": 3},
    }

    def ask(self, data: bytes) -> bytes:
        """Send bytes to the canary's name over TLS, and read until the edge closes."""
        connection = open_tls(self.edge, CANARY)
        self.addCleanup(connection.close)
        return send_raw(connection, data)

    def test_head_size(self) -> None:
        """A head over the limit is answered 431, one below it is served."""
        for size, status in ((15000, b"200"), (30000, b"431")):
            received = self.ask(REQUEST + b"Connection: close\r\nX: " + b"x" * size + b"\r\n\r\n")
            self.assertEqual(received[9:12], status)

    def test_fields(self) -> None:
        """More fields than allowed are answered 431."""
        self.assertEqual(self.ask(REQUEST + b"X: y\r\n" * 60 + b"\r\n")[9:12], b"431")

    def test_slow_head(self) -> None:
        """A head that does not end in time is answered 408 or closed."""
        self.assertIn(self.ask(REQUEST)[:12], (b"HTTP/1.1 408", b""))

    def test_slow_loris(self) -> None:
        """Bytes that trickle in do not buy more time for the head."""
        connection = open_tls(self.edge, CANARY)
        self.addCleanup(connection.close)
        connection.sendall(REQUEST + b"X: ")
        connection.settimeout(0.3)
        began = time.monotonic()
        while time.monotonic() < began + 15:
            try:
                connection.sendall(b"x")
                if not connection.recv(1000):
                    return
            except TimeoutError:
                continue
            except OSError:
                return
        self.fail("a head that never ended was waited for")

    def test_idle_body(self) -> None:
        """A body that stops in the middle is given up, with 408 or a close."""
        received = self.ask(REQUEST.replace(b"GET /", b"POST /echo") + b"Content-Length: 100\r\n\r\nstart")
        self.assertIn(received[:12], (b"HTTP/1.1 408", b""))

    def test_idle_between_requests(self) -> None:
        """A kept connection that says nothing more is closed."""
        self.assertEqual(self.ask(REQUEST + b"\r\n").count(b"HTTP/1.1 200"), 1)

    def test_idle_stream(self) -> None:
        """A TCP connection over which nothing passes is closed; one that talks stays."""
        agent = self.ssh(f"0:127.0.0.1:{self.serve(Service(echo)).port}", command="tcp")
        port = int(agent.url().rpartition(":")[2])
        idle, busy = open_tcp(port), open_tcp(port)
        for _ in range(10):
            busy.sendall(b"x")
            self.assertEqual(busy.recv(1), b"x")
            time.sleep(0.6)
        busy.close()
        self.assertEqual(read_all(idle), b"")
        idle.close()

    def test_silence(self) -> None:
        """A connection that says nothing at all is closed in time, on every listener."""
        held = [open_tcp(port, 45) for port in (self.edge.https, self.edge.http, self.edge.ssh)]
        for connection in held:
            read_all(connection)
            connection.close()

    def test_visitor_gives_up(self) -> None:
        """When a visitor leaves a service that never answers, the service is left, too."""
        ended = threading.Event()

        def talk(connection: socket.socket) -> None:
            silent(connection)
            ended.set()

        name = self.new_name()
        self.publish(self.serve(Service(talk)), name)
        with open_tls(self.edge, name) as connection:
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
            time.sleep(0.5)
        self.eventually(ended.is_set, "end of the connection to the service")

    def test_never_answers(self) -> None:
        """A service that never answers is given up after the idle time, with 504 and a code."""
        answer = self.get(self.publish(self.serve(Service(silent))))
        self.assertEqual((answer.status, answer.headers.get("ngrok-error-code")), (504, "ERR_NGROK_8012"))
