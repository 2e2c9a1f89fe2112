"""
Services that speak HTTP/2 behind ssh: Node's, with visitors of HTTP/1.1 and HTTP/2.
"""

from __future__ import annotations

import json
import tempfile
import threading
from pathlib import Path

from tests.functional.case import EdgeTestCase
from tests.functional.clients import curl, fetch, keep_open, open_tls
from tests.functional.line_peer import LinePeer
from tests.functional.ports import free_port
from tests.functional.tools import peer, program

UPGRADE = (
    b"GET /chat HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
ACCEPTED = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

#: What curl is told to speak.
VERSIONS = ("--http1.1", "--http2")


class NodeService(LinePeer):
    """
    The service in a process of its own.

    :ivar port: where it listens.
    """

    def __init__(self, *words: str) -> None:
        self.port = free_port()
        super().__init__([program("node"), peer("http2_service.js"), str(self.port), *words])
        self.wait_for("ready")


class NodeTestCase(EdgeTestCase):
    """One service and its name."""

    streams = ""

    def setUp(self) -> None:
        """Publish it."""
        super().setUp()
        self.service = NodeService(*self.streams.split())
        self.addCleanup(self.service.close)
        self.name = self.new_name()
        command = "http --upstream-protocol http2"
        self.url = self.ssh(f"{self.name}:443:127.0.0.1:{self.service.port}", command=command).url()

    def both(self, path: str, *words: str) -> list[str]:
        """What curl gets with either version."""
        return [curl(self.edge, version, *words, self.url + path) for version in VERSIONS]


class MessageTests(NodeTestCase):
    """Requests and responses."""

    def test_plain(self) -> None:
        """A response arrives, whichever version the visitor speaks."""
        self.assertEqual(self.both("/hello"), ["hello\n"] * 2)
        shown = self.both("/hello", "-o", "/dev/null", "-w", "%{http_version} %{http_code}")
        self.assertEqual(shown, ["1.1 200", "2 200"])

    def test_head(self) -> None:
        """The service sees the same request from both."""
        first, second = (json.loads(text) for text in self.both("/headers?a=b", "-H", "X-Own: 1", "-b", "c=d"))
        self.assertEqual(first, second)
        self.assertEqual(
            [first[name] for name in (":method", ":path", ":scheme", ":authority", "x-own", "cookie")],
            ["GET", "/headers?a=b", "http", f"{self.name}:{self.edge.https}", "1", "c=d"],
        )
        self.assertEqual((first["x-forwarded-for"], first["x-forwarded-proto"]), ("127.0.0.1", "https"))

    def test_bodies(self) -> None:
        """Bodies of megabytes arrive in either direction."""
        with tempfile.NamedTemporaryFile() as file:
            Path(file.name).write_bytes(bytes(range(256)) * 40000)
            self.assertEqual(self.both("/count", "--data-binary", f"@{file.name}"), ["10240000\n"] * 2)
            for version in VERSIONS:
                echoed = curl(self.edge, version, "--data-binary", f"@{file.name}", self.url + "/echo", text=False)
                self.assertEqual(echoed, Path(file.name).read_bytes())
        self.assertEqual([len(text) for text in self.both("/big")], [20_000_000] * 2)

    def test_trailers(self) -> None:
        """A visitor of HTTP/1.1 sends and gets trailers in chunks."""
        connection = open_tls(self.edge, self.name)
        self.addCleanup(connection.close)
        connection.sendall(
            f"POST /echo HTTP/1.1\r\nHost: {self.name}\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n"
            "Connection: close, TE\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: seven\r\n\r\n".encode()
        )
        received = b""
        while data := connection.recv(65536):
            received += data
        self.assertTrue(received.endswith(b"2\r\nhi\r\n0\r\nx-sum: seven\r\n\r\n"), received)

    def test_hints(self) -> None:
        """Early hints arrive."""
        for text in self.both("/hints", "-i"):
            self.assertIn(" 103", text)
            self.assertIn("rel=preload", text)
            self.assertTrue(text.endswith("hinted\n"))

    def test_no_body(self) -> None:
        """A 304 that tells of a length, and a HEAD."""
        for text in (*self.both("/no-body", "-i"), *self.both("/hello", "-I")):
            self.assertRegex(text, r"^HTTP/\S+ (304|200)")
        self.assertEqual(self.both("/hello"), ["hello\n"] * 2)

    def test_expect(self) -> None:
        """A visitor who waits for 100 is told to go on."""
        with tempfile.NamedTemporaryFile() as file:
            Path(file.name).write_bytes(bytes(100000))
            answers = self.both("/count", "-H", "Expect: 100-continue", "--data-binary", f"@{file.name}")
            self.assertEqual(answers, ["100000\n"] * 2)

    def test_grpc_web(self) -> None:
        """gRPC-Web, whose trailers are a part of the body, passes as it is, also where others are compressed."""
        agent = self.ssh(
            f"{self.new_name()}:443:127.0.0.1:{self.service.port}", command="http --app-protocol http2 --compression"
        )
        body = b"\0\0\0\1\0" + b"x" * 256 + b"\x80\0\0\0\x10grpc-status: 0\r\n"
        for media in ("application/grpc-web+proto", "application/grpc-web-text", "application/grpc-web+json"):
            headers = {"Content-Type": media, "Accept-Encoding": "gzip", "X-Grpc-Web": "1"}
            answer = fetch(self.edge, agent.url() + "/web", "POST", body, headers)
            self.assertEqual((answer.headers["content-type"], answer.body), (media, body))

    def test_websocket(self) -> None:
        """A WebSocket reaches a service that takes it over HTTP/2."""
        connection = open_tls(self.edge, self.name)
        self.addCleanup(connection.close)
        connection.sendall(UPGRADE % self.name.encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536)
        self.assertTrue(head.startswith(b"HTTP/1.1 101 "))
        self.assertIn(ACCEPTED, head)
        for message in (b"one", b"x" * 300000):
            connection.sendall(message)
            received = b""
            while len(received) < len(message):
                received += connection.recv(65536)
            self.assertEqual(received, message)


class SharingTests(NodeTestCase):
    """One connection for many."""

    def test_one_session(self) -> None:
        """Many visitors, one connection."""
        numbers = {self.get(self.url + "/session").text.split()[0] for _ in range(20)}
        self.assertEqual(numbers, {"1"})

    def test_slow_ones(self) -> None:
        """Visitors and services that do not move stop nobody else."""
        stuck = []
        for _ in range(5):
            connection = open_tls(self.edge, self.name)
            self.addCleanup(connection.close)
            connection.sendall(f"GET /big HTTP/1.1\r\nHost: {self.name}\r\n\r\n".encode())
            stuck.append(connection)
        upload = open_tls(self.edge, self.name)
        self.addCleanup(upload.close)
        upload.settimeout(1)
        upload.sendall(f"POST /stuck HTTP/1.1\r\nHost: {self.name}\r\nContent-Length: 50000000\r\n\r\n".encode())
        with self.assertRaises(TimeoutError):
            for _ in range(500):
                upload.sendall(bytes(100000))
        self.assertEqual([len(text) for text in self.both("/big")], [20_000_000] * 2)
        self.assertEqual({self.get(self.url + "/session").text.split()[0] for _ in range(5)}, {"1"})

    def test_events(self) -> None:
        """Events arrive one by one, and a visitor who leaves is heard."""
        connection = keep_open(self.edge, self.name)
        connection.request("GET", "/events")
        response = connection.getresponse()
        self.assertEqual([response.readline() for _ in range(4)], [b"data: 0\n", b"\n", b"data: 1\n", b"\n"])
        connection.close()
        response.close()
        self.assertEqual([self.service.line(), self.service.line()], ["session 1", "closed 8"])

    def test_refused(self) -> None:
        """What the service refuses is sent again, whatever it is."""
        for method, body in (("GET", None), ("POST", b"x" * 1000)):
            self.assertEqual(fetch(self.edge, self.url + "/refused-once", method, body).status, 200)

    def test_resets(self) -> None:
        """A reset before the answer is a 502; in the middle the visitor's stream breaks."""
        self.assertEqual(self.both("/reset", "-o", "/dev/null", "-w", "%{http_code}"), ["502"] * 2)
        for version in VERSIONS:
            with self.assertRaises(AssertionError):
                curl(self.edge, version, self.url + "/reset-later")
        self.assertEqual(self.both("/hello"), ["hello\n"] * 2)

    def test_goaway(self) -> None:
        """A service that says goodbye is followed by a new connection, and nothing is lost."""
        answers: list[str] = []
        threads = [
            threading.Thread(target=lambda path=path: answers.append(self.get(self.url + path).text))
            for path in ("/slow", "/goaway", *["/slow"] * 10)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        self.assertEqual(sorted(answers), ["gone\n"] + ["slow\n"] * 11)
        self.assertNotEqual(self.get(self.url + "/session").text.split()[0], "1")


class GoodbyeTests(NodeTestCase):
    """A service that says goodbye to each connection after a few requests."""

    streams = "0 7"

    def test_nothing_lost(self) -> None:
        """However often connections end, every request is answered."""
        answers: list[str] = []

        def ask() -> None:
            for _ in range(20):
                answers.append(fetch(self.edge, self.url + "/count", "POST", b"x" * 3000).text)

        threads = [threading.Thread(target=ask) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(answers, ["3000\n"] * 200)
        self.assertGreater(int(self.get(self.url + "/session").text.split()[0]), 20)


class FewStreamsTests(NodeTestCase):
    """A service that takes few requests at a time."""

    streams = "2"

    def test_many_at_once(self) -> None:
        """More requests than it takes go over several connections, and all are answered."""
        answers: list[str] = []
        threads = [
            threading.Thread(target=lambda: answers.append(self.get(self.url + "/slow").text)) for _ in range(40)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(answers, ["slow\n"] * 40)
