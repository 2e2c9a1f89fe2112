"""
Local services: what stands behind a tunnel. Every connection is a thread that runs a plain function.
"""

from __future__ import annotations

import socket
import struct
import threading
from typing import Callable

# No connection of a test lives longer than this; a test that waits longer is broken.
PATIENCE = 60


class Service:
    """
    A TCP server on a free loopback port.

    :ivar port: where it listens.
    :ivar accepted: how many connections it has accepted.
    :ivar lost: the exceptions that ended connections, for tests that care how.
    """

    def __init__(self, talk: Callable[[socket.socket], None], port: int = 0) -> None:
        """
        :param talk: called in a thread of its own with each connection, which is closed when it returns.
        """
        self._talk = talk
        self._listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self.accepted = 0
        self.lost: list[Exception] = []
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening and drop every connection."""
        _shut(self._listener)
        with self._lock:
            for connection in self._open:
                _shut(connection)

    def drop_connections(self) -> None:
        """Drop every connection and go on listening."""
        with self._lock:
            for connection in self._open:
                _shut(connection, close=False)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(PATIENCE)
            with self._lock:
                self.accepted += 1
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            self._talk(connection)
        except (OSError, ValueError) as error:
            self.lost.append(error)
        finally:
            with self._lock:
                self._open.discard(connection)
            _shut(connection)  # not only close: somebody may still hold a file of it


def _shut(connection: socket.socket, close: bool = True) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    if close:
        connection.close()


def reset(connection: socket.socket) -> None:
    """Close with a TCP reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# -- services that speak no protocol -----------------------------------------------------------------------------------


def echo(connection: socket.socket) -> None:
    """Give back every byte; when the other side has finished, finish too."""
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


def greet(name: bytes) -> Callable[[socket.socket], None]:
    """Say one thing and hang up."""
    return lambda connection: connection.sendall(name)


def silent(connection: socket.socket) -> None:
    """Read and never answer."""
    while connection.recv(65536):
        pass


def resetting(connection: socket.socket) -> None:
    """Read a little, then reset the connection."""
    connection.recv(1024)
    reset(connection)


def hang_up(connection: socket.socket) -> None:
    """Read a little, then close without a word."""
    connection.recv(1024)


def say(*pieces: bytes) -> Callable[[socket.socket], None]:
    """Read a request's head, then send exactly these bytes and close."""

    def talk(connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            data = connection.recv(65536)
            if not data:
                return
            head += data
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    return talk
