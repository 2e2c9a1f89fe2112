"""
Visitors who come for a single byte: a connection each, one after the other, in some processes at once. At the end one line of
JSON with ``seconds`` and ``connections``.

Usage: ``python -m benchmarks.load.relay_visits PORT SECONDS PROCESSES [NAME]``, the name being one that a ClientHello asks for;
the service is `benchmarks.load.relay_origin`.
"""

from __future__ import annotations

import json
import socket
import sys
import time

from benchmarks.load import bulk
from benchmarks.load.processes import in_processes
from benchmarks.workshop import LOOPBACK


def visit(port: int, order: bytes) -> None:
    """
    :raises OSError: the relay refused or broke the connection.
    :raises EOFError: it ended before the byte.
    """
    with socket.create_connection((LOOPBACK, port), timeout=bulk.CONNECT_TIMEOUT) as sock:
        sock.sendall(order)
        bulk.read_exactly(sock, len(bulk.RECEIPT))


def visits(port: int, seconds: float, order: bytes) -> int:
    """
    :return: how many connections there were in so many seconds.
    """
    deadline = time.perf_counter() + seconds
    count = 0
    while time.perf_counter() < deadline:
        visit(port, order)
        count += 1
    return count


def main() -> None:
    """Visit and report."""
    port, seconds, processes = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    order = bulk.make_hello(sys.argv[4] if len(sys.argv) > 4 else "") + bulk.make_order(bulk.DOWNLOAD, 1)
    started = time.perf_counter()
    counts = in_processes(processes, lambda: {"connections": visits(port, seconds, order)})
    print(json.dumps({"seconds": time.perf_counter() - started, "connections": sum(c["connections"] for c in counts)}))


if __name__ == "__main__":
    main()
