"""
The service behind a request tunnel: answers ``GET /small``, ``GET /large``, ``GET /json`` and ``GET /list`` over keep-alive
connections, from memory.

It knows no more of HTTP than its visitors need (requests have no body), so that it costs less than any edge.
"""

from __future__ import annotations

import json
import select
import socket
import sys

from benchmarks.workshop import LOOPBACK

SMALL = 121
"""Bytes of body: a short JSON answer."""
LARGE = 100 * 1024
"""Bytes of body: a picture or a script bundle."""
ITEMS = 40
"""Entries of the JSON document, about 4 KB: an answer that is worth being compressed."""
LONG = 640
"""Entries of a list, about 64 KB: to compress it takes so long that next to it visitors and service cost nothing."""
END_OF_HEAD = b"\r\n\r\n"
READ_SIZE = 65536


def make_answer(body: bytes, media_type: str = "application/octet-stream") -> bytes:
    """A whole HTTP response with this body."""
    head = (
        "HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
        f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\nConnection: keep-alive\r\n\r\n"
    )
    return head.encode("ascii") + body


def make_document(entries: int) -> bytes:
    """JSON as an API answers it: names that come again and again, values that do not."""
    items = [
        {
            "id": f"it_{number * 7919:07d}",
            "name": f"item {number}",
            "price": number * 37 % 1000 / 10,
            "in_stock": number % 3 > 0,
        }
        for number in range(entries)
    ]
    return json.dumps({"items": items, "next": None}).encode("ascii")


ANSWERS = {
    b"GET /small": make_answer(b"x" * SMALL),
    b"GET /large": make_answer(b"x" * LARGE),
    b"GET /json ": make_answer(make_document(ITEMS), "application/json"),
    b"GET /list ": make_answer(make_document(LONG), "application/json"),
}
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


class Connection:
    """
    What one connection has not yet said, and not yet been told.

    :ivar unsent: bytes that the kernel would not take.
    :ivar waiting: the socket is watched for room, not for requests.
    """

    def __init__(self) -> None:
        self.unsent = b""
        self.waiting = False
        self._unread = b""

    def feed(self, data: bytes) -> bytes:
        """
        :param data: what was read.
        :return: the answers to every request that is complete now.
        """
        *heads, self._unread = (self._unread + data).split(END_OF_HEAD)
        return b"".join(ANSWERS.get(head[:10], NOT_FOUND) for head in heads)


class Server:
    """An epoll loop over a listener and its connections."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._epoll = select.epoll()
        self._open: dict[int, tuple[socket.socket, Connection]] = {}
        self._epoll.register(listener.fileno(), select.EPOLLIN)

    def run(self) -> None:
        """Serve until killed."""
        while True:
            for number, events in self._epoll.poll():
                if number == self._listener.fileno():
                    self._accept()
                else:
                    self._serve(number, events)

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open[sock.fileno()] = (sock, Connection())
        self._epoll.register(sock.fileno(), select.EPOLLIN)

    def _serve(self, number: int, events: int) -> None:
        sock, connection = self._open[number]
        try:
            if events & ~select.EPOLLOUT:
                data = sock.recv(READ_SIZE)
                if not data:
                    raise ConnectionResetError
                connection.unsent += connection.feed(data)
            self._send(sock, connection)
        except ConnectionError:
            self._epoll.unregister(number)
            del self._open[number]
            sock.close()

    def _send(self, sock: socket.socket, connection: Connection) -> None:
        """Send what there is; what is left waits until the socket can take more, and nothing is read until then."""
        waiting = connection.waiting
        try:
            connection.unsent = connection.unsent[sock.send(connection.unsent) :]
        except BlockingIOError:
            pass
        connection.waiting = bool(connection.unsent)
        if connection.waiting != waiting:
            self._epoll.modify(sock.fileno(), select.EPOLLOUT if connection.waiting else select.EPOLLIN)


def main() -> None:
    """Serve on the loopback port that the command line names."""
    with socket.create_server((LOOPBACK, int(sys.argv[1])), backlog=1024) as listener:
        Server(listener).run()


if __name__ == "__main__":
    main()
