"""
A visitor in the middle of an answer.
"""

from __future__ import annotations

from tests.functional.clients import open_tls, read_all
from tests.functional.edge import Edge
from tests.functional.web import Web

#: Bytes of each half.
HALF = 500_000


class HalfAnswer:
    """
    Half of an answer is there; the service keeps the other half until it is asked for.

    :ivar close: to be called when it is over.
    """

    def __init__(self, edge: Edge, name: str, web: Web) -> None:
        """
        :param name: the full name, under which the service can be reached.
        """
        self._gate = web.gate
        self._connection = open_tls(edge, name)
        self.close = self._connection.close
        self._connection.sendall(f"GET /half/{2 * HALF} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        self._received = b""
        while not self._received.endswith(b"a" * HALF):
            data = self._connection.recv(65536)
            assert data, self._received[:500]
            self._received += data

    def finish(self) -> None:
        """
        Have the service send the rest.

        :raises AssertionError: it does not come whole.
        """
        self._gate.set()
        self._received += read_all(self._connection)
        assert self._received.endswith(b"a" + b"b" * HALF), self._received[-100:]
