"""
Visitors of TLS 1.3, each with a connection of its own: a handshake, one request, its answer, and away. With ``resumed`` each
comes with the newest ticket that the server gave to the one before. At the end one line of JSON with ``seconds`` and
``connections``.

Usage: ``python -m benchmarks.load.handshakes PORT NAME SECONDS PROCESSES full|resumed``
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import time

from benchmarks.load.processes import in_processes
from benchmarks.workshop import LOOPBACK

TIMEOUT = 10.0
"""Seconds for one connection."""


class Visitor:
    """
    One visitor after the other.

    :ivar session: what the last one may be resumed with.
    """

    def __init__(self, port: int, name: str, resume: bool) -> None:
        self._port = port
        self._name = name
        self._resume = resume
        self._request = f"GET /small HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode("ascii")
        self._context = ssl.create_default_context()
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3
        # The server proves that it has its key (CertificateVerify) in any case; who vouches for it costs the visitor only.
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE
        self.session: ssl.SSLSession | None = None

    def visit(self) -> None:
        """
        :raises OSError: the server refused or broke the connection, or its TLS.
        :raises ValueError: it did not answer with success, or did a whole handshake where a ticket was shown.
        """
        with socket.create_connection((LOOPBACK, self._port), timeout=TIMEOUT) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._context.wrap_socket(plain, server_hostname=self._name, session=self.session) as sock:
                if self.session is not None and not sock.session_reused:
                    raise ValueError("the server did not resume the session")
                sock.sendall(self._request)
                answer = b"".join(iter(lambda: sock.recv(16384), b""))
                if not answer.startswith(b"HTTP/1.1 200"):
                    raise ValueError(f"the server answered {answer[:60]!r}")
                if self._resume:
                    self.session = sock.session


def visits(visitor: Visitor, seconds: float) -> int:
    """
    :return: how many connections there were in so many seconds.
    """
    deadline = time.perf_counter() + seconds
    count = 0
    while time.perf_counter() < deadline:
        visitor.visit()
        count += 1
    return count


def main() -> None:
    """Visit and report."""
    port, name, seconds, processes, kind = sys.argv[1:6]
    work = lambda: {"connections": float(visits(Visitor(int(port), name, kind == "resumed"), float(seconds)))}
    started = time.perf_counter()
    counts = in_processes(int(processes), work)
    print(json.dumps({"seconds": time.perf_counter() - started, "connections": sum(c["connections"] for c in counts)}))


if __name__ == "__main__":
    main()
