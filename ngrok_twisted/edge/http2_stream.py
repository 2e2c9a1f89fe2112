"""
`HTTP2Stream`: one request, and the response to it, on a connection that carries many.
"""

from __future__ import annotations

from typing import Any, Sequence

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.edge.channel import IRequestChannel
from ngrok_twisted.edge.connection import ConnectionFacts
from ngrok_twisted.edge.head import RequestHead
from ngrok_twisted.edge.http2_head import response_block
from ngrok_twisted.edge.http2_receiving import StreamBody
from ngrok_twisted.edge.http2_websocket import StreamTransport, add_key, opened
from ngrok_twisted.edge.request import EdgeRequest
from ngrok_twisted.edge.respond import error_response
from ngrok_twisted.edge.site import Site
from ngrok_twisted.errors import EdgeError, RequestTimeout, UpstreamInvalid
from ngrok_twisted.flow import Flow
from ngrok_twisted.net.timeouts import IdleWatch
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.response import Said
from ngrok_twisted.upstream.syntax import Fields

#: How the policy language and the logs call the version.
VERSION = b"HTTP/2.0"


@implementer(IRequestChannel)
class HTTP2Stream(StreamBody, ConnectionFacts):
    """
    The channel of one request.

    :ivar connection: the `ngrok_twisted.edge.http2.HTTP2Connection`.
    """

    __slots__ = ("connection", "_watch", "_key", "_raw")

    def __init__(self, connection: Any, stream_id: int, ended: bool) -> None:
        """
        :param ended: the visitor sends nothing behind the head.
        """
        super().__init__(stream_id, connection.output, connection.windows, ended)
        self.connection = connection
        self._watch: IdleWatch | None = None
        self._key = b""  # of the handshake that the edge makes in the visitor's place
        self._raw: StreamTransport | None = None

    @property
    def site(self) -> Site:  # type: ignore[override]
        """The `Site` the connection arrived at."""
        site: Site = self.connection.site
        return site

    @property
    def transport(self) -> Any:
        """The connection's."""
        return self.connection.transport

    @property
    def _opened(self) -> float:  # type: ignore[override]
        opened: float = self.connection.opened_at
        return opened

    # -- the request

    def start(self, head: RequestHead) -> None:
        """
        Have a request answered.

        :param head: what the visitor sent; others may have the same.
        """
        site = self.connection.site
        host, port = self.connection.peer
        now = site.clock.seconds()
        flow = Flow(host, port, site.proto, now, site.observers, head.method, head.target, head.host, VERSION)
        self._left = None if head.upgrade else head.length
        if head.upgrade:
            self._key = add_key(head, site.random)
        request = EdgeRequest(self, flow, head, head.told, head.own_fields)
        self.request = request
        if not self.ended:
            self.waits()
        try:
            resource = site.resource_for(request)
        except Exception:
            request.fail(Failure())
        else:
            request.answer_with(resource)

    def refuse(self, error: EdgeError) -> None:
        """Answer a head that made no request."""
        head, body = error_response(error, b"", 0, self.connection.site.clock.seconds())
        self.write_head(None, head, (body,), True, ())

    # -- IRequestChannel

    def write_head(self, request: Any, head: Any, buffers: Sequence[Any], last: bool, trailers: Any) -> None:
        """IRequestChannel."""
        if self._key and 200 <= head.status < 300:
            self._not_switched(request)  # the visitor would take it for an open WebSocket
        else:
            super().write_head(request, head, buffers, last, trailers)

    def write_as_told(self, request: Any, told: Said, body: bytes) -> bool:
        """IRequestChannel."""
        return not self._key and super().write_as_told(request, told, body)

    def done(self, request: Any) -> None:
        """IRequestChannel."""
        if request is not self.request:
            return  # the stream was reset meanwhile
        self.request = None
        self._pieces = None
        if self.sent_all:
            self._leave()

    def upgrade(self, request: Any, head: Any, protocol: Any) -> None:
        """IRequestChannel. The visitor is told 200 (RFC 8441 section 5)."""
        fields = opened(head, self._key)
        transport = StreamTransport(self, protocol)
        if fields is None:
            self._not_switched(request)
            self.request = transport
            protocol.makeConnection(transport)
            return
        self.request = self._raw = transport
        self.waits()
        self._write_head(response_block(200, fields), (), 0, False, ())
        protocol.makeConnection(transport)
        self.body_wanted(transport)

    def _not_switched(self, request: Any) -> None:
        """The service did not do what the visitor asked for: say so, and let go of the service."""
        error = UpstreamInvalid("The local service did not accept the WebSocket.")
        head, body = error_response(error, b"", request.flow.number, self.connection.site.clock.seconds())
        request.flow.status, request.flow.error = error.status, error
        self._key = b""
        super().write_head(request, head, (body,), True, ())
        self.connection.site.clock.callLater(0, self._let_go)

    def _let_go(self) -> None:
        """The visitor has its answer: whoever still sends another is stopped."""
        request, self.request = self.request, None
        if request is not None:
            request.lost(Failure(ConnectionDone()))
            if self.sent_all:
                self._leave()

    def shut_down(self) -> None:
        """IRequestChannel."""
        self.connection.shut_down()

    def break_off(self, request: Any) -> None:
        """IRequestChannel."""
        error = None if request is None else request.flow.error
        code = None if error is None else error.reset_code
        self.reset(h2.INTERNAL_ERROR if code is None else code)

    def hang_up(self, request: Any) -> None:
        """IRequestChannel."""
        self.connection.abort()

    # -- ends

    def finished(self) -> None:
        """StreamWriter."""
        self.connection.answered()
        if self._raw is not None:
            self._raw.all_sent()
        elif self.request is None:
            self._leave()

    def end_came(self, trailers: Fields) -> None:
        """StreamBody."""
        super().end_came(trailers)
        if self.sent_all and self.request is None:
            self._gone()

    def broken(self, error: EdgeError) -> None:
        """StreamBody."""
        self.fail_body(Failure(error))
        self.reset(h2.PROTOCOL_ERROR)
        self.connection.provoked()

    def leave(self) -> None:
        """Nobody speaks on the stream any more."""
        self.request = self._raw = None
        if self.sent_all:
            self._leave()

    def _leave(self) -> None:
        """
        Everything is sent. What the visitor still sends is thrown away for a moment, since a stream that ends in a reset
        looks broken to some; then it is stopped (RFC 9113 section 8.1).
        """
        if self.ended:
            self._gone()
        else:
            self.waits()
            if self._watch is not None:
                self._watch.change(self.connection.site.limits.linger)

    def reset(self, code: int) -> None:
        """StreamWriter."""
        if self.connection.streams.get(self.id) is self:
            self._output.write((self.connection.engine.reset(self.id, code),))
            self.lost(Failure(ConnectionAborted(f"reset with {h2.code_name(code)}")))

    def lost(self, reason: Failure) -> None:
        """The stream is no more."""
        self.discard()
        request = self.request
        self.fail_body(reason)
        self.request = self._raw = None
        self._gone()
        if request is not None:
            request.lost(reason)

    def _gone(self) -> None:
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        self.give_back()
        self.connection.stream_gone(self)

    # -- time

    def touched(self) -> None:
        """Something moved."""
        self.connection.touched()
        if self._watch is not None:
            self._watch.touch()

    def waits(self) -> None:
        """StreamWriter: from now on there is somebody to wait for."""
        if self._watch is None:
            site = self.connection.site
            self._watch = IdleWatch(site.clock, site.limits.idle, self._stalled)

    def _stalled(self) -> None:
        """Nothing moved for as long as may be."""
        request = self.request
        if self.sent_all and request is None:
            self.reset(h2.NO_ERROR)
        elif self._queued and not self._output.full:
            self.reset(h2.CANCEL)
        elif request is not None and not self.ended and not self._paused and request.receiver is not None:
            if request.started:
                self.reset(h2.CANCEL)
            else:
                self.fail_body(Failure(RequestTimeout()))
                request.fail(RequestTimeout())
        elif self._watch is not None:
            self._watch.change(self.connection.site.limits.idle)  # others have timeouts of their own
