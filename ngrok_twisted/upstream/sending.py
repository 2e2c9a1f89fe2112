"""
`RequestSender`: the sending half of an HTTP/1.1 connection to a target.

The head and what is there of the body leave in one write; the rest of the body follows as it comes. Who is slow slows down
the other side. Some targets want a head to wait a moment for its body: see `body_wait`.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.interfaces import IRequestBody
from ngrok_twisted.upstream.chunked import encode_trailers
from ngrok_twisted.upstream.headers import request_head
from ngrok_twisted.upstream.syntax import MalformedMessage
from ngrok_twisted.wrapper import HeadEdit

# What a connection is at: nothing; waiting for a response's head; in a body of one of three framings; raw; closed.
IDLE, HEAD, LENGTH, CHUNKS, CLOSE, RAW, GONE = range(7)


@implementer(IPushProducer, IRequestBody)
class RequestSender:
    """
    :ivar transport: to the target.
    :ivar target: what it is connected to.
    :ivar request: the `EdgeRequest` it serves now, or ``None``.
    :ivar dialled: seconds that it took to connect; 0.0 once it has served a request.
    :ivar unprocessed: never true: nobody can vouch in HTTP/1.1 that a request was not looked at.
    """

    unprocessed = False

    __slots__ = (
        "transport",
        "target",
        "request",
        "dialled",
        "_clock",
        "_failed",
        "_what",
        "_state",
        "_watch",
        "_batch",
        "_pending",
        "_waiting",
        "_rewritten_host",
        "_chunked_upload",
        "_uploaded",
        "_consumed",
        "_answered",
        "_paused",
        "_full",
    )

    def __init__(self, target: Any, clock: Any) -> None:
        self.transport: Any = None
        self.target = target
        self.request: Any = None
        self.dialled = 0.0
        self._clock = clock
        self._failed: Any = None
        self._what: tuple[Any, ...] = ()
        self._state = IDLE
        self._watch: Any = None
        self._batch = False
        self._pending: list[Any] | None = None
        self._waiting: IDelayedCall | None = None
        self._rewritten_host = ""
        self._chunked_upload = False
        self._uploaded = True
        self._consumed = False
        self._answered = False
        self._paused = False
        self._full = False

    def repeats(self, before: RequestSender) -> None:
        """
        Before `start`: the request is sent again.

        :param before: the connection that failed; nothing of the body was consumed.
        """

    def start(self, request: Any, upstream: Any, failed: Any, what: tuple[Any, ...] = ()) -> None:
        """
        Send a request, and pass its response on.

        :param request: an `ngrok_twisted.edge.request.EdgeRequest`.
        :param upstream: the target's `ngrok_twisted.records.endpoint.Upstream`.
        :param failed: ``failed(connection, error, replayable, *what)`` is called instead of a response if there was not one
            byte of it. ``replayable``: nothing of the body was consumed.
        :param what: for ``failed``: it costs a request less than a function that remembers.
        :raises MalformedMessage: the request's head cannot be sent.
        """
        flow = request.flow
        flow.dialled = self.dialled
        length = request.body_length
        self._rewritten_host = rewritten_host = upstream.host_header
        told = request.as_told() if length == 0 else None
        edit = edit_of(request) if request.edits else None
        if told is None or (edit is not None and edit.host):
            head = _head(request, rewritten_host, edit)
        else:
            head = told.request_head(flow.method, flow.target, flow.peer_host, flow.proto, rewritten_host, edit)
        self.request = request
        self._failed = failed
        self._what = what
        self._state = HEAD
        self._answered = self._consumed = False
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
        wait = body_wait(self.target, request)
        if wait and len(self._pending) == 1 and self._state != GONE:
            self._waiting = self._clock.callLater(wait, self._waited)
        else:
            self._write_pending()

    def _waited(self) -> None:
        self._waiting = None
        self._write_pending()

    def _write_pending(self) -> None:
        """The head leaves, with what is there of the body."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()
        pending, self._pending = self._pending, None
        if pending and self._state != GONE:
            self.transport.write(b"".join(pending))

    def bodyReceived(self, data: Any) -> None:
        """IRequestBody."""
        if self._state == GONE or not data:
            return  # a chunk of no bytes would be the end
        self._consumed = True
        self._watch.touch()
        parts = [b"%x\r\n" % len(data), data, b"\r\n"] if self._chunked_upload else [data]
        if self._pending is not None:
            self._pending.append(b"".join(parts))  # a copy: the data is only valid now
            if self._waiting is not None:
                self._write_pending()
        elif self._batch:
            self.transport.writeBatch(parts)
        else:
            self.transport.write(b"".join(parts))

    def bodyFinished(self, trailers: Any) -> None:
        """IRequestBody."""
        self._uploaded = True
        if self._chunked_upload and self._state != GONE:
            try:
                end = encode_trailers(trailers)
            except MalformedMessage as error:
                request = self._detach()
                self._drop()
                request.fail(error)
                return
            if self._pending is not None:
                self._pending.append(end)
                if self._waiting is not None:
                    self._write_pending()
            else:
                self.transport.write(end)

    def bodyFailed(self, reason: Failure) -> None:
        """IRequestBody: the upstream must not take what it got for the whole."""
        self._detach()
        self._drop()

    def pauseProducing(self) -> None:
        """IPushProducer: the visitor is slow."""
        if self._state != GONE:
            self._paused = True
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """IPushProducer."""
        if self._state != GONE:
            self._paused = False
            self._watch.touch()
            self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """IPushProducer: the visitor is gone."""
        self._detach()
        self._drop()

    def _detach(self) -> Any:
        """Let go of the request."""
        request, self.request = self.request, None
        self._failed = None
        self._what = ()
        if request is not None:
            request.unregisterProducer()
            if request.receiver is self:
                request.receiver = None
        return request

    def _drop(self) -> None:
        """Break the connection."""
        if self._state != GONE:
            self._state = GONE
            self._watch.stop()
            self._write_pending()
            self.transport.unregisterProducer()
            (getattr(self.transport, "abortConnection", None) or self.transport.loseConnection)()


def _head(request: Any, rewritten_host: str, edit: HeadEdit | None) -> bytes:
    """
    The head of a request, whatever it is.

    :param rewritten_host: as its `Upstream` has it.
    """
    flow, told, fields = request.flow, request.told, request.fields
    return request_head(
        request.method,
        request.uri,
        fields,
        host=request.authority,
        rewritten_host=rewritten_host.encode("ascii"),
        peer=flow.peer_host.encode("ascii"),
        proto=flow.proto.encode("ascii"),
        length=request.body_length,
        upgrade=request.upgrade_to,
        expects_continue=request.expects_continue,
        edit=edit,
        told=told if told is not None and fields is told.fields else None,
    )


def body_wait(target: Any, request: Any) -> float:
    """
    :param target: an `ITarget`.
    :param request: it has a body.
    :return: seconds that the head of the request waits for the first bytes of the body: see
        `ngrok_twisted.interfaces.ITunnel`.
    """
    return 0.0 if request.expects_continue else getattr(target, "body_wait", 0.0)


def edit_of(request: Any) -> HeadEdit:
    """What all modules together change in the head, now that it is known where it goes."""
    edits = request.edits
    if len(edits) == 1:
        made: HeadEdit = edits[0](request)
        return made
    return reduce(HeadEdit.then, [make_edit(request) for make_edit in edits])


@implementer(IPushProducer)
class Upload:
    """What the upstream's transport holds back when it is full: the request's body."""

    __slots__ = ("_connection",)

    def __init__(self, connection: RequestSender) -> None:
        self._connection = connection

    def pauseProducing(self) -> None:
        """IPushProducer."""
        self._connection._full = True
        if self._connection.request is not None:
            self._connection.request.pause_body()

    def resumeProducing(self) -> None:
        """IPushProducer."""
        self._connection._full = False
        if self._connection.request is not None:
            self._connection.request.resume_body()

    def stopProducing(self) -> None:
        """IPushProducer: `connectionLost` follows."""
