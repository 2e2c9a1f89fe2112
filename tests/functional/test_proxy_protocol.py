"""
A load balancer in front, HAProxy, which tells with PROXY headers whose connections it passes on.

The balancer is 127.0.0.9 and its visitors are 127.0.0.5; everyone else is 127.0.0.1, whom the edge does not trust.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path
from typing import Iterator

from tests.functional.case import EdgeTestCase
from tests.functional.clients import ANSWER, Answer, fetch, full_name, read_all, send_raw, tls_context
from tests.functional.edge import TCP_HOST, Edge
from tests.functional.ports import free_port
from tests.functional.service import Service, echo
from tests.functional.tools import program
from tests.functional.waiting import wait_until

BALANCER, VISITOR, STRANGER = "127.0.0.9", "127.0.0.5", "127.0.0.1"

SENDING = ("send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options unique-id,crc32c")


class Balancer:
    """HAProxy, which listens once for each port of an edge and each way to announce a connection."""

    def __init__(self, edge: Edge) -> None:
        self.directory = tempfile.TemporaryDirectory(prefix="haproxy-")
        self.ports: dict[tuple[int, str], int] = {}
        lines = ["global", "  maxconn 200", "defaults", "  mode tcp", "  unique-id-format %rt"]
        lines += [f"  timeout {name} 60s" for name in ("connect", "client", "server")]
        for port in (edge.https, edge.http, edge.ssh, edge.tcp[0]):
            for sending in SENDING:
                self.ports[port, sending] = free_port()
                lines += [
                    f"listen l{len(self.ports)}",
                    f"  bind 127.0.0.1:{self.ports[port, sending]}",
                    f"  server edge 127.0.0.1:{port} source {BALANCER} {sending}",
                ]
        path = Path(self.directory.name) / "haproxy.cfg"
        path.write_text("\n".join([*lines, ""]))
        self.process = subprocess.Popen(
            [program("haproxy"), "-db", "-f", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(self._answers, ANSWER, "HAProxy that listens")

    def connect(self, port: int, sending: str) -> socket.socket:
        """A visitor's connection to a port of the edge, through the balancer."""
        return socket.create_connection(("127.0.0.1", self.ports[port, sending]), ANSWER, (VISITOR, 0))

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait(10)
        self.directory.cleanup()

    def _answers(self) -> bool:
        assert self.process.poll() is None, "HAProxy has ended"
        try:
            for port in self.ports.values():
                socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True


class ProxyProtocolTests(EdgeTestCase):
    """Visitors behind a balancer, on every public listener."""

    config = {"proxy_protocol": {"trusted": [f"{BALANCER}/32"]}}

    def setUp(self) -> None:
        super().setUp()
        self.balancer = Balancer(self.edge)
        self.addCleanup(self.balancer.close)

    def ask(self, connection: socket.socket, host: str, path: str = "/echo") -> Answer:
        """One request on this connection."""
        client = http.client.HTTPConnection(host, timeout=ANSWER)
        client.sock = connection
        try:
            client.request("GET", path)
            return Answer(client.getresponse())
        finally:
            client.close()

    def secure(self, connection: socket.socket, host: str) -> ssl.SSLSocket:
        """TLS to a name on this connection."""
        return tls_context(self.edge).wrap_socket(connection, server_hostname=host, suppress_ragged_eofs=False)

    def forwarded_for(self, answer: Answer) -> list[str]:
        """What the service was told of where the visitor is."""
        self.assertEqual(answer.status, 200, answer)
        return [value for name, value in json.loads(answer.body)["headers"] if name.lower() == "x-forwarded-for"]

    def logged(self, host: str) -> Iterator[str]:
        """The peers that the access log has for a name."""
        log = self.edge.state / "access.log"
        for line in log.read_text().splitlines() if log.exists() else ():
            fields = dict(pair.partition("=")[::2] for pair in line.split(" ") if "=" in pair)
            if fields.get("host") == host:
                yield fields["peer"]

    def test_https(self) -> None:
        """The visitor behind the balancer is the visitor: for IP restrictions, for the service, in the access log."""
        host = self.new_name()
        self.publish(self.web(), host, f"http --cidr-allow {VISITOR}/32")
        for sending in SENDING:
            answer = self.ask(self.secure(self.balancer.connect(self.edge.https, sending), host), host)
            self.assertEqual(self.forwarded_for(answer), [VISITOR], sending)
        self.assertEqual(fetch(self.edge, f"https://{host}/").status, 403)
        self.eventually(
            lambda: list(self.logged(host)) == [VISITOR] * len(SENDING) + [STRANGER], "lines of the access log"
        )

    def test_http(self) -> None:
        """So it is without TLS."""
        agent = self.ssh(f"{full_name('plain')}:80:127.0.0.1:{self.web().port}", command="http --scheme http")
        host = agent.url().removeprefix("http://").partition(":")[0]
        for sending in SENDING:
            answer = self.ask(self.balancer.connect(self.edge.http, sending), host)
            self.assertEqual(self.forwarded_for(answer), [VISITOR], sending)
        answer = fetch(self.edge, f"http://{host}/echo")
        self.assertEqual(self.forwarded_for(answer), [STRANGER])

    def test_tcp(self) -> None:
        """On a public TCP port too the restriction sees the visitor, and both directions flow."""
        service = self.serve(Service(echo))
        agent = self.ssh(
            f"{TCP_HOST}:{self.edge.tcp[0]}:127.0.0.1:{service.port}", command=f"tcp --cidr-allow {VISITOR}/32"
        )
        agent.url()
        data = bytes(range(256)) * 4096
        for sending in SENDING:
            with self.balancer.connect(self.edge.tcp[0], sending) as connection:
                connection.sendall(data[:10])
                connection.settimeout(ANSWER)
                self.assertEqual(connection.recv(100), data[:10], sending)
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                self.assertEqual(read_all(connection), data, sending)
        with socket.create_connection(("127.0.0.1", self.edge.tcp[0]), ANSWER) as connection:
            self.assertEqual(send_raw(connection, b"hello"), b"")

    def test_ssh(self) -> None:
        """An agent that comes through the balancer is where it is, and works."""
        for sending in SENDING[:2]:
            host, port = self.new_name(), self.balancer.ports[self.edge.ssh, sending]
            first = ("-p", str(port), "-o", f"BindAddress={VISITOR}")
            before = self.edge.log().count(f" from {VISITOR}")
            agent = self.ssh(f"{host}:443:127.0.0.1:{self.web(sending).port}", command="http", first=first)
            agent.url()
            self.assertEqual(fetch(self.edge, f"https://{host}/").headers["x-service"], sending)
            self.assertGreater(self.edge.log().count(f" from {VISITOR}"), before)

    def test_strangers(self) -> None:
        """From anywhere else a header is no header: it is refused as any nonsense is, and changes nobody's address."""
        host = self.new_name()
        self.publish(self.web(), host, f"http --cidr-allow {VISITOR}/32")
        line = f"PROXY TCP4 {VISITOR} 127.0.0.1 50000 {self.edge.https}\r\n".encode()
        with socket.create_connection(("127.0.0.1", self.edge.https), ANSWER) as connection:
            connection.sendall(line)
            with self.assertRaises((ssl.SSLError, OSError)):
                self.secure(connection, host)
        with socket.create_connection(("127.0.0.1", self.edge.http), ANSWER) as connection:
            answer = send_raw(connection, line + b"GET / HTTP/1.1\r\nHost: " + host.encode() + b"\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)

    def test_silent_balancer(self) -> None:
        """Whoever is trusted must say whom it brings: without a header, or with a wrong one, nothing is answered."""
        for port in (self.edge.https, self.edge.http, self.edge.ssh):
            for data in (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"PROXY TCP4 127.0.0.5 127.0.0.1 5 x\r\n", bytes(300)):
                with socket.create_connection(("127.0.0.1", port), ANSWER, (BALANCER, 0)) as connection:
                    self.assertEqual(send_raw(connection, data), b"")
        with socket.create_connection(("127.0.0.1", self.edge.http), ANSWER, (BALANCER, 0)) as connection:
            connection.sendall(b"PROXY TCP4 ")
            self.assertEqual(read_all(connection), b"")
        self.assertIn(f"refused {BALANCER}, which must send PROXY headers", self.edge.log())
