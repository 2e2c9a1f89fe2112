"""
`EdgeRequest`: one HTTP request on its way, and the response to it.

It is made when the head of the request is complete and provides `twisted.web.iweb.IRequest`, so that stock resources and
wrappers can answer it (that half is in `ngrok_twisted.edge.stock`). What speaks to the visitor is an
`ngrok_twisted.edge.channel.IRequestChannel`: HTTP/1.1 has one, other versions bring theirs.
"""

from __future__ import annotations

from typing import Any, Callable, Sequence

from twisted.internet.error import ConnectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from ngrok_twisted.edge.filters import ResponseFilters
from ngrok_twisted.edge.grpc import last_words
from ngrok_twisted.edge.respond import respond_with_error
from ngrok_twisted.errors import EdgeError
from ngrok_twisted.flow import Flow
from ngrok_twisted.upstream.headers import Told
from ngrok_twisted.upstream.response import Said, UpstreamResponse, response_to
from ngrok_twisted.upstream.syntax import Fields
from ngrok_twisted.wrapper import ResponseHead

_log = Logger()

Trailers = Sequence[tuple[bytes, bytes]]


@implementer(IRequest)
class EdgeRequest(ResponseFilters):
    """
    :ivar flow: the `Flow`; it ends once, with the response or the connection.
    :ivar method: as sent.
    :ivar uri: the request target in origin-form, or ``*``, undecoded.
    :ivar clientproto: the visitor's version, such as ``b"HTTP/1.1"``.
    :ivar authority: ``Host`` as sent, with its port.
    :ivar body_length: in bytes; 0 without a body, ``None`` when chunked.
    :ivar upgrade_to: the protocol of an ``Upgrade``, or empty.
    :ivar expects_continue: the visitor waits for 100 before it sends its body.
    :ivar receiver: the `ngrok_twisted.interfaces.IRequestBody`, set by `deliver_body`.
    :ivar edits: what `ngrok_twisted.wrapper.Prepared` modules will change in the head that the upstream gets, in order.
    :ivar started: the response's head was sent, or is about to be.
    :ivar finished: 1 once the response is complete, as `twisted.web.http.Request` has it.
    :ivar gone: the visitor is no longer there.
    """

    __slots__ = (
        "channel",
        "flow",
        "method",
        "uri",
        "clientproto",
        "upgrade_to",
        "edits",
        "started",
        "finished",
        "gone",
    )

    def __init__(self, channel: Any, flow: Flow, head: Any, told: Told | None, fields: Fields | None = None) -> None:
        """
        :param flow: it has the method, the target, and the visitor's version.
        :param head: a `ngrok_twisted.edge.head.RequestHead`, or what else has the same to say of the rest.
        :param told: what is known of the fields.
        :param fields: the fields, which are the request's from now on, where they are not those in ``told``.
        """
        self.channel = channel
        self.flow = flow
        self.method = flow.method
        self.uri = flow.target
        self.clientproto = flow.version
        self.told = told
        self._headers = fields
        self.authority = head.authority
        self.body_length = head.length
        self.upgrade_to = head.upgrade
        self.expects_continue = head.expects_continue
        self.receiver: Any = None
        self.edits: tuple[Callable[[Any], Any], ...] = ()
        self.started = False
        self.finished = 0
        self.gone = False
        self._bodiless = flow.method == b"HEAD"
        self._filters: list[Any] | None = None
        self._producer = None
        self._choked = False
        self._notifications: list[Any] | None = None
        self._stored_body = None

    # -- who answers

    def answer_at(self, site: Any) -> None:
        """
        Let the resource answer that a site has for this request, which has just come.

        :param site: an `ngrok_twisted.edge.site.Site`.
        """
        try:
            result = self.rendered(site.resource_for(self))
            if result is not NOT_DONE_YET:
                self.complete(result)
        except Exception:
            self.fail(Failure())

    def answer_with(self, resource: Any) -> None:
        """
        Let a resource answer. Whatever it raises becomes the answer.

        :param resource: an `IResource`; one that is not a leaf is asked for its child first.
        """
        if self.gone or self.finished:
            return  # a module made up its mind after the visitor had left, or had been sent away
        try:
            result = self.rendered(resource)
            if result is not NOT_DONE_YET:
                self.complete(result)
        except Exception:
            self.fail(Failure())

    def complete(self, result: Any) -> None:
        """
        Take what a ``render`` returned.

        :param result: ``bytes`` of a whole body, or ``NOT_DONE_YET``.
        :raises TypeError: it is something else.
        """
        if result == NOT_DONE_YET and type(result) is int:
            return
        if not isinstance(result, bytes):
            raise TypeError(f"render returned {type(result).__name__}")
        if not self.finished and not self.gone:
            self.respond(self.stock_head(len(result)), [result] if result else [], last=True)

    def fail(self, reason: Any) -> None:
        """
        Something went wrong: tell the visitor, in the one way that is still possible.

        :param reason: a `Failure` or an exception; an `EdgeError` chooses the answer, anything else is a defect of ours.
        """
        error = reason.value if isinstance(reason, Failure) else reason
        if self.gone or self.finished:
            return
        if not isinstance(error, EdgeError):
            _log.failure(
                "flow {flow} failed",
                failure=reason if isinstance(reason, Failure) else Failure(reason),
                flow=self.flow.number,
            )
            error = EdgeError(status=500)
        error.__traceback__ = (
            None  # its frames hold this request: a cycle, which only the garbage collector would break
        )
        self.flow.error = error
        if not self.started:
            respond_with_error(self, error)
        elif trailers := last_words(self, error):
            self.finish(trailers)
        else:
            self.abort()

    # -- the response

    def respond(
        self, head: ResponseHead, buffers: Sequence[Any] = (), *, last: bool = False, trailers: Trailers = ()
    ) -> None:
        """
        Send the head of the response, and with it what is there of the body.

        :param head: the `ResponseHead`; it is the request's from now on.
        :param buffers: bytes-like objects, valid during the call.
        :param last: the body ends here.
        :param trailers: with ``last``, for a chunked message.
        :raises RuntimeError: there was a response already.
        """
        if self.started:
            raise RuntimeError("the response has started already")
        if self.expects_continue and self.receiver is None and head.status < 400:
            # Answered without a look at the body. The visitor is told to send it first, so that the connection stays usable.
            self.inform(100, b"Continue", [])
        self.started = True
        if self.gone:
            return
        self.flow.status = status = head.status
        if self._bodiless or status == 204 or status == 304:
            head.bodiless = self._bodiless = True
            buffers = ()
        if self._filters is not None:
            if last and head.length is None and not head.bodiless and not trailers:
                head.length = sum(map(len, buffers))  # filters may want to know how much is coming
            self._begin(head)
        self._send(head, buffers, last, trailers)

    def _send(self, head: ResponseHead, buffers: Sequence[Any], last: bool, trailers: Trailers = ()) -> None:
        """Send the head, which filters have seen, and what is there of the body."""
        flow, status = self.flow, head.status
        if status != flow.status:  # another answer, which may have a body although the first had none
            flow.status = status
            head.bodiless = self._bodiless = self.method == b"HEAD" or status == 204 or status == 304
            buffers = () if self._bodiless else buffers
        if self._filters is not None:
            buffers = self._filtered(self._filters, buffers, last)
        for data in buffers:
            flow.bytes_out += len(data)
        self.channel.write_head(self, head, buffers, last, trailers)
        if last:
            self._ended()

    def respond_as_told(self, told: Said, body: bytes) -> None:
        """
        `respond` with all of a response that is as its service has told it before. Where nobody wants to look at it, it is
        written without being taken apart.

        :param told: what it said, with the length of the body.
        :raises RuntimeError: there was a response already.
        """
        if self._bodiless or self.started or self.gone or self.expects_continue:
            self.respond(response_to(self.method, told), (body,) if body else (), last=True)
            return
        self.started = True
        flow = self.flow
        flow.status = told.status
        head: UpstreamResponse | None = None
        now: Said | None = told
        if self._filters is not None:
            head = UpstreamResponse(told)
            self._begin(head)
            now = head.as_told() if self._filters is None and head.length == told.length else None
        if now is None or not self.channel.write_as_told(self, now, body):
            self._send(head or UpstreamResponse(told), (body,) if body else (), True)
            return
        flow.bytes_out += len(body)
        self._ended()

    def write(self, data: Any) -> None:
        """
        IRequest. Send bytes of the body; the head goes first if it did not go yet.

        :param data: bytes-like, valid during the call.
        """
        self.write_batch((data,))

    def write_batch(self, buffers: Sequence[Any]) -> None:
        """
        Send several buffers at once, without a copy where the transport can.

        :param buffers: bytes-like objects, valid during the call.
        """
        if not self.started:
            self.respond(self.stock_head(None), buffers)
            return
        if self.gone or self._bodiless or self.finished:
            return
        if self._filters is not None:
            buffers = self._filtered(self._filters, buffers, False)
        for data in buffers:
            self.flow.bytes_out += len(data)
        if buffers:
            self.channel.write_body(self, buffers)

    def finish(self, trailers: Trailers = ()) -> None:
        """
        IRequest. The response is complete.

        :param trailers: ``(name, value)`` pairs for the end of a chunked message.
        :raises RuntimeError: it was complete before.
        """
        if self.finished:
            raise RuntimeError("the response was finished already")
        if not self.started:
            self.respond(self.stock_head(0 if self._stock_length() is None else None), last=True, trailers=trailers)
            return
        if self.gone:
            return
        if self._filters is not None and not self._bodiless:
            rest = self._filtered(self._filters, (), True)
            if rest:
                self.flow.bytes_out += sum(map(len, rest))
                self.channel.write_body(self, rest)
        self.channel.end(self, trailers)
        self._ended()

    def inform(self, status: int, reason: bytes, fields: list[tuple[bytes, bytes]]) -> None:
        """
        Pass an informational response on.

        :param status: 100 to 199, not 101. A 100 that the visitor does not wait for is left out.
        """
        if self.started or self.gone or (status == 100 and not self.expects_continue):
            return
        if status == 100:
            self.expects_continue = False
        self.channel.inform(self, status, reason, fields)

    def upgrade(self, head: ResponseHead, protocol: Any) -> None:
        """
        Answer 101, and give the visitor's bytes to ``protocol`` from then on.

        Whoever calls it ends the flow with `ended` when the stream is over.

        :param head: a `ResponseHead` of status 101, with its ``Upgrade`` field.
        :param protocol: an `IProtocol`; `IHalfCloseableProtocol` is respected.
        """
        self.started = True
        head.bodiless = self._bodiless = True
        self.flow.status = head.status
        if self._filters is not None:
            self._begin(head)
        self._producer = None
        self.channel.upgrade(self, head, protocol)

    def abort(self) -> None:
        """Break the visitor's connection: what it got must not be taken for a whole response."""
        if not self.finished and not self.gone:
            self.channel.break_off(self)

    def hang_up(self) -> None:
        """End the visitor's connection at once, with whatever else is on it."""
        if not self.finished and not self.gone:
            self.channel.hang_up(self)

    def _ended(self) -> None:
        self.finished = 1
        self._filters = None  # some know their request: a ring
        if self._producer is not None:
            self.unregisterProducer()
        if self.receiver is not None or self._stored_body is not None:
            self.receiver = self._stored_body = None
        if self._notifications is not None:
            self._notify(lambda deferred: deferred.callback(None))
        self.flow.finish(self.channel.clock().seconds())
        self.channel.done(self)

    def ended(self) -> None:
        """An upgraded stream is over: the flow ends."""
        if self.finished or self.gone:
            return
        self.finished = 1
        self.flow.finish(self.channel.clock().seconds())

    def _notify(self, fire: Callable[[Any], None]) -> None:
        waiting, self._notifications = self._notifications, None
        for deferred in waiting or ():
            fire(deferred)

    # -- the end of the visitor

    def lost(self, reason: Failure | None = None) -> None:
        """
        The visitor is gone: stop whoever answers, and end the flow. The channel calls it, once.

        :param reason: why.
        """
        if self.gone or self.finished:
            return
        self.gone = True
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        if self._notifications is not None:
            failure = reason or Failure(ConnectionDone())
            self._notify(lambda deferred: deferred.errback(failure))
        self.receiver = self._stored_body = self._filters = None
        self.flow.finish(self.channel.clock().seconds())
