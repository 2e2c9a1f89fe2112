"""
The visitors of a bulk tunnel: fetch or send an exact number of bytes over some streams at once, then print one line of
JSON with ``seconds`` (from the first connect to the last byte's arrival) and ``bytes``.

Usage: ``python -m benchmarks.load.bulk_visitor PORT D|U BYTES STREAMS``, the bytes being those of all streams together.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.load import bulk
from benchmarks.workshop import LOOPBACK


def visit(port: int, direction: bytes, length: int) -> None:
    """
    One stream.

    :raises OSError: the tunnel refused or broke it.
    :raises EOFError: it ended before the last byte.
    """
    with socket.create_connection((LOOPBACK, port), timeout=bulk.CONNECT_TIMEOUT) as sock:
        sock.settimeout(None)
        sock.sendall(bulk.make_order(direction, length))
        if direction == bulk.DOWNLOAD:
            bulk.swallow(sock, length)
        else:
            bulk.send_zeros(sock, length)
            bulk.read_exactly(sock, len(bulk.RECEIPT))


def main() -> None:
    """Run the streams and report."""
    port, direction, total, streams = int(sys.argv[1]), sys.argv[2].encode(), int(sys.argv[3]), int(sys.argv[4])
    share = total // streams
    started = time.perf_counter()
    with ThreadPoolExecutor(streams) as pool:
        list(pool.map(lambda number: visit(port, direction, share), range(streams)))
    print(json.dumps({"seconds": time.perf_counter() - started, "bytes": share * streams}))


if __name__ == "__main__":
    main()
