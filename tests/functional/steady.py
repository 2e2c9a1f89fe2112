"""
Visitors that keep at it in threads of their own while a test does something else to the edge: whatever is cut, late or
changed under way is an error.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
import time
import traceback
from typing import Any

from tests.functional.clients import Answer, keep_open
from tests.functional.edge import Edge
from tests.functional.web import checksum


class Steady(threading.Thread):
    """
    Calls `step` until it is told to stop.

    :ivar steps: how often it went well.
    :ivar trouble: the traceback of what went wrong; empty while nothing has.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.steps = 0
        self.trouble = ""
        self._enough = threading.Event()

    def run(self) -> None:
        """Until the end."""
        try:
            while not self._enough.is_set():
                self.step()
                self.steps += 1
            self.finish()
        except Exception:
            self.trouble = traceback.format_exc()

    def step(self) -> None:
        """Do a little; raise if something is wrong."""
        raise NotImplementedError

    def finish(self) -> None:
        """Do what is left, after the last step."""

    def end(self) -> None:
        """
        Stop.

        :raises AssertionError: something went wrong, or nothing happened at all.
        """
        self._enough.set()
        self.join(60)
        assert not self.is_alive(), f"{type(self).__name__} hangs after {self.steps} steps"
        assert not self.trouble, f"{type(self).__name__} after {self.steps} steps: {self.trouble}"
        assert self.steps, f"{type(self).__name__} never did anything"


class Asking(Steady):
    """Asks again and again on one connection, which must not be closed."""

    def __init__(self, edge: Edge, name: str, path: str = "/", pause: float = 0.08) -> None:
        super().__init__()
        self._connection = keep_open(edge, name)
        self._socket = self._connection.sock
        self._name, self._path, self._pause = name, path, pause

    def step(self) -> None:
        """One request."""
        self._connection.request("GET", self._path, headers={"Host": self._name})
        answer = Answer(self._connection.getresponse())
        assert (answer.status, answer.headers.get("x-service")) == (200, "web"), answer
        assert self._connection.sock is self._socket, "the connection was closed"
        time.sleep(self._pause)


class Downloading(Steady):
    """Takes one long answer slowly."""

    def __init__(self, edge: Edge, name: str, size: int) -> None:
        super().__init__()
        self._size, self._digest, self._read = size, hashlib.sha1(), 0
        connection = keep_open(edge, name)
        connection.request("GET", f"/size/{size}", headers={"Host": name})
        self._answer = connection.getresponse()

    def step(self) -> None:
        """A piece of it."""
        self._take(64 * 1024)
        time.sleep(0.02)

    def finish(self) -> None:
        """The rest, at full speed."""
        while self._read < self._size:
            self._take(1 << 20)
        assert self._digest.hexdigest() == checksum(self._size)

    def _take(self, most: int) -> None:
        data = self._answer.read(min(most, self._size - self._read))
        assert data or self._read == self._size, f"the download ended after {self._read} bytes"
        self._read += len(data)
        self._digest.update(data)


class Uploading(Steady):
    """Sends one long body slowly."""

    def __init__(self, edge: Edge, name: str) -> None:
        super().__init__()
        self._digest, self._sent = hashlib.sha1(), 0
        self._connection = keep_open(edge, name)
        self._connection.putrequest("POST", "/echo")
        self._connection.putheader("Transfer-Encoding", "chunked")
        self._connection.endheaders()

    def step(self) -> None:
        """A piece of it."""
        data = os.urandom(16 * 1024)
        self._connection.send(b"%x\r\n%s\r\n" % (len(data), data))
        self._digest.update(data)
        self._sent += len(data)
        time.sleep(0.02)

    def finish(self) -> None:
        """The end, and the answer."""
        self._connection.send(b"0\r\n\r\n")
        seen = json.loads(Answer(self._connection.getresponse()).body)
        assert (seen["length"], seen["sha1"]) == (self._sent, self._digest.hexdigest())


class Echoing(Steady):
    """Has each piece that it sends given back, in order, on a connection that is open already."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connection = connection

    def step(self) -> None:
        """One piece, there and back."""
        data = os.urandom(3000)
        self._connection.sendall(data)
        received = b""
        while len(received) < len(data):
            more = self._connection.recv(65536)
            assert more, "the stream was closed"
            received += more
        assert received == data, "the stream is not what it was"
        time.sleep(0.02)

    def finish(self) -> None:
        """Hang up."""
        self._connection.close()


def upgraded(edge: Edge, name: str) -> Any:
    """A connection on which the service has switched to an echo."""
    connection = keep_open(edge, name).sock
    assert connection is not None
    connection.sendall(
        f"GET /upgrade HTTP/1.1\r\nHost: {name}\r\nConnection: upgrade\r\nUpgrade: echo/1\r\n\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    assert head.startswith(b"HTTP/1.1 101 "), head
    return connection
