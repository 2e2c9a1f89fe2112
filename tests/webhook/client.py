"""
A treq-like client whose answers the test gives.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.iweb import UNKNOWN_LENGTH


class Response:
    """
    An answer whose body the test sends.

    :ivar lost: the client hung up.
    """

    def __init__(self, code: int = 200) -> None:
        self.code = code
        self.length = UNKNOWN_LENGTH
        self.protocol: Any = None
        self.lost = False

    def deliverBody(self, protocol: Any) -> None:
        """IResponse."""
        self.protocol = protocol
        protocol.makeConnection(self)

    def send(self, data: bytes, reason: Exception | None = None) -> None:
        """All of it, and the end."""
        self.protocol.dataReceived(data)
        if not self.lost:
            self.protocol.connectionLost(Failure(reason or ResponseDone()))

    def abortConnection(self) -> None:
        """ITCPTransport."""
        self.lost = True
        self.protocol.connectionLost(Failure(ConnectionAborted()))


class Client:
    """
    :ivar asked: the URLs, and how they were asked for.
    :ivar waiting: who has no answer yet.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.waiting: list[Deferred[Any]] = []

    def get(self, url: str, **options: Any) -> Deferred[Any]:
        """Wait."""
        self.asked.append((url, options))
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def answer(self, body: bytes, code: int = 200) -> Response:
        """To the request that waits longest."""
        response = Response(code)
        self.waiting.pop(0).callback(response)
        if response.protocol is not None:
            response.send(body)
        return response
