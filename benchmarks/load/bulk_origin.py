"""
The service behind a bulk tunnel: sends or swallows an exact number of bytes, without ever looking at them.

Every connection opens with `bulk.ORDER_SIZE` bytes, see `benchmarks.load.bulk`. Downloads come out of the page cache with
sendfile(2), uploads go to ``/dev/null`` with splice(2), so that this end costs a fraction of any tunnel.
"""

from __future__ import annotations

import socket
import sys
from threading import Thread

from benchmarks.load import bulk
from benchmarks.workshop import LOOPBACK


def serve(sock: socket.socket) -> None:
    """Answer one connection; a peer that goes away early ends it quietly."""
    with sock:
        try:
            direction, length = bulk.read_order(sock)
            if direction == bulk.DOWNLOAD:
                bulk.send_zeros(sock, length)
            else:
                bulk.swallow(sock, length)
                sock.sendall(bulk.RECEIPT)
        except (ConnectionError, EOFError):
            return


def main() -> None:
    """Serve until killed, on the loopback port that the command line names, a thread a connection."""
    with socket.create_server((LOOPBACK, int(sys.argv[1])), backlog=128) as listener:
        while True:
            sock, _ = listener.accept()
            Thread(target=serve, args=(sock,), daemon=True).start()


if __name__ == "__main__":
    main()
