"""
`UpstreamConnection`: the HTTP/1.1 client side of one connection to a target (RFC 9112), for one request after the other.

The request's body goes out as it comes in, and the response likewise, each read at once; who is slow slows down the other
side. A response that can be read in two ways is refused, as a request is.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.errors import EdgeError, TunnelLost, UpstreamInvalid, UpstreamTimeout
from ngrok_twisted.interfaces import IBatchReceiver, IRequestBody
from ngrok_twisted.net.timeouts import IdleWatch
from ngrok_twisted.upstream.chunked import ChunkedDecoder, encode_trailers
from ngrok_twisted.upstream.headers import request_head, restore_locations
from ngrok_twisted.upstream.response import BY_LENGTH, CHUNKED, NO_BODY, UpstreamResponse, parse_response
from ngrok_twisted.upstream.syntax import KILOBYTE, MalformedMessage
from ngrok_twisted.upstream.upgraded import Upgraded

_log = Logger()

SECONDS = 1.0
MINUTES = 60 * SECONDS

# ngrok's documented limits: a header of 1 MB, five minutes without data.
MAX_HEAD = 1024 * KILOBYTE
IDLE_TIMEOUT = 5 * MINUTES

# Interim responses before the final one; more is a peer that has gone wrong.
MAX_INFORMATIONAL = 32

_IDLE, _HEAD, _LENGTH, _CHUNKS, _CLOSE, _RAW, _GONE = range(7)


@implementer(IBatchReceiver, IHalfCloseableProtocol, IPushProducer, IRequestBody)
class UpstreamConnection:
    """
    :ivar target: what it is connected to.
    :ivar idle_since: seconds on the clock when the pool got it.
    :ivar reused: it has served a request before.
    :ivar request: the one it serves now, or ``None``.
    """

    __slots__ = (
        "transport",
        "target",
        "idle_since",
        "reused",
        "request",
        "_pool",
        "_clock",
        "_failed",
        "_state",
        "_buffer",
        "_left",
        "_decoder",
        "_persistent",
        "_watch",
        "_batch",
        "_pending",
        "_chunked_upload",
        "_uploaded",
        "_consumed",
        "_answered",
        "_informed",
        "_raw",
    )

    def __init__(self, target: Any, clock: Any, pool: Any) -> None:
        """
        :param target: an `ITarget`; it has an ``upstream`` or is taken for a plain one.
        :param pool: the `Pool` to wait in between requests; ``None``: close after the first.
        """
        self.transport: Any = None
        self.target = target
        self.idle_since = 0.0
        self.reused = False
        self.request: Any = None
        self._pool = pool
        self._clock = clock
        self._failed: Any = None
        self._state = _IDLE
        self._buffer: Any = b""
        self._left = 0
        self._decoder: Any = None
        self._persistent = False
        self._watch: Any = None
        self._batch = False
        self._pending: list[Any] | None = None
        self._chunked_upload = False
        self._uploaded = True
        self._consumed = False
        self._answered = False
        self._informed = 0
        self._raw: Any = None

    # -- a request

    def start(self, request: Any, upstream: Any, failed: Any) -> None:
        """
        Send a request, and pass its response on.

        :param request: an `ngrok_twisted.edge.request.EdgeRequest`.
        :param upstream: the target's `ngrok_twisted.records.endpoint.Upstream`.
        :param failed: ``failed(connection, error, replayable)`` is called instead of a response if there was not one byte
            of it. ``replayable``: nothing of the body was consumed.
        :raises MalformedMessage: the request's head cannot be sent.
        """
        flow = request.flow
        length = request.body_length
        head = request_head(
            request.method,
            request.uri,
            request.headers,
            host=request.authority,
            rewritten_host=upstream.host_header.encode("ascii") if upstream.host_header else b"",
            peer=flow.peer_host.encode("ascii"),
            proto=flow.proto.encode("ascii"),
            length=length,
            upgrade=request.upgrade_to,
            expects_continue=request.expects_continue,
        )
        self.request = request
        self._failed = failed
        self._state = _HEAD
        self._answered = self._consumed = False
        self._informed = 0
        self._watch.touch()
        request.registerProducer(self, True)
        if length == 0:
            self._uploaded = True
            self.transport.write(head)
            return
        self._uploaded = False
        self._chunked_upload = length is None
        self._pending = [head]
        request.deliver_body(self)
        pending, self._pending = self._pending, None
        if self._state != _GONE:
            self.transport.write(b"".join(pending))

    # -- the request's body

    def bodyReceived(self, data: Any) -> None:
        """IRequestBody."""
        if self._state == _GONE:
            return
        self._consumed = True
        self._watch.touch()
        parts = [b"%x\r\n" % len(data), data, b"\r\n"] if self._chunked_upload else [data]
        if self._pending is not None:
            self._pending.append(b"".join(parts))  # a copy: the data is only valid now
        elif self._batch:
            self.transport.writeBatch(parts)
        else:
            self.transport.write(b"".join(parts))

    def bodyFinished(self, trailers: Any) -> None:
        """IRequestBody."""
        self._uploaded = True
        if self._chunked_upload and self._state != _GONE:
            end = encode_trailers(trailers)
            if self._pending is not None:
                self._pending.append(end)
            else:
                self.transport.write(end)

    def bodyFailed(self, reason: Failure) -> None:
        """IRequestBody: the upstream must not take what it got for the whole."""
        self._detach()
        self._drop()

    # -- the connection

    def makeConnection(self, transport: Any) -> None:
        """IProtocol."""
        self.transport = transport
        self._batch = hasattr(transport, "writeBatch")
        self._watch = IdleWatch(self._clock, IDLE_TIMEOUT, self._idle)
        transport.registerProducer(_Upload(self), True)

    def batchReceived(self, buffers: list[Any]) -> None:
        """IBatchReceiver."""
        size = sum(map(len, buffers))
        if self._state == _LENGTH and size < self._left:
            self._watch.touch()
            self._left -= size
            self.request.write_batch(buffers)
        else:
            self.dataReceived(b"".join(buffers))

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        self._watch.touch()
        try:
            self._receive(data)
        except MalformedMessage as error:
            _log.debug("invalid response: {error}", error=str(error))
            self._broken(UpstreamInvalid())
        except Exception:
            failure = Failure()
            request = self._detach()
            self._drop()
            if request is not None:
                request.fail(failure)

    def _receive(self, data: bytes) -> None:
        state = self._state
        if state == _HEAD:
            self._head_data(data)
        elif state == _LENGTH:
            self._length_data(data)
        elif state == _CHUNKS:
            self._chunk_data(data)
        elif state == _CLOSE:
            self.request.write_batch((data,))
        elif state == _RAW:
            self._raw.dataReceived(data)
        elif state == _IDLE:
            self.close()  # an answer to nothing

    def _head_data(self, data: bytes) -> None:
        self._answered = True
        while True:
            if self._buffer:
                self._buffer += data
                data = self._buffer
            end = data.find(b"\r\n\r\n")
            if end < 0 or end + 4 > MAX_HEAD:
                if len(data) > MAX_HEAD or not b"HTTP/1.".startswith(bytes(data[:7])):
                    raise MalformedMessage("not a response head")
                self._buffer = data if isinstance(data, bytearray) else bytearray(data)
                return
            self._buffer = b""
            response = parse_response(bytes(data[: end + 4]), self.request.method)
            data = bytes(data[end + 4 :]) if len(data) > end + 4 else b""
            if response.head.status >= 200:
                self._final(response, data)
                return
            if response.head.status == 101:
                self._switch(response, data)
                return
            self._informed += 1
            if self._informed > MAX_INFORMATIONAL:
                raise MalformedMessage("too many informational responses")
            self.request.inform(response.head.status, response.head.reason, response.head.headers)
            if not data or self._state != _HEAD:
                return

    def _final(self, response: UpstreamResponse, data: bytes) -> None:
        head = response.head
        request = self.request
        self._persistent = response.persistent
        upstream = getattr(self.target, "upstream", None)
        if upstream is not None and upstream.host_header:
            restore_locations(
                head, upstream.host_header.encode("ascii"), request.authority, request.flow.proto.encode("ascii")
            )
        framing = response.framing
        if framing == NO_BODY or (framing == BY_LENGTH and len(data) >= (head.length or 0)):
            length = 0 if framing == NO_BODY else head.length or 0
            if len(data) > length:
                self._persistent = False  # it sends what nobody asked for
                data = data[:length]
            self._complete()
            request.respond(head, [data] if data else (), last=True)
        elif framing == BY_LENGTH:
            self._state = _LENGTH
            self._left = (head.length or 0) - len(data)
            request.respond(head, [data] if data else ())
        elif framing == CHUNKED:
            self._decoder = ChunkedDecoder()
            self._chunk_data(data, head)
        else:
            self._state = _CLOSE
            self._persistent = False
            request.respond(head, [data] if data else ())

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
            self._persistent = self._persistent and not decoder.rest
            self._complete()
        else:
            self._state = _CHUNKS
        if head is not None:
            # a whole chunked response in one read keeps its framing: its length was not known when it was made
            request.respond(head, pieces)
        elif pieces:
            request.write_batch(pieces)
        if finished and not request.gone:
            request.finish(decoder.trailers)

    def _switch(self, response: UpstreamResponse, data: bytes) -> None:
        request = self.request
        if not request.upgrade_to:
            raise MalformedMessage("101 to a request without Upgrade")
        request.unregisterProducer()
        self._state = _RAW
        self._failed = None
        self._watch.stop()
        self.request = None
        self.transport.unregisterProducer()
        self._raw = Upgraded(request, self._clock, IDLE_TIMEOUT)
        self._raw.join(response.head, self.transport, data)

    # -- ends

    def _complete(self) -> None:
        """The response is all there: keep the connection if both messages are, or close it."""
        self.request = None
        self._failed = None
        self._decoder = None
        self._state = _IDLE
        if self._persistent and self._uploaded and self._pool is not None:
            self.reused = True
            if self._pool.put(self, self._clock.seconds()):
                return
        self.close()

    def _detach(self) -> Any:
        """Let go of the request."""
        request, self.request = self.request, None
        self._failed = None
        if request is not None:
            request.unregisterProducer()
            if request.receiver is self:
                request.receiver = None
        return request

    def _broken(self, error: EdgeError) -> None:
        """The upstream's side failed."""
        request = self._detach()
        self._drop()
        if request is not None:
            request.fail(error)

    def close(self) -> None:
        """Close after what was written."""
        if self._state == _IDLE and self._pool is not None:
            self._pool.discard(self)
        if self._state != _GONE:
            self._state = _GONE
            self._watch.stop()
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def _drop(self) -> None:
        """Break the connection."""
        if self._state != _GONE:
            self._state = _GONE
            self._watch.stop()
            self.transport.unregisterProducer()
            (getattr(self.transport, "abortConnection", None) or self.transport.loseConnection)()

    def _idle(self) -> None:
        if self._state == _IDLE:
            self.close()
        else:
            self._broken(UpstreamTimeout())

    def readConnectionLost(self) -> None:
        """IHalfCloseableProtocol."""
        if self._state == _RAW:
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
        if state == _GONE:
            return
        self._state = _GONE
        if state == _RAW:
            self._raw.connectionLost(reason)
            return
        if state == _IDLE:
            if self._pool is not None:
                self._pool.discard(self)
            return
        failed = self._failed
        request = self._detach()
        if request is None:
            return
        if state == _CLOSE and reason.check(ConnectionDone):
            request.finish()
        elif state == _HEAD and not self._answered:
            failed(self, TunnelLost("The local service closed the connection without an answer."), not self._consumed)
        else:
            request.fail(UpstreamInvalid("The local service closed the connection in the middle of its answer."))

    # -- back-pressure: the visitor's side calls these

    def pauseProducing(self) -> None:
        """IPushProducer: the visitor is slow."""
        if self._state != _GONE:
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """IPushProducer."""
        if self._state != _GONE:
            self._watch.touch()
            self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """IPushProducer: the visitor is gone."""
        self._detach()
        self._drop()


@implementer(IPushProducer)
class _Upload:
    """What the upstream's transport holds back when it is full: the request's body."""

    __slots__ = ("_connection",)

    def __init__(self, connection: UpstreamConnection) -> None:
        self._connection = connection

    def pauseProducing(self) -> None:
        """IPushProducer."""
        if self._connection.request is not None:
            self._connection.request.pause_body()

    def resumeProducing(self) -> None:
        """IPushProducer."""
        if self._connection.request is not None:
            self._connection.request.resume_body()

    def stopProducing(self) -> None:
        """IPushProducer: `connectionLost` follows."""
