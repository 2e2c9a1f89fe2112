"""
`RequestStream`: the request's half of one stream to a service that speaks HTTP/2.

The body goes out as the service's windows let it. What is short is kept until the answer begins, so that it can be sent again
if the service has not even looked at it.
"""

from __future__ import annotations

from typing import Any

from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.errors import UpstreamInvalid
from ngrok_twisted.interfaces import IRequestBody
from ngrok_twisted.net.timeouts import IdleWatch
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.http2_fields import request_block, trailers_block
from ngrok_twisted.upstream.http2_sending import StreamSender
from ngrok_twisted.upstream.http2_websocket import WebSocketStream, wants_websocket
from ngrok_twisted.upstream.sending import body_wait, edit_of
from ngrok_twisted.upstream.syntax import KILOBYTE, MalformedMessage

#: Bytes of a body that are kept. Nearly all calls of gRPC are shorter.
REPLAYED = 64 * KILOBYTE

#: What a stream is at: not begun; waiting for the service's settings; for the head of the response; in its body; raw; over.
IDLE, UNSETTLED, HEAD, BODY, RAW, OVER = range(6)


@implementer(IRequestBody)
class RequestStream(StreamSender):
    """
    :ivar request: the `EdgeRequest`, or ``None`` once it is answered.
    :ivar dialled: seconds that the request waited for the connection.
    """

    __slots__ = (
        *("request", "dialled", "_failed", "_state", "_watch", "_uploaded", "_repeats", "_replay"),
        *("_trailers", "_websocket"),
    )

    def __init__(self, connection: Any) -> None:
        """
        :param connection: the `SharedConnection` with room for it.
        """
        super().__init__(connection)
        self.request: Any = None
        self.dialled = 0.0
        self._failed: Any = None
        self._state = IDLE
        self._watch: Any = None
        self._uploaded = False
        self._repeats = 0
        self._replay: bytearray | None = bytearray()
        self._trailers = b""
        self._websocket: WebSocketStream | None = None

    def start(self, request: Any, upstream: Any, failed: Any, what: tuple[Any, ...] = ()) -> None:
        """
        Send a request, and pass its response on.

        :param request: an `ngrok_twisted.edge.request.EdgeRequest`.
        :param upstream: the target's `ngrok_twisted.records.endpoint.Upstream`.
        :param failed: ``failed(exchange, error, replayable, *what)`` is called instead of a response if there was not one
            byte of it. ``replayable``: all of the body that was consumed can be sent again, see `repeats`.
        :raises EdgeError: it cannot be sent.
        :raises MalformedMessage: a module has spoilt it.
        """
        request.flow.dialled = self.dialled
        self.request = request
        self._failed = lambda exchange, error, replayable: failed(exchange, error, replayable, *what)
        self._watch = IdleWatch(self.connection._clock, self.connection.idle_timeout, self._idle)
        request.registerProducer(self, True)
        if wants_websocket(request) and not self.connection.settled:
            self._state = UNSETTLED
            self.connection.wait_for_settings(self)
        else:
            self._begin()

    def settled(self) -> None:
        """The service has told whether it takes WebSockets."""
        try:
            self._begin()
        except Exception:
            failure, request = Failure(), self.request
            self.close()
            request.fail(failure)

    def _begin(self) -> None:
        request = self.request
        websocket = wants_websocket(request)
        if websocket and not self.connection.takes_websockets:
            raise UpstreamInvalid("The local service takes no WebSocket over HTTP/2.")
        block = self._block(request, websocket)
        body = websocket or request.body_length != 0
        self._state = HEAD
        before = self.connection.cork()
        try:
            self.connection.start(self, block, not body)
            if websocket:
                self._uploaded = True
                self._websocket = WebSocketStream(self, request)
            elif body:
                self._send_body(request)
            else:
                self._uploaded = self._ending = self._ended = True
        finally:
            self.connection.uncork(before, self._body_wait(request) if body else 0.0)

    def _body_wait(self, request: Any) -> float:
        """:return: seconds that the head waits for the first bytes of its body."""
        came = self._uploaded or self._replay is None or bool(self._replay)
        return 0.0 if came else body_wait(self.connection.target, request)

    def _block(self, request: Any, websocket: bool) -> bytes:
        flow = request.flow
        target = self.connection.target
        upstream = target.upstream
        # an agent that speaks TLS to its service says so, and services refuse the other scheme
        is_tls = upstream.tls or getattr(target, "forwards_to", "").startswith("https:")
        return request_block(
            request.method,
            request.uri,
            request.fields,
            scheme=b"https" if is_tls else b"http",
            host=request.authority,
            rewritten_host=upstream.host_header.encode("ascii"),
            peer=flow.peer_host.encode("ascii"),
            proto=flow.proto.encode("ascii"),
            length=request.body_length,
            expects_continue=request.expects_continue,
            websocket=websocket,
            edit=edit_of(request) if request.edits else None,
        )

    def _send_body(self, request: Any) -> None:
        if self._replay:
            self.send(bytes(self._replay))
        if self._uploaded:
            self.end(self._trailers)
        else:
            request.deliver_body(self)

    def repeats(self, before: RequestStream) -> None:
        """
        Before `start`: the request is sent again.

        :param before: the exchange that failed and was replayable.
        """
        self._repeats = before._repeats + 1
        self._replay = before._replay
        self._uploaded, self._trailers = before._uploaded, before._trailers

    def bodyReceived(self, data: Any) -> None:
        """IRequestBody."""
        if self._state == OVER:
            return
        self._watch.touch()
        kept = bytes(data)
        if self._replay is not None:
            self._replay += kept
            if len(self._replay) > REPLAYED:
                self._replay = None
        self.send(kept)

    def bodyFinished(self, trailers: Any) -> None:
        """IRequestBody."""
        self._uploaded = True
        if self._state == OVER:
            return
        try:
            self._trailers = trailers_block(trailers) if trailers else b""
        except MalformedMessage as error:
            self._fail(error, h2.CANCEL)
        else:
            self.end(self._trailers)

    def bodyFailed(self, reason: Failure) -> None:
        """IRequestBody: the service must not take what it got for the whole."""
        self.stopProducing()

    def hold_back(self) -> None:
        """StreamSender."""
        if self._websocket is not None:
            self._websocket.hold_back()
        elif self.request is not None:
            self.request.pause_body()

    def go_on(self) -> None:
        """StreamSender."""
        if self._websocket is not None:
            self._websocket.go_on()
        elif self.request is not None:
            self.request.resume_body()

    def _idle(self) -> None:
        """Nothing moved for as long as may be."""
        raise NotImplementedError

    def close(self) -> None:
        """Give the stream up."""
        raise NotImplementedError

    def _fail(self, error: Exception, code: int | None) -> None:
        """
        Break the stream off, and tell the visitor.

        :param code: what the service is told; ``None`` if it knows.
        """
        raise NotImplementedError

    def stopProducing(self) -> None:
        """IPushProducer: the visitor is gone."""
        raise NotImplementedError
