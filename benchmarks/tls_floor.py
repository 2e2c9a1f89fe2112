"""
The least that a program in Python can do for a TLS connection with one request: accept, shake hands, answer with fixed bytes, end.
It has the edge's own TLS context, and no names, limits, timeouts, HTTP or log, so that whatever the edge takes above it is what
the product does.

Usage: ``python -m benchmarks.tls_floor [OPTIONS]`` measures it beside the edge and nginx; the options are those of ``python -m
benchmarks``. With ``serve PORT CERTIFICATE KEY`` it is that program.
"""

from __future__ import annotations

import select
import socket
import ssl
import sys
from pathlib import Path
from typing import Any, Sequence

from benchmarks.__main__ import main as bench
from benchmarks.load.http_origin import SMALL
from benchmarks.workshop import LOOPBACK
from ngrok_twisted.tls.contexts import make_context
from ngrok_twisted.tls.openssl import bare_connection
from ngrok_twisted.tls.options import TLSOptions

COMPARED = ("--suite", "tls", "--arm", "edge", "--arm", "nginx", "--arm", "floor")
BACKLOG = 511
READ_SIZE = 64 * 1024
RECORD = 16 * 1024
HEAD_END = b"\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (SMALL, b"x" * SMALL)


class Connection:
    """One visitor. Its request comes in one record, as those of `benchmarks.load.handshakes` do."""

    __slots__ = ("_socket", "_in", "_out", "_tls")

    def __init__(self, sock: socket.SocketType, context: ssl.SSLContext) -> None:
        self._socket = sock
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: Any = bare_connection(context, self._in, self._out, True)

    def read(self) -> bool:
        """
        Take what is there, and answer.

        :return: whether it goes on.
        """
        try:
            data = self._socket.recv(READ_SIZE)
        except BlockingIOError:
            return True
        goes_on = bool(data) and self._take(data)
        if self._out.pending:
            self._socket.send(self._out.read())
        if not goes_on:
            self._socket.close()
        return goes_on

    def _take(self, data: bytes) -> bool:
        self._in.write(data)
        try:
            self._tls.do_handshake()
            if HEAD_END not in self._tls.read(RECORD):
                return True
        except ssl.SSLWantReadError:
            return True
        self._tls.write(ANSWER)
        try:
            self._tls.shutdown()
        except ssl.SSLWantReadError:
            pass  # the visitor's own end is not waited for
        return False


class Floor:
    """A listening socket, and those who came to it."""

    def __init__(self, listening: Any, context: ssl.SSLContext) -> None:
        """:param listening: does not block."""
        self._listening = listening
        self._context = context
        self._poll = select.epoll()
        self._poll.register(listening.fileno(), select.EPOLLIN)
        self._open: dict[int, Connection] = {}

    def turn(self, timeout: float | None = None) -> None:
        """
        Wait for something to happen, and see to it.

        :param timeout: seconds; ``None`` for ever.
        """
        for number, _ in self._poll.poll(timeout):
            if number == self._listening.fileno():
                self._accept()
            elif not self._open[number].read():
                del self._open[number]

    def _accept(self) -> None:
        while True:
            try:
                number, _ = self._listening._accept()
            except BlockingIOError:
                return
            sock = socket.SocketType(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, number)
            sock.setblocking(False)
            connection = Connection(sock, self._context)
            self._poll.register(number, select.EPOLLIN)
            if connection.read():
                self._open[number] = connection


def listen(port: int) -> Any:
    """:return: a listening socket that does not block."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listening.bind((LOOPBACK, port))
    listening.listen(BACKLOG)
    listening.setblocking(False)
    return listening


def serve(port: int, certificate: Path, key: Path) -> None:
    """Serve until the process is ended."""
    context = make_context(certificate.read_text("ascii"), key.read_text("ascii"), TLSOptions())
    floor = Floor(listen(port), context)
    while True:
        floor.turn()


def main(arguments: Sequence[str]) -> int:
    """:return: the exit status."""
    if arguments[:1] != ["serve"]:
        return bench((*COMPARED, *arguments))
    serve(int(arguments[1]), Path(arguments[2]), Path(arguments[3]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
