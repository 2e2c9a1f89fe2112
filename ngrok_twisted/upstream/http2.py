"""
`HTTP2Exchange`: one request to a service that speaks HTTP/2, and the response to it: one stream of a connection.

The request's body goes out as the service's windows let it, the response goes on as it comes, and the service may send more
when the visitor has taken what was sent. Whatever happens to one stream, the others of the connection go on.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.errors import EdgeError, Overloaded, TunnelLost, UpstreamInvalid, UpstreamTimeout
from ngrok_twisted.net.windows import fitting
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.http2_fields import read_trailers, response_head
from ngrok_twisted.upstream.http2_frames import StreamBroken
from ngrok_twisted.upstream.http2_request import BODY, HEAD, IDLE, OVER, RAW, UNSETTLED, RequestStream
from ngrok_twisted.upstream.http2_session import MOST_STREAM_WINDOW, STREAM_WINDOW
from ngrok_twisted.upstream.locations import restore_locations
from ngrok_twisted.upstream.syntax import Fields
from ngrok_twisted.wrapper import ResponseHead

_log = Logger()

#: How often a request is sent again because the service had no time for it.
MAX_REPEATS = 4

#: What a service is given back at once, as a part of the window: three quarters stay in flight.
CREDIT = 4

#: Interim responses before the final one; more is a peer that has gone wrong.
MAX_INFORMATIONAL = 32

# Why a service breaks a stream off, as far as it concerns the visitor; anything else is between the service and us.
_PASSED_ON = frozenset([h2.INTERNAL_ERROR, h2.CANCEL, h2.ENHANCE_YOUR_CALM])


@implementer(IPushProducer)
class HTTP2Exchange(RequestStream):
    """
    :ivar reused: the connection had answered other requests before.
    :ivar unprocessed: it ended, and the service says that it has done nothing.
    """

    __slots__ = (
        *(
            "reused",
            "unprocessed",
            "_head",
            "_pieces",
            "_left",
            "_complete",
            "_informed",
            "_window",
            "_wide",
            "_since",
            "_owed",
            "_paused",
        ),
    )

    def __init__(self, connection: Any) -> None:
        """
        :param connection: the `SharedConnection` with room for it.
        """
        super().__init__(connection)
        self.reused = connection.used
        self.unprocessed = False
        self._head: ResponseHead | None = None
        self._pieces: list[Any] = []
        self._left: int | None = None
        self._complete: Fields | None = None
        self._informed = 0
        self._window = self._wide = STREAM_WINDOW  # what is left of it, and how wide it is
        self._since: float = connection.seconds()
        self._owed = 0
        self._paused = False

    def sent_all(self) -> None:
        """StreamSender."""
        if self._complete is not None and self._state == RAW:
            self._over()

    # -- the response, as it is read

    def fields(self, block: bytes, end: bool) -> None:
        """
        A header block.

        :param end: nothing follows.
        :raises StreamBroken: it is none, or has no place here.
        """
        self._watch.touch()
        if self._state == HEAD:
            self._head_fields(block, end)
        elif self._complete is not None:
            raise StreamBroken("more than the end", h2.STREAM_CLOSED)
        elif not end:
            raise StreamBroken("trailers that end nothing")
        else:
            self._end(read_trailers(block))

    def _head_fields(self, block: bytes, end: bool) -> None:
        head = response_head(block, self.request.method)
        if head.status < 200:
            self._informed += 1
            if end or self._informed > MAX_INFORMATIONAL:
                raise StreamBroken("too many informational responses, or one that ends")
            self.request.inform(head.status, head.reason, head.headers)
            return
        upstream = self.connection.target.upstream
        if upstream.host_header:
            rewritten = upstream.host_header.encode("ascii")
            restore_locations(head, rewritten, self.request.authority, self.request.flow.proto.encode("ascii"))
        self._state = BODY
        self._failed = None
        self._replay = None
        self._head = head
        self._left = 0 if head.bodiless else head.length
        self.connection.touched(self)
        if end:
            self._end([])

    def content(self, data: Any, size: int, end: bool) -> None:
        """
        A part of the body.

        :param data: it, valid until it is handed over.
        :param size: how many bytes of the window it takes.
        :param end: nothing follows.
        :raises StreamBroken: it has no place here.
        """
        self._watch.touch()
        self._window -= size
        self._owed += size
        if self._window < 0:
            raise StreamBroken("more data than the window allows", h2.FLOW_CONTROL_ERROR)
        if self._complete is not None:
            raise StreamBroken("more than the end", h2.STREAM_CLOSED)
        if self._state == HEAD:
            raise StreamBroken("a body without a head")
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                raise StreamBroken("a body that is longer than it said")
        if data:
            self._pieces.append(data)
        self.connection.touched(self)
        if end:
            self._end([])

    def _end(self, trailers: Fields) -> None:
        if self._left and self._websocket is None:
            raise StreamBroken("a body that is shorter than it said")
        self._complete = trailers
        self.connection.touched(self)

    def broken(self, error: StreamBroken) -> None:
        """The service does not keep to the protocol on this stream."""
        _log.debug("invalid response: {error}", error=str(error))
        self._fail(UpstreamInvalid(), error.code)

    def was_reset(self, code: int) -> None:
        """The service breaks the stream off."""
        self._ended = self._ended or self._complete is not None  # it wants no more of the body than it has
        self.hand_over()
        if self._state == OVER:
            return  # the answer was complete
        self.connection.streams.pop(self.id, None)
        if code == h2.REFUSED_STREAM and self._state == HEAD:
            self.connection.refused()
            self.unprocessed_by(code)
            return
        error = UpstreamInvalid(f"The local service broke the request off: {h2.code_name(code)}.")
        error.reset_code = code if code in _PASSED_ON else None
        self._fail(error, None)

    def unprocessed_by(self, code: int) -> None:
        """
        The service has not looked at the request, and never will.

        :param code: why, as it says.
        """
        error = Overloaded("The local service takes no requests at the moment.")
        if self._state == HEAD:
            self.unprocessed = True
            self._not_answered(error)
        else:
            self._fail(error, None)

    def lost(self, error: EdgeError | None) -> None:
        """
        The connection is gone.

        :param error: why; ``None`` if the service has just gone.
        """
        self.id = 0
        if error is not None:
            self._fail(error, None)
        elif self._state in (IDLE, UNSETTLED, HEAD):
            self._not_answered(TunnelLost("The local service closed the connection without an answer."))
        else:
            self._fail(UpstreamInvalid("The local service closed the connection in the middle of its answer."), None)

    # -- the response, as it goes on

    def hand_over(self) -> None:
        """Give the visitor what has come."""
        pieces, self._pieces = self._pieces, []
        head, self._head = self._head, None
        if self._state == OVER or (head is None and not pieces and self._complete is None):
            return
        request = self.request
        try:
            if self._state == RAW:
                self._hand_over_raw(pieces)
            else:
                self._pass_on(request, head, pieces)
        except Exception:
            failure = Failure()
            self._stop(h2.INTERNAL_ERROR)
            if request is not None:
                request.fail(failure)
            else:
                _log.failure("bytes of a WebSocket could not be handed over", failure=failure)

    def _pass_on(self, request: Any, head: ResponseHead | None, pieces: list[Any]) -> None:
        if head is not None and self._websocket is not None and 200 <= head.status < 300:
            self._switch(head, pieces)
            return
        trailers = self._complete
        if trailers is not None:
            self._finished(request)
        if head is not None:
            request.respond(head, pieces, last=trailers is not None, trailers=trailers or ())
        else:
            if pieces:
                request.write_batch(pieces)
            if trailers is not None and not request.gone:
                request.finish(trailers)
        self._credit()

    def _credit(self) -> None:
        """The visitor has taken what came: the service may send as much again, or more if he is fast."""
        owed = self._owed
        if owed < self._wide // CREDIT or self._paused or not self.id or self._complete is not None:
            return
        now = self.connection.seconds()
        wide = fitting(self._wide, owed, now - self._since, STREAM_WINDOW, MOST_STREAM_WINDOW)
        more = owed + wide - self._wide
        self._owed, self._since, self._wide = 0, now, wide
        if more:
            self._window += more
            self.connection.put(h2.window_update(self.id, more))
            self.connection.flush()

    def _finished(self, request: Any) -> None:
        """The response is all there."""
        if not self._uploaded and request.receiver is self and not request.expects_continue:
            request.receiver = None  # nobody reads the rest: the channel must know before it writes the head
        # the visitor may fall behind while it is given the end
        request.unregisterProducer()
        self.request = None
        self.connection.answered()
        self._over()

    def _over(self) -> None:
        """Let go of the stream, which is complete on the service's side."""
        raw, self._state = self._state == RAW, OVER
        self._watch.stop()
        if self._ended:
            self.connection.done(self)
        else:
            self.connection.break_off(self, h2.NO_ERROR)
        if raw and self._websocket is not None:
            self._websocket.lost()

    # -- WebSockets

    def _switch(self, head: ResponseHead, pieces: list[Any]) -> None:
        assert self._websocket is not None
        self._detach()
        self._state = RAW
        self._left = None
        self._watch.stop()
        self._websocket.join(head)
        self._hand_over_raw(pieces)

    def _hand_over_raw(self, pieces: list[Any]) -> None:
        assert self._websocket is not None
        if pieces:
            self._websocket.data_received(b"".join(pieces))
        self._credit()
        if self._complete is not None and self._state == RAW:
            self._websocket.ended()
            if self._ended:
                self._over()

    # -- back-pressure and ends

    def pauseProducing(self) -> None:
        """IPushProducer: the visitor is slow. The service fills the window, and waits."""
        self._paused = True

    def resumeProducing(self) -> None:
        """IPushProducer."""
        self._paused = False
        if self._state != OVER:
            self._watch.touch()
            self._credit()

    def stopProducing(self) -> None:
        """IPushProducer: the visitor is gone."""
        self._stop(h2.CANCEL)

    def close(self) -> None:
        """Give the stream up."""
        self._stop(h2.CANCEL)

    def _stop(self, code: int | None) -> None:
        """
        Let go of the request and of the stream.

        :param code: what the service is told; ``None`` if it knows.
        """
        if self._state == OVER:
            return
        self._detach()
        self._state = OVER
        if self._watch is not None:
            self._watch.stop()
        self._pieces.clear()
        self._pending.clear()
        if code is None:
            self.connection.done(self)
        else:
            self.connection.break_off(self, code)

    def _detach(self) -> Any:
        """Let go of the request."""
        request, self.request = self.request, None
        self._failed = None
        if request is not None:
            request.unregisterProducer()
            if request.receiver is self:
                request.receiver = None
            if self._held:
                self._held = False
                request.resume_body()  # whoever reads it next decides anew
        return request

    def _fail(self, error: Exception, code: int | None) -> None:
        request, websocket, raw = self.request, self._websocket, self._state == RAW
        self._stop(code)
        if request is not None:
            request.fail(error)
        elif raw and websocket is not None:
            websocket.lost()

    def _not_answered(self, error: EdgeError) -> None:
        """There was not one byte of an answer."""
        failed = self._failed
        replayable = self._replay is not None and self._repeats < MAX_REPEATS
        self._stop(None)
        if failed is not None:
            failed(self, error, replayable)

    def _idle(self) -> None:
        """Nothing moved for as long as may be."""
        if self._state == HEAD and not self._uploaded and not self.has_bytes():
            self._watch.change(self.connection.idle_timeout)  # the visitor stopped, and has a timeout of its own
        else:
            self._fail(UpstreamTimeout(), h2.CANCEL)
