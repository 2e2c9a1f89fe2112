"""
More clients of HTTP/2, and what those get who try it where it is not spoken.
"""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

from ngrok_twisted.upstream.http2_frames import PREFACE
from tests.functional.case import EdgeTestCase
from tests.functional.clients import curl, open_tcp, open_tls, read_all, tls_context
from tests.functional.test_http2_websocket import Chat
from tests.functional.tools import peer, program, tool
from tests.functional.web import checksum

#: A preface, and the SETTINGS behind it.
HELLO = PREFACE + b"\0\0\0\x04\0\0\0\0\0"


class ClientTests(EdgeTestCase):
    """Programs that people use."""

    def setUp(self) -> None:
        """Publish a service that knows WebSocket, too."""
        super().setUp()
        self.service = Chat()
        self.addCleanup(self.service.close)
        self.url = self.publish(self.service)
        self.host = self.url.partition("://")[2].partition(":")[0]

    def run_peer(self, *command: str) -> Any:
        """What a program of ours prints."""
        words = [*command, str(self.edge.ca), str(self.edge.https), self.host]
        done = subprocess.run(words, capture_output=True, text=True, timeout=80)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_httpx(self) -> None:
        """httpx asks for two hundred things at once on one connection, of which a hundred are under way at a time."""
        self.assertEqual(
            self.run_peer(tool("python"), peer("httpx_client.py")),
            {"versions": ["HTTP/2"], "sizes": True, "uploads": [1_000_000], "download": checksum(5_000_000)},
        )

    def test_node(self) -> None:
        """Node's own client: many at once, uploads, trailers, a WebSocket, and one that it does not want any more."""
        self.assertEqual(
            self.run_peer(program("node"), peer("http2_client.js")),
            {
                "many": True,
                "upload": 3_000_000,
                "trailers": "5",
                "download": checksum(5_000_000),
                "websocket": "810548454c4c4f",  # a text message in capitals
                "cancelled": 8,
                "pinged": True,
                "extended": True,
                "after": 200,
            },
        )

    def test_nghttp(self) -> None:
        """nghttp gives its streams priorities, and is shown nothing but heads and data of what it has asked for."""
        url = f"https://127.0.0.1:{self.edge.https}"
        urls = [f"{url}/size/{size}" for size in (1_000_000, 200_000, 1)]
        words = ["-v", "-n", "-p", "16", "-p", "256", "-p", "1", "-H", f":authority: {self.host}", "--no-verify-peer"]
        done = subprocess.run([program("nghttp"), *words, *urls], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        received = re.findall(r"recv .*?\b([A-Z_]+) frame", done.stdout)
        self.assertEqual(set(received) - {"SETTINGS", "WINDOW_UPDATE", "HEADERS", "DATA", "GOAWAY"}, set(), done.stdout)
        self.assertEqual(len(re.findall(r"recv \(stream_id=\d+\) :status: 200", done.stdout)), 3)


class WhereNotTests(EdgeTestCase):
    """What does not speak HTTP/2 says so."""

    def test_plain_http(self) -> None:
        """On the http listener nobody is upgraded; who begins with HTTP/2 reads 505, and is hung up on."""
        web, name = self.web(), self.new_name()
        url = self.ssh(f"{name}:80:127.0.0.1:{web.port}", command="http").url()
        shown = curl(self.edge, "--http2", "-w", "%{http_version} %{http_code}", url)
        self.assertEqual(shown, "hello from web\n1.1 200")
        self.assertEqual([web.asked[-1].all(field) for field in ("upgrade", "http2-settings", "connection")], [[]] * 3)
        with open_tcp(self.edge.http) as connection:
            connection.sendall(HELLO)
            self.assertTrue(read_all(connection).startswith(b"HTTP/1.1 505 "))

    def test_not_agreed(self) -> None:
        """Over TLS only ALPN counts: a preface without it reads 505, and HTTP/1.1 with it is told that this is no preface."""
        name = self.new_name()
        self.publish(self.web(), name)
        with open_tls(self.edge, name) as connection:
            connection.sendall(HELLO)
            self.assertTrue(read_all(connection).startswith(b"HTTP/1.1 505 "))
        with open_tls(self.edge, name, context=tls_context(self.edge, ("h2",))) as connection:
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
            self.assertIn(b"preface", read_all(connection))

    def test_switched_off(self) -> None:
        """Where the operator has switched it off, visitors fall back to HTTP/1.1, and who has nothing else reads 505."""
        self.config = {"limits": {"http2_requests": 0}}  # type: ignore[misc]
        self.edge = self.shared_edge()
        self.addCleanup(self.check_edge, self.edge)
        name = self.new_name()
        self.publish(self.web(), name)
        show = ("-w", "%{http_version}", "-o", "/dev/null")
        self.assertEqual(curl(self.edge, "--http2", *show, f"https://{name}:{self.edge.https}/"), "1.1")
        with open_tls(self.edge, name, context=tls_context(self.edge, ("h2",))) as connection:
            self.assertIsNone(connection.selected_alpn_protocol())
            connection.sendall(HELLO)
            self.assertTrue(read_all(connection).startswith(b"HTTP/1.1 505 "))
