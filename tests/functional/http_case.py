"""
`HTTPTestCase`: one web service behind a tunnel, and ways to talk to it byte by byte.
"""

from __future__ import annotations

import json
import socket
from typing import Any

from tests.functional.case import EdgeTestCase
from tests.functional.clients import open_tls
from tests.functional.web import Web


class HTTPTestCase(EdgeTestCase):
    """One web service and its URL."""

    def setUp(self) -> None:
        """Publish the service."""
        super().setUp()
        self.service: Web = self.web()
        self.url = self.publish(self.service)
        self.host = self.url.partition("://")[2].partition(":")[0]

    def connect(self) -> socket.socket:
        """A TLS connection to the service's name."""
        connection = open_tls(self.edge, self.host)
        self.addCleanup(connection.close)
        return connection

    def say(self, connection: socket.socket, *lines: str, body: bytes = b"") -> None:
        """Send a request with a Host."""
        connection.sendall("\r\n".join([lines[0], f"Host: {self.host}", *lines[1:], "", ""]).encode() + body)

    def read_until(self, connection: socket.socket, end: bytes) -> bytes:
        """Read until this text has come."""
        received = b""
        while end not in received:
            data = connection.recv(65536)
            self.assertTrue(data, f"the connection ended; so far {received[-500:]!r}")
            received += data
        return received

    def echoed(self, path: str = "/echo", **arguments: Any) -> dict[str, Any]:
        """What the service saw of a request."""
        answer = self.get(self.url + path, **arguments)
        self.assertEqual(answer.status, 200, answer)
        return json.loads(answer.body)
