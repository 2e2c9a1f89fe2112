"""
WebSockets to a service that speaks HTTP/2 (RFC 8441): a stream of frames that looks like a transport.

The visitor upgrades, as HTTP/1.1 has it; the service gets an extended ``CONNECT``. What is said then is the same.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from ngrok_twisted.net.websocket import accepted
from ngrok_twisted.upstream.syntax import tokens
from ngrok_twisted.upstream.upgraded import Upgraded
from ngrok_twisted.wrapper import ResponseHead


def wants_websocket(request: Any) -> bool:
    """
    Whether a request is for a WebSocket. Any other upgrade cannot be asked for in HTTP/2: the request goes on without it.

    :param request: an `ngrok_twisted.edge.request.EdgeRequest`.
    """
    return bool(request.upgrade_to) and b"websocket" in tokens(request.upgrade_to)


class WebSocketStream:
    """
    A stream as a transport, with as much of `ITransport` as `Upgraded` needs.
    """

    def __init__(self, exchange: Any, request: Any) -> None:
        """
        :param exchange: the `ngrok_twisted.upstream.http2.HTTP2Exchange`.
        :param request: the `EdgeRequest` that wants a WebSocket.
        """
        self._exchange = exchange
        self._request = request
        self._key = next((value for name, value in request.fields if name.lower() == b"sec-websocket-key"), b"")
        self._upgraded: Upgraded | None = None
        self._producer: Any = None
        self._closing = False

    def join(self, head: ResponseHead) -> None:
        """
        The service accepts.

        :param head: of its answer; it becomes a ``101``.
        """
        proof = accepted(self._key)
        fields = [(b"Upgrade", b"websocket"), *([(b"Sec-WebSocket-Accept", proof)] if proof is not None else [])]
        shown = ResponseHead(101, b"Switching Protocols", [*fields, *head.headers], None, True)
        exchange = self._exchange
        self._upgraded = Upgraded(self._request, exchange.connection._clock, exchange.connection.idle_timeout)
        self._upgraded.join(shown, self, b"")

    # -- from the service

    def data_received(self, data: bytes) -> None:
        """Bytes for the visitor."""
        if not self._closing and self._upgraded is not None:
            self._upgraded.dataReceived(data)

    def ended(self) -> None:
        """The service sends no more."""
        if self._upgraded is not None and not self._closing:
            self._upgraded.readConnectionLost()

    def lost(self) -> None:
        """The stream is over, or broken."""
        if self._upgraded is not None:
            self._upgraded.connectionLost(Failure(ConnectionLost()))

    def hold_back(self) -> None:
        """The service takes no more for now."""
        if self._producer is not None:
            self._producer.pauseProducing()

    def go_on(self) -> None:
        """It takes more again."""
        if self._producer is not None:
            self._producer.resumeProducing()

    # -- from the visitor: a transport

    def write(self, data: bytes) -> None:
        """ITransport."""
        self._exchange.send(bytes(data))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """IConsumer."""
        self._producer = producer

    def unregisterProducer(self) -> None:
        """IConsumer."""
        self._producer = None

    def pauseProducing(self) -> None:
        """IPushProducer: the visitor is slow."""
        self._exchange.pauseProducing()

    def resumeProducing(self) -> None:
        """IPushProducer."""
        self._exchange.resumeProducing()

    def stopProducing(self) -> None:
        """IPushProducer: the visitor is gone."""
        self.loseConnection()

    def loseWriteConnection(self) -> None:
        """IHalfCloseableDescriptor."""
        self._exchange.end()

    def loseConnection(self) -> None:
        """ITransport: end the stream after what was written; what the service still says is for nobody."""
        if not self._closing:
            self._closing = True
            self._exchange.resumeProducing()
            self._exchange.end()

    def abortConnection(self) -> None:
        """IAbortableTransport-like."""
        self._exchange.close()
        self.lost()
