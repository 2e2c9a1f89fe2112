"""
`Relay`: stands between a client and the edge, and may change the bytes on their way.
"""

from __future__ import annotations

import socket
import ssl
import threading
from typing import Callable

from tests.functional.descriptors import readable
from tests.functional.service import PATIENCE, Service

# Gets the number of bytes that have passed before, and the next ones; returns those to pass on.
Change = Callable[[int, bytes], bytes]


def unchanged(passed: int, data: bytes) -> bytes:
    """Change nothing."""
    return data


def flip_after(place: int) -> Change:
    """Flip one bit of the byte at this place."""

    def change(passed: int, data: bytes) -> bytes:
        if passed <= place < passed + len(data):
            spot = place - passed
            return data[:spot] + bytes([data[spot] ^ 0x40]) + data[spot + 1 :]
        return data

    return change


class Relay(Service):
    """
    A port that leads to another one.

    :ivar sent: how many bytes have passed towards the edge, of the newest connection.
    """

    def __init__(self, connect: Callable[[], socket.socket], up: Change = unchanged, down: Change = unchanged) -> None:
        """
        :param connect: opens the connection to the edge.
        :param up: what happens to bytes towards the edge.
        :param down: what happens to bytes from the edge.
        """
        self._connect, self._up, self._down = connect, up, down
        self.sent = 0
        super().__init__(self._join)

    def _join(self, client: socket.socket) -> None:
        with self._connect() as edge:
            if isinstance(edge, ssl.SSLSocket):
                self._take_turns(client, edge)
                return
            client.settimeout(None)
            edge.settimeout(None)
            back = threading.Thread(target=self._pass, args=(edge, client, self._down, False), daemon=True)
            back.start()
            self._pass(client, edge, self._up, True)
            back.join(30)

    def _take_turns(self, client: socket.socket, edge: ssl.SSLSocket) -> None:
        """The same with TLS on one side, in one thread, since two may not share a TLS connection."""
        passed = {client: 0, edge: 0}
        ways = {client: (edge, self._up), edge: (client, self._down)}
        while True:
            ready = [edge] if edge.pending() else readable(PATIENCE, client, edge)
            if not ready:
                return
            for source in ready:
                sink, change = ways[source]
                try:
                    source.setblocking(False)
                    data = source.recv(65536)
                except ssl.SSLWantReadError:  # what came was TLS's own, such as a session ticket
                    continue
                finally:
                    source.settimeout(PATIENCE)
                if not data:
                    return
                sink.sendall(change(passed[source], data))
                passed[source] += len(data)

    def _pass(self, source: socket.socket, sink: socket.socket, change: Change, up: bool) -> None:
        passed = 0
        try:
            while data := source.recv(65536):
                sink.sendall(change(passed, data))
                passed += len(data)
                if up:
                    self.sent = passed
        except OSError:
            pass
        self._end(source, sink)

    @staticmethod
    def _end(source: socket.socket, sink: socket.socket) -> None:
        """What came from the one has ended, and so does what goes to the other."""
        for end, how in ((sink, socket.SHUT_WR), (source, socket.SHUT_RD)):
            try:
                end.shutdown(how)
            except OSError:
                pass


class Network(Relay):
    """
    A port that leads to another one over connections that may die without a word: they stay open at both ends, and nothing
    passes any more, not even their end.
    """

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._age = 0
        self._over = threading.Event()
        super().__init__(connect)

    def die(self) -> None:
        """Connections that are open now are dead; later ones live."""
        self._age += 1

    def close(self) -> None:
        """Stop listening and drop every connection."""
        self._over.set()
        super().close()

    def _pass(self, source: socket.socket, sink: socket.socket, change: Change, up: bool) -> None:
        born = self._age
        try:
            while (data := source.recv(65536)) and self._age == born:
                sink.sendall(data)
        except OSError:
            pass
        if self._age != born:
            self._over.wait(PATIENCE)
        self._end(source, sink)
