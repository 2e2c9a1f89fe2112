"""
`RudeAgent`: an agent over a real connection that sends whatever it is told to.
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
from tests.functional.waiting import TooLate
from tests.transports.agent.client import AgentEnd
from tests.transports.agent.world import auth, bind

#: The name that agents dial on the https listener.
CONNECT = f"connect.{DOMAIN}"


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
            self.socket.settimeout(max(0.001, end - time.monotonic()))
            try:
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
        if not self.generous:
            return
        for id, seen in tuple(self.seen.items()):
            size = len(seen.data) - before.get(id, 0)
            if size > 0 and not seen.fin and seen.reset is None:
                self.grow(id, size)

    # -- waiting -------------------------------------------------------------------------------------------------------

    def until(self, look: Callable[[], Any], what: str, seconds: float = ANSWER) -> Any:
        """Read until ``look()`` is true."""
        end = time.monotonic() + seconds
        while not (found := look()):
            if time.monotonic() > end:
                raise TooLate(f"after {seconds} s still no {what}")
            if self.over:
                raise AssertionError(f"the server has hung up: no {what}; {self.farewell}")
            self.turn(0.01)
        return found

    def ended(self, seconds: float = ANSWER) -> bool:
        """Whether the server ends the connection within so many seconds."""
        end = time.monotonic() + seconds
        while not self.over and time.monotonic() < end:
            self.turn(0.05)
        return self.over

    def request(self, kind: StreamType, message: Any) -> int:
        """
        AgentEnd, however long it is: what the window does not hold waits.

        :param message: an object, or bytes that need not be one.
        """
        text = message if isinstance(message, bytes) else json.dumps(message).encode()
        id = self.open(kind)
        window = WINDOW - 4  # the type has taken its share
        while text and not self.is_done(id):
            grown = self.seen[id].grown if id in self.seen else 0
            piece = text[: window + grown]
            self.frame(id, piece)
            text, window = text[len(piece) :], window - len(piece)
            self.turn(0.001 if text else 0)
        return id

    def is_done(self, id: int) -> bool:
        """Whether the server has ended a stream."""
        seen = self.seen.get(id)
        return self.over or seen is not None and (seen.fin or seen.reset is not None)

    def answer(self, id: int) -> Any:
        """Wait for the reply on a stream."""
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

    def close(self, abruptly: bool = False) -> None:
        """Hang up."""
        if abruptly:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()


def known(edge: Edge, token: str = AUTHTOKEN, *, front: bool = False, **changes: Any) -> RudeAgent:
    """One that has logged in."""
    agent = RudeAgent(edge, front=front)
    reply = agent.login(token, **changes)
    assert not reply.get("Error"), reply
    return agent
