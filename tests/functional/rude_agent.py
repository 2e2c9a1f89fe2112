"""
`RudeAgent`: an agent over a real connection that sends whatever it is told to; and `HonestAgent`, which must not suffer from it.
"""

from __future__ import annotations

import json
import socket
import ssl
import time
from typing import Any, Callable

from ngrok_twisted.transports.agent.frames import WINDOW
from ngrok_twisted.transports.agent.typed import StreamType
from tests.functional.clients import ANSWER, open_tcp, tls_context
from tests.functional.edge import AUTHTOKEN, DOMAIN, Edge
from tests.functional.steady import Steady
from tests.functional.waiting import TooLate
from tests.transports.agent.client import AgentEnd, Seen
from tests.transports.agent.world import auth, bind

#: The name that agents dial on the https listener.
CONNECT = f"connect.{DOMAIN}"

ANSWERED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class RudeAgent(AgentEnd):
    """
    It says hello to TLS as real ones do, and then nothing by itself.

    :ivar generous: it lets the server send on.
    :ivar over: the server has ended the connection.
    :ivar id: what the server calls its session, once it has logged in; ``cookie`` is what proves it.
    """

    def __init__(self, edge: Edge, *, front: bool = False) -> None:
        """
        :param front: dial the https listener, by the name of the service, instead of the listener for agents.
        """
        super().__init__()
        self.generous = True
        self.over = False
        self.id = self.cookie = ""
        plain = open_tcp(edge.https if front else edge.agent)
        self.socket = tls_context(edge, ()).wrap_socket(plain, server_hostname=CONNECT if front else "localhost")

    # -- AgentEnd ------------------------------------------------------------------------------------------------------

    def raw(self, data: bytes) -> None:
        """AgentEnd. In vain once the server has ended the connection."""
        try:
            self.socket.settimeout(ANSWER)
            self.socket.sendall(data)
        except OSError:
            self.over = True

    def turn(self, seconds: float = 0) -> None:
        """AgentEnd: read for so long, and at least what is there."""
        end = time.monotonic() + seconds
        while not self.over:
            try:
                self.socket.settimeout(max(0.001, end - time.monotonic()))
                data = self.socket.recv(65536)
            except (TimeoutError, ssl.SSLWantReadError):
                return
            except OSError:
                data = b""
            self.over = not data
            self.read(data)

    def read(self, data: bytes) -> None:
        """AgentEnd. What came is given back at once, as long as it is generous."""
        before = {id: len(seen.data) for id, seen in self.seen.items()}
        super().read(data)
        for id, seen in tuple(self.seen.items()):
            size = len(seen.data) - before.get(id, 0)
            if self.generous and size > 0 and not seen.fin and seen.reset is None:
                self.grow(id, size)

    def request(self, kind: StreamType, message: Any) -> int:
        """
        AgentEnd, however long it is: what the window does not hold waits.

        :param message: an object, or bytes that need not be one.
        """
        text = message if isinstance(message, bytes) else json.dumps(message).encode()
        id = self.open(kind)
        window = WINDOW - 4  # the type has taken its share
        while text and not self.is_done(id):
            room = window + (self.seen[id].grown if id in self.seen else 0)
            piece = text[: max(0, room)]
            self.frame(id, piece)
            text, window = text[len(piece) :], window - len(piece)
            self.turn(0.001 if text else 0)
        return id

    # -- waiting -------------------------------------------------------------------------------------------------------

    def until(self, look: Callable[[], Any], what: str, seconds: float = ANSWER) -> Any:
        """Read until ``look()`` is true."""
        end = time.monotonic() + seconds
        while not (found := look()):
            if time.monotonic() > end:
                raise TooLate(f"after {seconds} s still no {what}")
            if self.over:
                raise AssertionError(f"the server has hung up: no {what}; {self.farewell}")
            self.turn(0.005)
        return found

    def ended(self, seconds: float = ANSWER) -> bool:
        """Whether the server ends the connection within so many seconds."""
        end = time.monotonic() + seconds
        while not self.over and time.monotonic() < end:
            self.turn(0.05)
        return self.over

    def is_done(self, id: int) -> bool:
        """Whether the server has ended a stream."""
        seen = self.seen.get(id)
        return self.over or seen is not None and (seen.fin or seen.reset is not None)

    def answer(self, id: int) -> Any:
        """Wait for the reply on a stream; ``None`` if it is reset."""
        self.until(lambda: self.is_done(id), f"reply on stream {id}")
        return self.reply(id)

    def ask(self, kind: StreamType, message: Any) -> Any:
        """AgentEnd, waiting for the reply."""
        id = self.request(kind, message)
        reply = self.answer(id)
        self.fin(id)
        return reply

    # -- the usual -----------------------------------------------------------------------------------------------------

    def login(self, token: str = AUTHTOKEN, **changes: Any) -> Any:
        """Log in. :return: the reply."""
        reply = self.ask(StreamType.AUTH, auth(token, **changes))
        self.id, self.cookie = reply["ClientId"], (reply.get("Extra") or {}).get("Cookie", "")
        return reply

    def bind(self, **wish: Any) -> Any:
        """Ask for an endpoint. :return: the reply."""
        return self.ask(StreamType.BIND, bind(**wish))

    def lives(self) -> bool:
        """Whether the server still answers it."""
        return bool(self.ask(StreamType.SRV_INFO, {}).get("Region"))

    def close(self) -> None:
        """Hang up."""
        self.over = True
        self.socket.close()


class HonestAgent(Steady):
    """
    An agent with one endpoint, in a thread of its own, that answers its visitors.

    :ivar host: the name of its endpoint.
    """

    def __init__(self, edge: Edge, token: str) -> None:
        super().__init__()
        self.agent = RudeAgent(edge)
        reply = self.agent.login(token)
        assert not reply["Error"], reply
        self.host: str = self.agent.bind()["Opts"]["Hostname"]
        self._beat = self.agent.open(StreamType.HEARTBEAT)

    def step(self) -> None:
        """Answer whoever asks."""
        assert not self.agent.over, f"it was sent away: {self.agent.farewell}"
        self.agent.turn(0.005)
        for id in tuple(self.agent.opened):
            self._serve(id, self.agent.seen[id])
        if self.steps % 1000 == 0:
            self.agent.frame(self._beat, b"beat")

    def finish(self) -> None:
        """Hang up."""
        self.agent.close()

    def _serve(self, id: int, seen: Seen) -> None:
        if answers(seen):
            self.agent.frame(id, ANSWERED)
        if seen.fin or seen.reset is not None:
            self.agent.opened.remove(id)
            self.agent.fin(id)


def answers(seen: Seen) -> bool:
    """Whether a visitor's request has come whole on a stream; it is taken off."""
    if len(seen.data) < 12 or not seen.raw.endswith(b"\r\n\r\n"):
        return False
    seen.data = seen.data[: -len(seen.raw)]
    return True


def known(edge: Edge, token: str = AUTHTOKEN, *, front: bool = False, **changes: Any) -> RudeAgent:
    """One that has logged in."""
    agent = RudeAgent(edge, front=front)
    reply = agent.login(token, **changes)
    assert not reply["Error"], reply
    return agent


def linger(connection: socket.socket) -> None:
    """Have the connection be reset when it is closed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
