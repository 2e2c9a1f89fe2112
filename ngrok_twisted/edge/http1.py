"""
`HTTPChannel`: the HTTP/1.1 server side of one connection (RFC 9112), on any transport, plain or TLS.

It finds the requests in the bytes, hands each over as soon as its head is complete, and writes the responses in order. One
request is worked on at a time; pipelined ones wait as bytes, within a bound. What a connection costs while it is idle is
this object and its transport: there are no buffers.

Bodies are read in `ngrok_twisted.edge.bodies`, which also shows how a connection goes; responses are written in
`ngrok_twisted.edge.writing`; what can be asked about the connection is in `ngrok_twisted.edge.connection`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.edge.bodies import BACKLOG, BODY, DRAIN, GONE, HEAD, LINGER, RAW, REPLY, UNWANTED
from ngrok_twisted.edge.connection import VisitorConnection
from ngrok_twisted.edge.head import parse_request, repeated_request
from ngrok_twisted.edge.channel import IRequestChannel
from ngrok_twisted.edge.request import EdgeRequest
from ngrok_twisted.edge.respond import raw_response
from ngrok_twisted.edge.site import Site
from ngrok_twisted.edge.writing import BODILESS
from ngrok_twisted.errors import BadRequest, EdgeError, HeaderTooLarge, RequestTimeout
from ngrok_twisted.flow import Flow
from ngrok_twisted.net.timeouts import IdleWatch
from ngrok_twisted.upstream.chunked import ChunkedDecoder
from ngrok_twisted.upstream.headers import Told

_log = Logger()

# How a request may begin: with the token of its method (RFC 9110 section 5.6.2). A TLS record, for one, begins with 0x16.
_STARTS = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

# The empty line that is forgiven before it, as far as it may have come.
_EMPTY_LINES = (b"\r", b"\r\n")


@implementer(IHalfCloseableProtocol, IPushProducer, IRequestChannel)
class HTTPChannel(VisitorConnection):
    """
    One visitor's connection.

    :ivar site: the `Site` it arrived at.
    """

    __slots__ = (
        "_scanned",
        "_pumping",
        "_choked",
        "_fresh",
        "_raw",
        "_peer_host",
        "_peer_port",
    )

    def __init__(self, site: Site) -> None:
        # What all the bases have is set here: a call to each takes as long as to set it.
        self.site = site
        self.transport = self._request = self._decoder = None
        self.persistent = self._fresh = True
        self._batch = self._input_ended = self._pumping = self._choked = False
        self._state = HEAD
        self._buffer = b""
        self._framing = BODILESS
        self._owed = self._body_left = self._held = self._scanned = self._peer_port = 0
        self._minor = 1
        self._opened = 0.0
        self._raw: Any = None
        self._peer_host = ""

    # -- the connection

    def makeConnection(self, transport: Any) -> None:
        """IProtocol."""
        site = self.site
        self.transport = transport
        self._batch = hasattr(transport, "writeBatch")
        self._opened = site.clock.seconds()
        self._watch = IdleWatch(site.clock, site.limits.first_head, self._idle)
        transport.registerProducer(self, True)
        self.connectionMade()

    def connectionMade(self) -> None:
        """IProtocol."""

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        state = self._state
        if state == HEAD:
            if self._buffer or self._choked or self._pumping:
                self._more_heads(data)
                return
            limits = self.site.limits
            known = repeated_request(data, limits.fields) if len(data) <= limits.head_bytes else None
            if known is None:
                self._buffer = data
                self._pump()
            else:  # as usual
                method, target, said = known
                self._start(method, target, said, said)
        elif state == RAW:
            self._raw.dataReceived(data)
        elif state == BODY or state == DRAIN:
            self._watch.touch()
            if self._buffer:
                self._keep(data)
            else:
                self._body_data(data)
        elif state == REPLY:
            self._keep(data)
        elif state == LINGER:
            self._body_left -= len(data)
            if self._body_left < 0:
                self._drop()

    def readConnectionLost(self) -> None:
        """IHalfCloseableProtocol. The visitor sends nothing more, and may still wait for its answers."""
        self._input_ended = True
        state = self._state
        if state == RAW:
            if IHalfCloseableProtocol.providedBy(self._raw):
                self._raw.readConnectionLost()
            else:
                self.close()
        elif state == LINGER or state == DRAIN:
            self.close()
        elif state == BODY and not self._buffer:
            self._broken_body(BadRequest("The request's body ended early."))
        elif state == HEAD and not self._pumping and not self._choked:
            self._after_last_head()

    def writeConnectionLost(self) -> None:
        """IHalfCloseableProtocol."""
        if self._state == RAW and IHalfCloseableProtocol.providedBy(self._raw):
            self._raw.writeConnectionLost()

    def connectionLost(self, reason: Failure) -> None:
        """IProtocol."""
        state, self._state = self._state, GONE
        self._watch.stop()
        self._buffer = b""
        raw, self._raw = self._raw, None
        request, self._request = self._request, None
        if raw is not None:
            raw.connectionLost(reason)
        if request is not None:
            if state == BODY and request.receiver is not None:
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
        elif self._state == HEAD and not self._pumping:
            self._release(BACKLOG)
            self._pump()

    def stopProducing(self) -> None:
        """IPushProducer: the transport is gone; `connectionLost` follows."""

    def close(self) -> None:
        """
        Close when everything is written. A visitor that may still be sending gets the chance to read the response first.
        """
        if self._state == GONE:
            return
        again = self._state == LINGER
        half_close: Any = getattr(self.transport, "loseWriteConnection", None)
        gently = half_close is not None and not self._input_ended and not again and self._may_be_sending()
        self._state = LINGER
        self._buffer = b""
        if not again:
            self._body_left = self.site.limits.linger_bytes
            self.transport.unregisterProducer()
        if gently:
            self._release(BACKLOG | UNWANTED)
            self._watch.change(self.site.limits.linger)
            half_close()
        else:
            self._watch.change(self.site.limits.idle)
            self.transport.loseConnection()

    def _may_be_sending(self) -> bool:
        return self._state in (BODY, DRAIN, HEAD) or bool(self._buffer)

    def _drop(self) -> None:
        """Break the connection."""
        abort = getattr(self.transport, "abortConnection", None) or self.transport.loseConnection
        abort()

    @property
    def arriving(self) -> bool:
        """Whether the first request is still to come."""
        return self._fresh and self._state == HEAD

    @property
    def lingering(self) -> bool:
        """Whether all is answered, and nothing comes any more: only the visitor's end of the connection is waited for."""
        return self._state == LINGER and self._body_left == self.site.limits.linger_bytes

    def shut_down(self) -> None:
        """
        The server is stopping: finish the request in flight, then close.
        """
        self.persistent = False
        if self._state == HEAD and self._request is None:
            self.close()

    def _idle(self) -> None:
        """Nothing moved for as long as may be."""
        state = self._state
        limits = self.site.limits
        if state in (REPLY, RAW) and not self._choked:
            self._watch.change(limits.idle)  # who answers has a timeout of its own
        elif state == HEAD and (self._buffer or self._fresh):
            self._refuse(RequestTimeout())
        elif state == BODY and not self._choked:
            self._broken_body(RequestTimeout())
            if self._state == BODY:
                self._drop()
        elif state == HEAD and not self._choked:
            self.close()
        else:
            self._drop()

    # -- heads

    def _more_heads(self, data: bytes) -> None:
        """What comes while something is waiting already."""
        if self._choked:
            self._keep(data)  # nobody reads the answers: no more requests than may wait
            return
        self._buffer = bytearray(self._buffer) if isinstance(self._buffer, bytes) else self._buffer
        self._buffer += data
        if not self._pumping:
            self._pump()

    def _pump(self) -> None:
        """Start requests for as long as there are complete heads and nobody is at work."""
        self._pumping = True
        try:
            while self._state == HEAD and self._buffer and not self._choked and self._next_head():
                pass
        finally:
            self._pumping = False
        if self._input_ended and self._state == HEAD and not self._choked:
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
        self._start(head.method, head.target, head, head.told)
        return True

    def _partial_head(self, buffer: Any, limit: int) -> None:
        """Wait for more, unless more cannot make it good."""
        start = self._scanned
        bare = buffer.find(b"\n", start)
        while bare > 0 and buffer[bare - 1] == 0x0D:
            bare = buffer.find(b"\n", bare + 1)
        if bare >= 0:
            self._refuse(BadRequest("The request has a line that does not end with CRLF."))
        elif buffer and buffer[0] not in _STARTS and buffer not in _EMPTY_LINES:
            self._refuse(BadRequest())
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

    def _start(self, method: bytes, target: bytes, head: Any, told: Told | None) -> None:
        """
        :param head: as `EdgeRequest` takes it.
        :param told: what is known of its fields.
        """
        if self._fresh:
            self._fresh = False
            self._arrived()
        site = self.site
        now = site.clock.seconds()
        version = b"HTTP/1.1" if head.minor else b"HTTP/1.0"
        flow = Flow(
            self._peer_host, self._peer_port, site.proto, now, site.observers, method, target, head.host, version
        )
        length = head.length
        request = EdgeRequest(self, flow, head, told)
        self._request = request
        self._minor = head.minor  # the version and the visitor's wishes decide about the framing of the response
        if not head.persistent:
            self.persistent = False
        if length == 0:
            self._state = REPLY
        else:
            self._state = BODY
            self._watch.touch()  # without a body, the answer does
            self._body_left = length or 0
            self._decoder = ChunkedDecoder() if length is None else None
        request.answer_at(site)

    def _refuse(self, error: EdgeError) -> None:
        """Bytes that made no request: answer in the least words, and close."""
        self._buffer = b""
        self.transport.write(raw_response(error))
        self.close()

    # -- responses (writing them is in `ResponseWriter`)

    def done(self, request: Any) -> None:
        """IRequestChannel."""
        self._request = None
        state = self._state
        if state == REPLY and self.persistent and not (self._buffer or self._held or self._input_ended):
            self._state = HEAD  # as usual, nothing waits
        elif not self.persistent or state == GONE:
            self.close()
        elif state == BODY:
            self._drain()
        else:
            self._go_on()

    def _go_on(self) -> None:
        self._state = HEAD
        self._scanned = 0
        if self._held:
            self._release(BACKLOG | UNWANTED)
        if (self._buffer or self._input_ended) and not self._pumping:
            self._pump()

    def upgrade(self, request: Any, head: Any, protocol: Any) -> None:
        """IRequestChannel."""
        self.write_head(request, head, (), False, ())
        self._state = RAW
        self._raw = protocol
        data, self._buffer = bytes(self._buffer), b""
        self.transport.unregisterProducer()
        protocol.makeConnection(self.transport)
        if data:
            protocol.dataReceived(data)
        self._release(BACKLOG | UNWANTED)
        if self._input_ended and self._state == RAW:
            self.readConnectionLost()

    def break_off(self, request: Any) -> None:
        """IRequestChannel."""
        self.persistent = False
        self._drop()

    hang_up = break_off
