"""
HTTP connections through the edge and a tunnel: what they carry one after another, at once, or instead of HTTP.
"""

from __future__ import annotations

import json
import socket

from tests.functional.clients import curl, keep_open, read_all
from tests.functional.http_case import HTTPTestCase


class ConnectionTests(HTTPTestCase):
    """Connections that carry more than one message, or something else."""

    def test_keep_alive(self) -> None:
        """One connection carries many requests."""
        connection = keep_open(self.edge, self.host)
        for number in range(50):
            connection.request("POST", "/echo", b"x" * number)
            self.assertEqual(json.loads(connection.getresponse().read())["length"], number)
        connection.close()

    def test_pipeline(self) -> None:
        """Requests that are sent at once are answered in order."""
        connection = self.connect()
        requests = [f"GET /echo?{number} HTTP/1.1\r\nHost: {self.host}\r\n" for number in range(20)]
        requests[-1] += "Connection: close\r\n"
        connection.sendall("".join(request + "\r\n" for request in requests).encode())
        received = read_all(connection)
        places = [received.index(f'"/echo?{number}"'.encode()) for number in range(20)]
        self.assertEqual(places, sorted(places))

    def test_pipeline_of_bodies(self) -> None:
        """Bodies of both kinds may follow one another."""
        connection = self.connect()
        self.say(connection, "POST /echo HTTP/1.1", "Content-Length: 3", body=b"abc")
        self.say(connection, "POST /echo HTTP/1.1", "Transfer-Encoding: chunked", body=b"4\r\nabcd\r\n0\r\n\r\n")
        self.say(connection, "GET /echo HTTP/1.1", "Connection: close")
        received = read_all(connection)
        places = [received.index(b'"length": %d' % length) for length in (3, 4, 0)]
        self.assertEqual(places, sorted(places))

    def test_half_close(self) -> None:
        """A visitor may finish sending before the answer comes, as ``nc -N`` does."""
        name = self.new_name()
        self.ssh(f"{name}:80:localhost:{self.service.port}", command="http --schemes http").url()
        connection = socket.create_connection(("127.0.0.1", self.edge.http), 20)
        self.addCleanup(connection.close)
        connection.sendall(f"GET /slowly/5 HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        connection.shutdown(socket.SHUT_WR)
        self.assertTrue(read_all(connection).endswith(b"sssss"))

    def test_websocket(self) -> None:
        """A WebSocket handshake passes, and then bytes go both ways; the visitor's close reaches the service."""
        connection = self.connect()
        key = "dGhlIHNhbXBsZSBub25jZQ=="
        self.say(
            connection,
            "GET /upgrade HTTP/1.1",
            "Connection: keep-alive, Upgrade",
            "Upgrade: websocket",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        )
        head = self.read_until(connection, b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 101"), head)
        self.assertIn(b"upgrade: websocket", head.lower())
        seen = {name.lower(): value for name, value in self.service.asked[-1].headers}
        self.assertEqual(seen["sec-websocket-key"], key)
        for frame in (b"\x81\x85\x01\x02\x03\x04igohn", bytes(range(256)) * 100):
            connection.sendall(frame)
            received = b""
            while len(received) < len(frame):
                received += connection.recv(65536)
            self.assertEqual(received, frame)

    def test_other_upgrade(self) -> None:
        """Any other protocol may be switched to; bytes sent right behind the request are not lost."""
        connection = self.connect()
        self.say(connection, "GET /upgrade HTTP/1.1", "Connection: Upgrade", "Upgrade: echo/1", body=b"")
        self.assertTrue(self.read_until(connection, b"\r\n\r\n").startswith(b"HTTP/1.1 101"))
        connection.sendall(b"\r\nGET / HTTP/1.1\r\n\r\n")
        self.assertEqual(self.read_until(connection, b"HTTP/1.1\r\n\r\n"), b"\r\nGET / HTTP/1.1\r\n\r\n")

    def test_upgrade_refused(self) -> None:
        """A service that does not switch answers as usual, and the connection goes on."""
        connection = self.connect()
        self.say(connection, "GET / HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket")
        self.assertTrue(self.read_until(connection, b"hello from web\n").startswith(b"HTTP/1.1 200"))
        self.say(connection, "GET / HTTP/1.1", "Connection: close")
        self.assertTrue(read_all(connection).endswith(b"hello from web\n"))

    def test_old_visitor(self) -> None:
        """HTTP/1.0 is answered or refused, clearly, and the connection is closed."""
        connection = self.connect()
        self.say(connection, "GET / HTTP/1.0")
        received = read_all(connection)
        self.assertRegex(received, rb"^HTTP/1\.[01] (200|505) ")

    def test_options_star(self) -> None:
        """``OPTIONS *`` and the absolute form have well-defined answers."""
        connection = self.connect()
        self.say(connection, f"GET https://{self.host}/echo HTTP/1.1", "Connection: close")
        received = read_all(connection)
        self.assertTrue(received.startswith(b"HTTP/1.1 200"), received[:200])

    def test_parallel(self) -> None:
        """Many visitors at once are served at once."""
        connections = [self.connect() for _ in range(60)]
        for connection in connections:
            self.say(connection, "GET /wait HTTP/1.1", "Connection: close")
        self.eventually(lambda: len(self.service.asked) == 60, "60 requests at the service at once")
        self.service.gate.set()
        for connection in connections:
            self.assertTrue(read_all(connection).endswith(b"waited\n"))

    def test_curl(self) -> None:
        """curl agrees, with its defaults and with HTTP/1.1 forced."""
        self.assertEqual(curl(self.edge, f"{self.url}/"), "hello from web\n")
        self.assertEqual(curl(self.edge, "--http1.1", "-d", "x" * 2000, f"{self.url}/echo").count('"length": 2000'), 1)
        self.assertEqual(len(curl(self.edge, f"{self.url}/size/1000000", text=False)), 1000000)

    def test_abandoned(self) -> None:
        """A visitor who leaves in mid-answer leaves nothing behind."""
        before = self.edge.descriptors()
        for _ in range(20):
            connection = self.connect()
            self.say(connection, "GET /size/50000000 HTTP/1.1")
            connection.recv(1000)
            connection.close()
        self.eventually(lambda: self.edge.descriptors() <= before + 2, "closed descriptors")

    def test_misdirected(self) -> None:
        """A request for another name on a connection is answered by that name's owner or refused, never mixed up."""
        other = self.web("other")
        self.publish(other, name := self.new_name())
        connection = self.connect()
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        received = read_all(connection)
        self.assertFalse(received.endswith(b"hello from web\n"))
        self.assertTrue(received.startswith(b"HTTP/1.1 421") or b"X-Service: other" in received, received)
