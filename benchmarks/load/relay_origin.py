"""
The service behind a relay that is visited for a moment: reads until an order has come, answers one byte, and waits for the
visitor to leave; see `benchmarks.load.relay_visits`.
"""

from __future__ import annotations

import select
import socket
import sys

from benchmarks.load import bulk
from benchmarks.workshop import LOOPBACK

READ_SIZE = 16384


def main() -> None:
    """Serve until killed, on the loopback port that the command line names; no connection costs more than a few calls."""
    epoll = select.epoll()
    visitors: dict[int, socket.socket] = {}
    with socket.create_server((LOOPBACK, int(sys.argv[1])), backlog=1024) as listener:
        epoll.register(listener.fileno(), select.EPOLLIN)
        while True:
            for number, _ in epoll.poll():
                if number == listener.fileno():
                    sock, _ = listener.accept()
                    visitors[sock.fileno()] = sock
                    epoll.register(sock.fileno(), select.EPOLLIN)
                elif not answer(visitors[number]):
                    epoll.unregister(number)
                    visitors.pop(number).close()


def answer(sock: socket.socket) -> bool:
    """
    :return: whether the visitor is still there.
    """
    try:
        data = sock.recv(READ_SIZE)
        if data.endswith(bulk.make_order(bulk.DOWNLOAD, 1)):
            sock.send(bulk.RECEIPT)
    except ConnectionError:
        return False
    return bool(data)


if __name__ == "__main__":
    main()
