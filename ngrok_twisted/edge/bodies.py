"""
`RequestBodies`: the bodies of requests on one HTTP/1.1 connection (RFC 9112 sections 6 and 7).

How a connection goes, by ``_state``::

    HEAD → BODY → REPLY → HEAD      a request with a body; one without goes from HEAD to REPLY at once
           BODY → DRAIN → HEAD      answered before its body was read; the rest is thrown away, up to a bound
    REPLY → RAW                     101: the bytes belong to somebody else
    any → LINGER → GONE             closing; the visitor gets a moment to read what was sent
"""

from __future__ import annotations

from typing import Any

from twisted.python.failure import Failure

from ngrok_twisted.edge.site import Site
from ngrok_twisted.edge.writing import ResponseWriter
from ngrok_twisted.errors import BadRequest, EdgeError
from ngrok_twisted.upstream.chunked import ChunkedDecoder
from ngrok_twisted.upstream.syntax import MalformedMessage

HEAD, BODY, REPLY, DRAIN, RAW, LINGER, GONE = range(7)

# Chunks in one read above which they are joined: a body of tiny ones would cost the upstream's side a write for each.
MANY_PIECES = 32

# Why reading from the visitor is paused: several reasons may hold at once.
BACKLOG, UNWANTED = 1, 2


class RequestBodies(ResponseWriter):
    """
    Delivers the body of the current request to whoever wants it, holds it back until somebody does, throws it away when
    nobody will.

    :ivar site: the `Site` the connection arrived at.
    """

    __slots__ = ("site", "_state", "_buffer", "_request", "_body_left", "_decoder", "_held", "_input_ended")

    site: Site
    _state: int
    _buffer: Any
    _request: Any
    _body_left: int
    _decoder: ChunkedDecoder | None
    _held: int
    _input_ended: bool

    def close(self) -> None:
        """Close after what was written."""
        raise NotImplementedError

    def _go_on(self) -> None:
        """The next request may start."""
        raise NotImplementedError

    def _keep(self, data: bytes) -> None:
        """Bytes that nobody wants yet; above the bound the visitor has to wait."""
        self._buffer = bytes(self._buffer) + data if self._buffer else data
        if len(self._buffer) > self.site.limits.backlog_bytes:
            self._hold(BACKLOG)

    def _body_data(self, data: bytes) -> None:
        receiver = None if self._state == DRAIN else self._request.receiver
        if receiver is None and self._state == BODY:
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
            if len(pieces) > MANY_PIECES:
                pieces = [b"".join(pieces)]
            for piece in pieces:
                request.flow.bytes_in += len(piece)
                receiver.bodyReceived(piece)
        elif self._state == DRAIN:
            self._body_left -= len(data)
            if self._body_left < 0:
                self.close()
                return
        if decoder.finished and self._state in (BODY, DRAIN):
            self._body_complete(decoder.trailers, decoder.rest)

    def _body_complete(self, trailers: list[tuple[bytes, bytes]], rest: bytes) -> None:
        self._decoder = None
        if rest:
            self._buffer = rest
        if self._state == DRAIN:
            self._go_on()
        elif self._state == BODY:
            self._state = REPLY
            receiver, self._request.receiver = self._request.receiver, None
            self._release(UNWANTED)
            if receiver is not None:
                receiver.bodyFinished(trailers)

    def _broken_body(self, error: EdgeError) -> None:
        """The visitor's message has no end that can be found: tell whoever reads it, answer, and close."""
        self.persistent = False
        if self._state == DRAIN:
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
        if self._state != BODY:
            receiver, request.receiver = request.receiver, None
            receiver.bodyFinished([])
            return
        data, self._buffer = self._buffer, b""
        self._release(BACKLOG)
        if data:
            self._body_data(bytes(data))
        if self._input_ended and self._state == BODY:
            self._broken_body(BadRequest("The request's body ended early."))

    def pause_body(self, request: Any) -> None:
        """IRequestChannel."""
        if request is self._request and self._state == BODY:
            self._hold(UNWANTED)

    def resume_body(self, request: Any) -> None:
        """IRequestChannel."""
        self._release(UNWANTED)

    def _hold(self, why: int) -> None:
        if not self._held and self._state != GONE:
            self.transport.pauseProducing()
        self._held |= why

    def _release(self, why: int) -> None:
        if self._held:
            self._held &= ~why
            if not self._held and self._state != GONE:
                self.transport.resumeProducing()

    def body_unread(self) -> bool:
        """Whether the visitor's message will still be incomplete, and too long to wait for, when the response is sent."""
        if self._state != BODY:
            return False
        request = self._request
        if request.expects_continue:
            return True
        return request.receiver is None and self._decoder is None and self._body_left > self.site.limits.drain_bytes

    def _drain(self) -> None:
        """The response is out before the body is in: throw the rest away if it is short."""
        self._state = DRAIN
        bound = self.site.limits.drain_bytes
        if self._decoder is None and self._body_left > bound:
            self.close()
            return
        if self._decoder is not None:
            self._body_left = bound
        data, self._buffer = self._buffer, b""
        self._release(BACKLOG | UNWANTED)
        if data:
            self._body_data(bytes(data))
