"""
Limits: descriptors, TCP ports, time.
"""

from __future__ import annotations

import socket
import time

from tests.functional.case import EdgeTestCase
from tests.functional.clients import open_tcp, open_tls, read_all
from tests.functional.edge import Edge
from tests.functional.service import Service, echo


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
        """The third tunnel is refused with a code; when one leaves, its port is there again."""
        service = self.serve(Service(echo))
        forward = f"0:127.0.0.1:{service.port}"
        first = self.ssh(forward, command="tcp")
        second = self.ssh(forward, command="tcp")
        first.url(), second.url()
        third = self.ssh(forward, command="tcp")
        self.assertNotEqual(third.exit_code(), 0)
        self.assertIn("ERR_NGROK_", third.out + third.err)
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

    def test_handshake_gives_up(self) -> None:
        """A connection that says nothing at all is closed in time, on every listener."""
        held = [open_tcp(port, 75) for port in (self.edge.https, self.edge.http, self.edge.ssh)]
        for connection in held:
            read_all(connection)
            connection.close()
