"""
WebSocket on a stream of HTTP/2 (RFC 8441), to services that know it over HTTP/1.1; a real browser among the visitors.
"""

from __future__ import annotations

import re
import socket
import subprocess

from ngrok_twisted.net.websocket import accepted
from tests.functional.case import EdgeTestCase
from tests.functional.h2_client import H2Client, Stream
from tests.functional.service import Service
from tests.functional.test_browser import FLAGS, key_pin
from tests.functional.tools import program
from tests.functional.web import Asked, Web, pattern


def accept(connection: socket.socket, key: str, *more: str) -> None:
    """Switch to WebSocket."""
    answer = (accepted(key.encode()) or b"").decode()
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", *more]
    connection.sendall("\r\n".join([*lines, f"Sec-WebSocket-Accept: {answer}", "", ""]).encode())


class WebSocketTests(EdgeTestCase):
    """Bytes on a stream."""

    def setUp(self) -> None:
        """Publish it."""
        super().setUp()
        self.heads: list[str] = []
        service = self.serve(Service(self.talk))
        name = self.new_name()
        self.publish(service, name)
        self.h2 = H2Client(self.edge, name)
        self.addCleanup(self.h2.close)

    def talk(self, connection: socket.socket) -> None:
        """Accept, then echo, and say goodbye at the end."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        self.heads.append(head.decode())
        key = re.search(r"(?i)sec-websocket-key: (\S+)", head.decode())
        assert key is not None
        accept(connection, key[1], "Sec-WebSocket-Protocol: echo")
        while data := connection.recv(65536):
            connection.sendall(data)
        connection.sendall(b"goodbye")

    def open(self) -> Stream:
        """An open WebSocket."""
        stream = self.h2.ask(
            "/chat",
            "CONNECT",
            [("sec-websocket-version", "13"), ("sec-websocket-protocol", "echo")],
            end=False,
            pseudo=[(":protocol", "websocket")],
        )
        self.h2.wait(lambda: stream.heads)
        return stream

    def test_echo(self) -> None:
        """Bytes go both ways, beside ordinary requests; the end goes both ways, too."""
        stream = self.open()
        self.assertEqual((stream.statuses, stream.heads[0]["sec-websocket-protocol"]), ([200], "echo"))
        self.assertIn("GET /chat HTTP/1.1\r\n", self.heads[0])
        for size in (1, 1000, 500_000):
            sent = b"".join(pattern(size))
            stream.body.clear()
            self.h2.send(stream, sent)
            self.h2.wait(lambda: len(stream.body) >= size)
            self.assertEqual(bytes(stream.body), sent)
        stream.body.clear()
        self.h2.send(stream, b"", end=True)
        self.h2.wait(lambda: stream.over)
        self.assertEqual((bytes(stream.body), stream.ended), (b"goodbye", True))

    def test_many(self) -> None:
        """Several WebSockets share a connection."""
        streams = [self.open() for _ in range(20)]
        for number, stream in enumerate(streams):
            self.h2.send(stream, b"%d" % number)
        self.h2.wait(lambda: all(stream.body for stream in streams))
        self.assertEqual([bytes(stream.body) for stream in streams], [b"%d" % number for number in range(20)])


PAGE = b"""<!doctype html><body><script>
const version = performance.getEntriesByType("navigation")[0].nextHopProtocol;
const socket = new WebSocket("wss://" + location.host + "/chat");
let heard = "";
socket.onopen = () => socket.send("hello");
socket.onmessage = event => { heard = event.data; socket.close(); };
socket.onclose = event => fetch("/report/" + [version, heard, event.code].join("-"));
</script></body>"""


class Chat(Web):
    """
    A page, and the WebSocket that it opens: one message there, one back, then goodbye.

    :ivar report: what the page has seen.
    """

    report = ""

    def do_page(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """The page."""
        self.send(connection, PAGE, headers=[("Content-Type", "text/html")])

    def do_chat(self, connection: socket.socket, request: Asked, argument: str) -> bool:
        """The WebSocket."""
        accept(connection, request.all("sec-websocket-key")[0])
        for opcode in (1, 8):
            head = request.file.read(6)
            body = bytes(byte ^ head[2 + at % 4] for at, byte in enumerate(request.file.read(head[1] & 0x7F)))
            answer = body.upper() if opcode == 1 else body
            connection.sendall(bytes((0x80 | opcode, len(answer))) + answer)
        return False

    def do_report(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """What the page has seen."""
        self.report = argument
        self.send(connection)


class ChromiumTests(EdgeTestCase):
    """Chromium, on one connection."""

    def test_page(self) -> None:
        """It speaks HTTP/2, and opens its WebSocket on a stream of the same connection."""
        service = Chat()
        self.addCleanup(service.close)
        url = self.publish(service)
        flags = [
            f"--user-data-dir={self.edge.directory}/chromium-two",
            f"--ignore-certificate-errors-spki-list={key_pin(self.edge, url.partition('://')[2].partition(':')[0])}",
            "--host-resolver-rules=MAP *.edge.localhost 127.0.0.1",
        ]
        command = [program("chromium"), *FLAGS, *flags, f"{url}/page"]
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(browser.wait, 20)
        self.addCleanup(browser.kill)
        self.eventually(lambda: service.report, "report of the page", 60)
        self.assertEqual(service.report, "h2-HELLO-1005")
        (chat,) = [asked for asked in service.asked if asked.target == "/chat"]
        self.assertEqual(chat.all("origin")[0].partition("://")[0], "https")
        self.assertIn("sec-websocket-version", [name for name, _ in chat.headers])  # in lower case: not from HTTP/1.1
