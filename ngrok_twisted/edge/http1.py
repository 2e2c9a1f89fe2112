"""
`HTTPChannel`: the HTTP/1.1 server side of one connection (RFC 9112), on any transport, plain or TLS.

It finds the requests in the bytes, hands each over as soon as its head is complete, and writes the responses in order. One
request is worked on at a time; pipelined ones wait as bytes, within a bound. What a connection costs while it is idle is
this object and its transport: there are no buffers.

How a connection goes, by ``_state``::

    HEAD → BODY → REPLY → HEAD      a request with a body; one without goes from HEAD to REPLY at once
           BODY → DRAIN → HEAD      answered before its body was read; the rest is thrown away, up to a bound
    REPLY → RAW                     101: the bytes belong to somebody else
    any → LINGER → GONE             closing; the visitor gets a moment to read what was sent
"""

from __future__ import annotations

from typing import Any, Sequence

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.edge.head import RequestHead, parse_request
from ngrok_twisted.edge.request import EdgeRequest, IRequestChannel
from ngrok_twisted.edge.respond import raw_response
from ngrok_twisted.edge.site import Site
from ngrok_twisted.edge.writing import ResponseWriter
from ngrok_twisted.errors import BadRequest, EdgeError, HeaderTooLarge, RequestTimeout
from ngrok_twisted.flow import Flow
from ngrok_twisted.net.timeouts import IdleWatch
from ngrok_twisted.upstream.chunked import ChunkedDecoder
from ngrok_twisted.upstream.syntax import MalformedMessage

_log = Logger()

_HEAD, _BODY, _REPLY, _DRAIN, _RAW, _LINGER, _GONE = range(7)

# Why reading from the visitor is paused: several reasons may hold at once.
_BACKLOG, _UNWANTED = 1, 2


@implementer(IHalfCloseableProtocol, IPushProducer, IRequestChannel)
class HTTPChannel(ResponseWriter):
    """
    One visitor's connection.

    :ivar site: the `Site` it arrived at.
    """

    __slots__ = (
        "site",
        "_state",
        "_buffer",
        "_scanned",
        "_request",
        "_body_left",
        "_decoder",
        "_held",
        "_pumping",
        "_choked",
        "_input_ended",
        "_fresh",
        "_raw",
        "_watch",
        "_peer_host",
        "_peer_port",
    )

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.site = site
        self._state = _HEAD
        self._buffer: Any = b""
        self._scanned = 0
        self._request: Any = None
        self._body_left = 0
        self._decoder: ChunkedDecoder | None = None
        self._held = 0
        self._pumping = self._choked = self._input_ended = False
        self._fresh = True
        self._raw: Any = None
        self._watch: Any = None
        self._peer_host = ""
        self._peer_port = 0

    # -- the connection

    def makeConnection(self, transport: Any) -> None:
        """IProtocol."""
        self.attach(transport)
        self._watch = IdleWatch(self.site.clock, self.site.limits.first_head, self._idle)
        transport.registerProducer(self, True)
        self.connectionMade()

    def connectionMade(self) -> None:
        """IProtocol."""

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        state = self._state
        if state == _HEAD:
            if self._buffer:
                self._buffer = bytearray(self._buffer) if isinstance(self._buffer, bytes) else self._buffer
                self._buffer += data
            else:
                self._buffer = data
            if not self._pumping:
                self._pump()
        elif state == _RAW:
            self._raw.dataReceived(data)
        elif state == _BODY or state == _DRAIN:
            self._watch.touch()
            if self._buffer:
                self._keep(data)
            else:
                self._body_data(data)
        elif state == _REPLY:
            self._keep(data)
        elif state == _LINGER:
            self._body_left -= len(data)
            if self._body_left < 0:
                self._drop()

    def readConnectionLost(self) -> None:
        """IHalfCloseableProtocol. The visitor sends nothing more, and may still wait for its answers."""
        self._input_ended = True
        state = self._state
        if state == _RAW:
            if IHalfCloseableProtocol.providedBy(self._raw):
                self._raw.readConnectionLost()
            else:
                self.close()
        elif state == _LINGER or state == _DRAIN:
            self.close()
        elif state == _BODY and not self._buffer:
            self._broken_body(BadRequest("The request's body ended early."))
        elif state == _HEAD and not self._pumping and not self._choked:
            self._after_last_head()

    def writeConnectionLost(self) -> None:
        """IHalfCloseableProtocol."""
        if self._state == _RAW and IHalfCloseableProtocol.providedBy(self._raw):
            self._raw.writeConnectionLost()

    def connectionLost(self, reason: Failure) -> None:
        """IProtocol."""
        state, self._state = self._state, _GONE
        self._watch.stop()
        self._buffer = b""
        raw, self._raw = self._raw, None
        request, self._request = self._request, None
        if raw is not None:
            raw.connectionLost(reason)
        if request is not None:
            if state == _BODY and request.receiver is not None:
                request.receiver.bodyFailed(reason)
            request.lost(reason)

    def pauseProducing(self) -> None:
        """IPushProducer: the visitor does not take what was written."""
        self._choked = True
        if self._request is not None:
            self._request.choke()

    def resumeProducing(self) -> None:
        """IPushProducer."""
        self._choked = False
        self._watch.touch()
        if self._request is not None:
            self._request.unchoke()
        elif self._state == _HEAD and not self._pumping:
            self._pump()

    def stopProducing(self) -> None:
        """IPushProducer: the transport is gone; `connectionLost` follows."""

    def close(self) -> None:
        """
        Close when everything is written. A visitor that may still be sending gets the chance to read the response first.
        """
        if self._state == _GONE:
            return
        half_close = getattr(self.transport, "loseWriteConnection", None)
        self.transport.unregisterProducer()
        if self._input_ended or self._state == _LINGER or half_close is None or not self._may_be_sending():
            self._state = _LINGER
            self._body_left = self.site.limits.linger_bytes
            self._watch.change(self.site.limits.idle)
            self.transport.loseConnection()
            return
        self._state = _LINGER
        self._body_left = self.site.limits.linger_bytes
        self._buffer = b""
        self._release(_BACKLOG | _UNWANTED)
        self._watch.change(self.site.limits.linger)
        half_close()

    def _may_be_sending(self) -> bool:
        return self._state in (_BODY, _DRAIN, _HEAD) or bool(self._buffer)

    def _drop(self) -> None:
        """Break the connection."""
        abort = getattr(self.transport, "abortConnection", None) or self.transport.loseConnection
        abort()

    def shut_down(self) -> None:
        """
        The server is stopping: finish the request in flight, then close.
        """
        self.persistent = False
        if self._state == _HEAD and self._request is None:
            self.close()

    def _idle(self) -> None:
        """Nothing moved for as long as may be."""
        state = self._state
        limits = self.site.limits
        if state in (_REPLY, _RAW) and not self._choked:
            self._watch.change(limits.idle)  # who answers has a timeout of its own
        elif state == _HEAD and (self._buffer or self._fresh):
            self._refuse(RequestTimeout())
        elif state == _BODY and not self._choked:
            self._broken_body(RequestTimeout())
            if self._state == _BODY:
                self._drop()
        elif state == _HEAD and not self._choked:
            self.close()
        else:
            self._drop()

    # -- heads

    def _pump(self) -> None:
        """Start requests for as long as there are complete heads and nobody is at work."""
        self._pumping = True
        try:
            while self._state == _HEAD and self._buffer and not self._choked and self._next_head():
                pass
        finally:
            self._pumping = False
        if self._input_ended and self._state == _HEAD and not self._choked:
            self._after_last_head()

    def _after_last_head(self) -> None:
        if self._buffer:
            self._refuse(BadRequest("The request ended early."))
        else:
            self.close()

    def _next_head(self) -> bool:
        """:return: whether a head was complete."""
        buffer = self._buffer
        if buffer.startswith(b"\r\n") and not self._scanned:
            self._buffer = buffer = buffer[2:]  # RFC 9112 section 2.2: one empty line is forgiven
        end = buffer.find(b"\r\n\r\n", self._scanned)
        limit = self.site.limits.head_bytes
        if end < 0 or end + 4 > limit:
            self._partial_head(buffer, limit)
            return False
        self._scanned = 0
        data = bytes(buffer[: end + 4])
        self._buffer = bytes(buffer[end + 4 :]) if len(buffer) > end + 4 else b""
        try:
            head = parse_request(data, self.site.limits.fields)
        except EdgeError as error:
            self._refuse(error)
            return False
        if self._fresh:
            self._fresh = False
            self._arrived()
        self._watch.touch()
        self._start(head)
        return True

    def _partial_head(self, buffer: Any, limit: int) -> None:
        """Wait for more, unless more cannot make it good."""
        start = self._scanned
        bare = buffer.find(b"\n", start)
        while bare > 0 and buffer[bare - 1] == 0x0D:
            bare = buffer.find(b"\n", bare + 1)
        if bare >= 0:
            self._refuse(BadRequest("The request has a line that does not end with CRLF."))
        elif len(buffer) > limit:
            self._refuse(HeaderTooLarge())
        else:
            self._scanned = max(0, len(buffer) - 3)

    def _arrived(self) -> None:
        """The first head is complete: from now on the idle timeout counts."""
        limits = self.site.limits
        if limits.idle != limits.first_head:
            self._watch.change(limits.idle)
        peer = self.transport.getPeer()
        self._peer_host = getattr(peer, "host", "")
        self._peer_port = getattr(peer, "port", 0)

    def _start(self, head: RequestHead) -> None:
        site = self.site
        flow = Flow(self._peer_host, self._peer_port, site.proto, site.clock.seconds(), site.observers)
        flow.method = head.method
        flow.target = head.target
        flow.host = head.host
        length = head.length
        request = EdgeRequest(
            self,
            flow,
            method=head.method,
            uri=head.target,
            clientproto=b"HTTP/1.1" if head.minor else b"HTTP/1.0",
            headers=head.fields,
            authority=head.authority,
            body_length=length,
            upgrade_to=head.upgrade,
            expects_continue=head.expects_continue,
        )
        self._request = request
        self.expect_response(head)
        if length == 0:
            self._state = _REPLY
        else:
            self._state = _BODY
            self._body_left = length or 0
            self._decoder = ChunkedDecoder() if length is None else None
        try:
            result = site.resource_for(request).render(request)
            if result != 1:  # NOT_DONE_YET
                request.complete(result)
        except Exception:
            request.fail(Failure())

    def _refuse(self, error: EdgeError) -> None:
        """Bytes that made no request: answer in the least words, and close."""
        self._buffer = b""
        self.transport.write(raw_response(error))
        self.close()

    # -- bodies

    def _keep(self, data: bytes) -> None:
        """Bytes that nobody wants yet; above the bound the visitor has to wait."""
        self._buffer = bytes(self._buffer) + data if self._buffer else data
        if len(self._buffer) > self.site.limits.backlog_bytes:
            self._hold(_BACKLOG)

    def _body_data(self, data: bytes) -> None:
        receiver = None if self._state == _DRAIN else self._request.receiver
        if receiver is None and self._state == _BODY:
            self._keep(data)
            return
        decoder = self._decoder
        if decoder is not None:
            self._chunked_data(decoder, receiver, data)
            return
        left = self._body_left
        size = len(data)
        rest = b""
        if size > left:
            data, rest, size = data[:left], data[left:], left
        self._body_left = left - size
        if receiver is not None:
            self._request.flow.bytes_in += size
            receiver.bodyReceived(data)
        if not self._body_left:
            self._body_complete([], rest)

    def _chunked_data(self, decoder: ChunkedDecoder, receiver: Any, data: bytes) -> None:
        try:
            pieces = decoder.feed(data)
        except MalformedMessage:
            self._broken_body(BadRequest("The request's chunked body is not valid."))
            return
        request = self._request
        if receiver is not None:
            for piece in pieces:
                request.flow.bytes_in += len(piece)
                receiver.bodyReceived(piece)
        elif self._state == _DRAIN:
            self._body_left -= len(data)
            if self._body_left < 0:
                self.close()
                return
        if decoder.finished and self._state in (_BODY, _DRAIN):
            self._body_complete(decoder.trailers, decoder.rest)

    def _body_complete(self, trailers: list[tuple[bytes, bytes]], rest: bytes) -> None:
        self._decoder = None
        if rest:
            self._buffer = rest
        if self._state == _DRAIN:
            self._go_on()
        elif self._state == _BODY:
            self._state = _REPLY
            receiver, self._request.receiver = self._request.receiver, None
            self._release(_UNWANTED)
            if receiver is not None:
                receiver.bodyFinished(trailers)

    def _broken_body(self, error: EdgeError) -> None:
        """The visitor's message has no end that can be found: tell whoever reads it, answer, and close."""
        self.persistent = False
        if self._state == _DRAIN:
            self.close()
            return
        request = self._request
        receiver, request.receiver = request.receiver, None
        if receiver is not None:
            receiver.bodyFailed(Failure(error))
        if self._request is request:
            request.fail(error)

    def body_wanted(self, request: Any) -> None:
        """IRequestChannel."""
        if request is not self._request:
            return
        if self._state != _BODY:
            receiver, request.receiver = request.receiver, None
            receiver.bodyFinished([])
            return
        data, self._buffer = self._buffer, b""
        self._release(_BACKLOG)
        if data:
            self._body_data(bytes(data))
        if self._input_ended and self._state == _BODY:
            self._broken_body(BadRequest("The request's body ended early."))

    def pause_body(self, request: Any) -> None:
        """IRequestChannel."""
        if request is self._request and self._state == _BODY:
            self._hold(_UNWANTED)

    def resume_body(self, request: Any) -> None:
        """IRequestChannel."""
        self._release(_UNWANTED)

    def _hold(self, why: int) -> None:
        if not self._held and self._state != _GONE:
            self.transport.pauseProducing()
        self._held |= why

    def _release(self, why: int) -> None:
        if self._held:
            self._held &= ~why
            if not self._held and self._state != _GONE:
                self.transport.resumeProducing()

    # -- responses (the rest is in `ResponseWriter`)

    def body_unread(self) -> bool:
        """Whether the visitor's message will still be incomplete, and too long to wait for, when the response is sent."""
        if self._state != _BODY:
            return False
        request = self._request
        if request.expects_continue:
            return True
        return request.receiver is None and self._decoder is None and self._body_left > self.site.limits.drain_bytes

    def touched(self) -> None:
        """Something was written."""
        self._watch.touch()

    def done(self, request: Any) -> None:
        """IRequestChannel."""
        self._request = None
        if not self.persistent or self._state == _GONE:
            self.close()
        elif self._state == _BODY:
            self._drain()
        else:
            self._go_on()

    def _drain(self) -> None:
        """The response is out before the body is in: throw the rest away if it is short."""
        self._state = _DRAIN
        bound = self.site.limits.drain_bytes
        if self._decoder is None and self._body_left > bound:
            self.close()
            return
        if self._decoder is not None:
            self._body_left = bound
        data, self._buffer = self._buffer, b""
        self._release(_BACKLOG | _UNWANTED)
        if data:
            self._body_data(bytes(data))

    def _go_on(self) -> None:
        self._state = _HEAD
        self._scanned = 0
        if self._held:
            self._release(_BACKLOG | _UNWANTED)
        if (self._buffer or self._input_ended) and not self._pumping:
            self._pump()

    def upgrade(self, request: Any, head: Any, protocol: Any) -> None:
        """IRequestChannel."""
        self.write_head(request, head, (), False, ())
        self._state = _RAW
        self._raw = protocol
        data, self._buffer = bytes(self._buffer), b""
        self.transport.unregisterProducer()
        protocol.makeConnection(self.transport)
        if data:
            protocol.dataReceived(data)
        self._release(_BACKLOG | _UNWANTED)
        if self._input_ended and self._state == _RAW:
            self.readConnectionLost()

    def abort(self, request: Any) -> None:
        """IRequestChannel."""
        self.persistent = False
        self._drop()

    def clock(self) -> Any:
        """IRequestChannel."""
        return self.site.clock

    def is_secure(self) -> bool:
        """IRequestChannel."""
        return self.site.proto == "https"

    def get_host(self) -> Any:
        """IRequestChannel."""
        return self.transport.getHost()

    def get_peer(self) -> Any:
        """IRequestChannel."""
        return self.transport.getPeer()
