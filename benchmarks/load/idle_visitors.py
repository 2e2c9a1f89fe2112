"""
Visitors who ask once and then stay: a keep-alive connection each. When all stand it prints one line of JSON with
``connections`` and ``seconds``, and holds them until it is ended.

Usage: ``python -m benchmarks.load.idle_visitors PORT HOST http|https CONNECTIONS``. Of a TLS connection only the socket is
kept, so that this end stays small.
"""

from __future__ import annotations

import json
import resource
import signal
import socket
import ssl
import sys
import time
from typing import Callable, TypeVar

from benchmarks.workshop import LOOPBACK

CONNECT_TIMEOUT = 10.0
"""Seconds."""
READ_SIZE = 65536

_T = TypeVar("_T")


def main() -> None:
    """Come, ask, and stay."""
    port, host, scheme, count = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    request = f"GET /small HTTP/1.1\r\nHost: {host}\r\nUser-Agent: idle\r\nAccept: */*\r\n\r\n".encode("ascii")
    visit = _visit_tls if scheme == "https" else _visit
    started = time.perf_counter()
    standing = [visit(port, host, request) for _ in range(count)]
    print(json.dumps({"connections": len(standing), "seconds": time.perf_counter() - started}), flush=True)
    signal.pause()


def _connect(port: int) -> socket.socket:
    sock = socket.create_connection((LOOPBACK, port), timeout=CONNECT_TIMEOUT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _visit(port: int, host: str, request: bytes) -> socket.socket:
    """A connection on which one answer has come."""
    sock = _connect(port)
    sock.sendall(request)
    _check(sock.recv(READ_SIZE))
    return sock


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


_tls = _context()


def _visit_tls(port: int, host: str, request: bytes) -> socket.socket:
    """The same over TLS, whose state is dropped."""
    sock = _connect(port)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = _tls.wrap_bio(incoming, outgoing, server_hostname=host)
    _until(sock, incoming, outgoing, session.do_handshake)
    session.write(request)
    _check(_until(sock, incoming, outgoing, lambda: session.read(READ_SIZE)))
    return sock


def _until(sock: socket.socket, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, step: Callable[[], _T]) -> _T:
    """Take a step of TLS, with as many reads of the socket as it wants."""
    while True:
        try:
            return step()
        except ssl.SSLWantReadError:
            sock.sendall(outgoing.read())
            incoming.write(sock.recv(READ_SIZE))
        finally:
            if outgoing.pending:
                sock.sendall(outgoing.read())


def _check(answer: bytes) -> None:
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise SystemExit(f"it was answered {answer[:100]!r}")


if __name__ == "__main__":
    main()
