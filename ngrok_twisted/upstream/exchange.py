"""
`UpstreamConnection`: the HTTP/1.1 client side of one connection to a target (RFC 9112), for one request after the other.

The request's body goes out as it comes in, and the response likewise, each read at once; who is slow slows down the other
side. A response that can be read in two ways is refused, as a request is.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.errors import EdgeError, TunnelLost, UpstreamInvalid, UpstreamTimeout
from ngrok_twisted.interfaces import IBatchReceiver
from ngrok_twisted.net.timeouts import IdleWatch
from ngrok_twisted.upstream.chunked import ChunkedDecoder
from ngrok_twisted.upstream.http2_frames import begins
from ngrok_twisted.upstream.locations import restore_locations
from ngrok_twisted.upstream.response import (
    BY_LENGTH,
    CHUNKED,
    NO_BODY,
    Said,
    UpstreamResponse,
    parse_response,
    response_to,
)
from ngrok_twisted.upstream.sending import CHUNKS, CLOSE, GONE, HEAD, IDLE, LENGTH, RAW, RequestSender, Upload
from ngrok_twisted.upstream.syntax import KILOBYTE, MalformedMessage
from ngrok_twisted.upstream.upgraded import Upgraded

_log = Logger()

SECONDS = 1.0
MINUTES = 60 * SECONDS

# ngrok's documented limits: a header of 1 MB, five minutes without data.
MAX_HEAD = 1024 * KILOBYTE
IDLE_TIMEOUT = 5 * MINUTES

# Heads that a connection remembers, in case the next one is the same; larger ones are few.
MAX_REPEATED = 2 * KILOBYTE

# Interim responses before the final one; more is a peer that has gone wrong.
MAX_INFORMATIONAL = 32


@implementer(IBatchReceiver, IHalfCloseableProtocol)
class UpstreamConnection(RequestSender):
    """
    :ivar idle_since: seconds on the clock when the pool got it.
    :ivar reused: it has served a request before.
    """

    __slots__ = (
        *(
            "idle_since",
            "reused",
            "_idle_timeout",
            "_pool",
            "_buffer",
            "_left",
            "_decoder",
            "_persistent",
            "_informed",
            "_said",
            "_raw",
        ),
        "__weakref__",  # a tunnel that closes remembers its streams by it
    )

    def __init__(self, target: Any, clock: Any, pool: Any, idle_timeout: float = IDLE_TIMEOUT) -> None:
        """
        :param target: an `ITarget`; it has an ``upstream`` or is taken for a plain one.
        :param pool: the `Pool` to wait in between requests; ``None``: close after the first.
        :param idle_timeout: seconds without a byte in either direction until it is given up.
        """
        super().__init__(target, clock)
        self._idle_timeout = idle_timeout
        self.idle_since = 0.0
        self.reused = False
        self._pool = pool
        self._buffer: Any = b""
        self._left = 0
        self._decoder: Any = None
        self._persistent = False
        self._informed = 0
        self._said: Said | None = None
        self._raw: Any = None

    # -- the connection

    def makeConnection(self, transport: Any) -> None:
        """IProtocol."""
        self.transport = transport
        self._batch = hasattr(transport, "writeBatch")
        give_to = getattr(transport, "give_to", None)
        if give_to is not None:
            give_to(self)  # past the wrapper that client endpoints put between
        self._watch = IdleWatch(self._clock, self._idle_timeout, self._idle)
        transport.registerProducer(Upload(self), True)

    def connectionMade(self) -> None:
        """IProtocol."""

    def batchReceived(self, buffers: list[Any]) -> None:
        """IBatchReceiver."""
        if self._state == LENGTH:
            size = sum(map(len, buffers))
            if size < self._left:
                self._watch.touch()
                self._left -= size
                self.request.write_batch(buffers)
                return
        self.dataReceived(bytes(buffers[0]) if len(buffers) == 1 else b"".join(buffers))

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        request = self.request
        error: Any
        try:
            if self._state == HEAD:
                self._head_data(data)
            else:
                self._receive(data)
            return
        except MalformedMessage as malformed:
            _log.debug("invalid response: {error}", error=str(malformed))
            error = UpstreamInvalid()
        except UpstreamInvalid as invalid:
            error = invalid
        except Exception:
            error = Failure()
        # with another request, or none, the response was complete: the connection is at work again, or at rest
        if self.request is request:
            self._detach()
            self._drop()
        if request is not None:
            request.fail(error)

    def _receive(self, data: bytes) -> None:
        self._watch.touch()
        state = self._state
        if state == LENGTH:
            self._length_data(data)
        elif state == CHUNKS:
            self._chunk_data(data)
        elif state == CLOSE:
            self.request.write_batch((data,))
        elif state == RAW:
            self._raw.dataReceived(data)
        elif state == IDLE:
            self.close()  # an answer to nothing

    def _head_data(self, data: bytes) -> None:
        self._answered = True
        said = self._said
        if said is None or self._buffer or not data.startswith(said.head):
            self._new_head(data)
            return
        # Most services repeat themselves: the same bytes end where they ended before.
        request, body = self.request, data[len(said.head) :]
        if said.framing == BY_LENGTH and said.length == len(body) and not self._rewritten_host:
            self._persistent = said.persistent
            self._informed = 0
            self._complete()
            request.respond_as_told(said, body)
        else:
            self._watch.touch()
            self._final(response_to(request.method, said), body)

    def _new_head(self, data: bytes) -> None:
        self._watch.touch()
        while True:
            if self._buffer:
                self._buffer += data
                data = self._buffer
            end = data.find(b"\r\n\r\n")
            if end < 0 or end + 4 > MAX_HEAD:
                if len(data) > MAX_HEAD or not b"HTTP/1.".startswith(bytes(data[:7])):
                    _recognise(data)
                    raise MalformedMessage("not a response head")
                if data.count(b"\n") != data.count(b"\r\n"):
                    raise MalformedMessage("bare line end")  # more would not make it good
                self._buffer = data if isinstance(data, bytearray) else bytearray(data)
                return
            self._buffer = b""
            response = parse_response(bytes(data[: end + 4]), self.request.method)
            data = bytes(data[end + 4 :]) if len(data) > end + 4 else b""
            if response.status >= 200:
                self._said = response.said if end <= MAX_REPEATED else None
                self._final(response, data)
                return
            if response.status == 101:
                self._switch(response, data)
                return
            self._informed += 1
            if self._informed > MAX_INFORMATIONAL:
                raise MalformedMessage("too many informational responses")
            self.request.inform(response.status, response.reason, response.headers)
            if not data or self._state != HEAD:
                return

    def _final(self, head: UpstreamResponse, data: bytes) -> None:
        self._informed = 0
        request = self.request
        self._persistent = head.persistent
        if self._rewritten_host:
            rewritten, proto = self._rewritten_host.encode("ascii"), request.flow.proto.encode("ascii")
            restore_locations(head, rewritten, request.authority, proto)
        framing = head.framing
        length = 0 if framing == NO_BODY else head.length or 0
        if framing == NO_BODY or (framing == BY_LENGTH and len(data) >= length):
            if len(data) > length:
                self._persistent = False  # it sends what nobody asked for
                data = data[:length]
            self._complete()
            request.respond(head, (data,) if data else (), last=True)
        elif framing == BY_LENGTH:
            self._state = LENGTH
            self._left = length - len(data)
            request.respond(head, (data,) if data else ())
        elif framing == CHUNKED:
            self._decoder = ChunkedDecoder()
            self._chunk_data(data, head)
        else:
            self._state = CLOSE
            self._persistent = False
            request.respond(head, (data,) if data else ())

    def _length_data(self, data: bytes) -> None:
        request = self.request
        size = len(data)
        if size < self._left:
            self._left -= size
            request.write_batch((data,))
            return
        if size > self._left:
            self._persistent = False
            data = data[: self._left]
        self._complete()
        request.write_batch((data,))
        request.finish()

    def _chunk_data(self, data: bytes, head: Any = None) -> None:
        decoder = self._decoder
        request = self.request
        pieces = decoder.feed(data)
        finished = decoder.finished
        if finished:
            self._decoder = None
            self._persistent = self._persistent and not decoder.rest
            self._complete()
        else:
            self._state = CHUNKS
        if head is not None:
            request.respond(head, pieces, last=finished, trailers=decoder.trailers if finished else ())
            return
        if pieces:
            request.write_batch(pieces)
        if finished and not request.gone:
            request.finish(decoder.trailers)

    def _switch(self, response: UpstreamResponse, data: bytes) -> None:
        request = self.request
        if not request.upgrade_to:
            raise MalformedMessage("101 to a request without Upgrade")
        request.unregisterProducer()
        self._state = RAW
        self._failed = None
        self._what = ()
        self._watch.stop()
        self.request = None
        self.transport.unregisterProducer()
        self._raw = Upgraded(request, self._clock, self._idle_timeout)
        self._raw.join(response, self.transport, data)

    # -- ends

    def _complete(self) -> None:
        """The response is all there: keep the connection if both messages are, or close it."""
        request = self.request
        if not self._uploaded and request.receiver is self and not request.expects_continue:
            request.receiver = None  # nobody reads the rest: the channel must know before it writes the head
        # the visitor may fall behind while it is given the end, and must not hold back whoever gets the connection next
        request.unregisterProducer()
        self.request = self._failed = None
        self._what = ()
        self._state = IDLE
        if self._persistent and self._uploaded and self._pool is not None:
            self.reused = True
            self.dialled = 0.0
            if self._paused:
                self.resumeProducing()
            if self._pool.put(self, self._clock.seconds()):
                return
        self.close()

    def _broken(self, error: EdgeError) -> None:
        """The upstream's side failed."""
        request = self._detach()
        self._drop()
        if request is not None:
            request.fail(error)

    def close(self) -> None:
        """Close after what was written."""
        if self._state == IDLE and self._pool is not None:
            self._pool.discard(self)
        if self._state != GONE:
            self._state = GONE
            self._watch.stop()
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def _idle(self) -> None:
        if self._state == IDLE:
            self.close()
        elif self._state == HEAD and not self._uploaded and not self._full:
            self._watch.change(self._idle_timeout)  # the visitor stopped in the middle, and has a timeout of its own
        else:
            self._broken(UpstreamTimeout())

    def readConnectionLost(self) -> None:
        """IHalfCloseableProtocol."""
        if self._state == RAW:
            self._raw.readConnectionLost()
        else:
            transport = self.transport
            self.connectionLost(Failure(ConnectionDone()))
            transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """IHalfCloseableProtocol."""

    def connectionLost(self, reason: Failure) -> None:
        """IProtocol."""
        state = self._state
        self._watch.stop()
        if state == GONE:
            return
        self._state = GONE
        if state == RAW:
            self._raw.connectionLost(reason)
            return
        if state == IDLE:
            if self._pool is not None:
                self._pool.discard(self)
            return
        failed, what = self._failed, self._what
        request = self._detach()
        if request is None:
            return
        if state == CLOSE and reason.check(ConnectionDone):
            request.finish()
        elif state == HEAD and not self._answered:
            error = TunnelLost("The local service closed the connection without an answer.")
            failed(self, error, not self._consumed, *what)
        else:
            request.fail(UpstreamInvalid("The local service closed the connection in the middle of its answer."))


def _recognise(data: bytes) -> None:
    """
    :raises UpstreamInvalid: these bytes are no HTTP/1.1, and it is known what they are instead.
    """
    if begins(data):
        raise UpstreamInvalid(
            "The local service speaks HTTP/2, but was published without http2 as its upstream protocol."
        )
