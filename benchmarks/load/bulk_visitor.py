"""
The visitors of a bulk tunnel: fetch or send an exact number of bytes over some streams at once, then print one line of
JSON with ``seconds`` (from the first connect to the last byte's arrival) and ``bytes``.

Usage: ``python -m benchmarks.load.bulk_visitor PORT D|U BYTES STREAMS [ADDRESS [NAME]]``, the bytes being those of all streams
together, and the name one that a ClientHello asks for.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.load import bulk
from benchmarks.workshop import LOOPBACK


def visit(port: int, direction: bytes, length: int, address: str = LOOPBACK, hello: bytes = b"") -> None:
    """
    One stream.

    :param hello: what stands before the order.

    :raises OSError: the tunnel refused or broke it.
    :raises EOFError: it ended before the last byte.
    """
    with socket.create_connection((address, port), timeout=bulk.CONNECT_TIMEOUT) as sock:
        sock.settimeout(None)
        sock.sendall(hello + bulk.make_order(direction, length))
        if direction == bulk.DOWNLOAD:
            bulk.swallow(sock, length)
        else:
            bulk.send_zeros(sock, length)
            bulk.read_exactly(sock, len(bulk.RECEIPT))


def main() -> None:
    """Run the streams and report."""
    port, direction, total, streams = int(sys.argv[1]), sys.argv[2].encode(), int(sys.argv[3]), int(sys.argv[4])
    address = sys.argv[5] if len(sys.argv) > 5 else LOOPBACK
    hello = bulk.make_hello(sys.argv[6] if len(sys.argv) > 6 else "")
    share = total // streams
    started = time.perf_counter()
    with ThreadPoolExecutor(streams) as pool:
        list(pool.map(lambda number: visit(port, direction, share, address, hello), range(streams)))
    print(json.dumps({"seconds": time.perf_counter() - started, "bytes": share * streams}))


if __name__ == "__main__":
    main()
