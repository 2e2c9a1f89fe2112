"""
`Conversion`: a visitor who speaks WebSocket, joined to a service that speaks plain TCP.

How it goes, by ``_state``::

    OPEN → VISITOR_ENDED → OVER      the visitor sends its Close frame; the service may still send, then it gets ours
    OPEN → CLOSING → OVER            the service has ended, or nothing moves: our Close frame goes first
    any  → OVER                      the visitor is gone

Each side is read only as fast as the other takes it. Nothing is held but the head of a frame and a ping to be answered.
"""

from __future__ import annotations

from typing import Any, Callable, Sequence

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.interfaces import IBatchReceiver
from ngrok_twisted.net import websocket as ws
from ngrok_twisted.net.timeouts import SECONDS, IdleWatch
from ngrok_twisted.wrapper import ResponseHead

#: How long each side may take for its part of the goodbye. Browsers and libraries give up after about as long.
CLOSE_TIMEOUT = 5 * SECONDS

#: What a service may send before the visitor is told that it is there; then it has to wait.
EARLY_BYTES = 64 * 1024

OPEN, VISITOR_ENDED, CLOSING, OVER = range(4)


@implementer(IBatchReceiver, IHalfCloseableProtocol)
class Conversion:
    """
    Both connections of one visitor; as a protocol, it is the service's end.
    """

    _log = Logger()

    def __init__(self, head: ResponseHead, clock: Any, idle: float) -> None:
        """
        :param head: the answer to the visitor, sent once the service is reached.
        :param clock: an `IReactorTime`.
        :param idle: seconds without a byte either way until both are closed.
        """
        self._head = head
        self._clock = clock
        self._idle_timeout = idle
        self._state = OPEN
        self._reader = ws.FrameReader()
        self._code = ws.NORMAL  # of our Close frame, if all goes well
        self._early: list[bytes] = []
        self._early_size = 0
        self._early_end: Callable[[], None] | None = None
        self._request: Any = None
        self._watch: Any = None
        self._service: Any = None
        self._service_left = False
        self._service_fed = False  # the visitor's transport is the producer of the service's
        self._visitor: Any = None
        self._visitor_fed = False  # and the other way round
        self._visitor_ended = False
        self._batch = False
        self._choked = False
        self._owed_pong: bytes | None = None

    # -- before there is a visitor

    def makeConnection(self, transport: Any) -> None:
        """IProtocol."""
        self._service = transport

    def connectionMade(self) -> None:
        """IProtocol."""

    def close(self) -> None:
        """Nobody wants the service any more: the visitor has left."""
        if self._service is not None:
            self._service.abortConnection()

    def start(self, request: Any) -> None:
        """
        The service is reached, and the visitor is still there.

        :param request: an `ngrok_twisted.edge.request.EdgeRequest`, without a response.
        """
        self._request = request
        self._watch = IdleWatch(self._clock, self._idle_timeout, self._idle)
        request.upgrade(self._head, _Visitor(self))
        early, self._early = b"".join(self._early), []
        if early:
            self.dataReceived(early)
        if self._early_end is not None:
            self._early_end()
        elif self._early_size >= EARLY_BYTES and not self._choked:
            self.unchoke()

    def _keep(self, data: bytes) -> None:
        self._early.append(data)
        self._early_size += len(data)
        if self._early_size >= EARLY_BYTES:
            self._service.pauseProducing()

    # -- from the service

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        self.batchReceived((data,))

    def batchReceived(self, buffers: Sequence[Any]) -> None:
        """IBatchReceiver."""
        if self._request is None:
            self._keep(b"".join(buffers))
        elif self._state < CLOSING:
            self._watch.touch()
            self._send(ws.BINARY, buffers)

    def readConnectionLost(self) -> None:
        """IHalfCloseableProtocol: the service has said all it wants to say."""
        if self._request is None:
            self._early_end = self.readConnectionLost
        else:
            self._say_goodbye(self._code)

    def writeConnectionLost(self) -> None:
        """IHalfCloseableProtocol: we know, since we closed it."""

    def connectionLost(self, reason: Failure) -> None:
        """IProtocol."""
        self._service = None
        code = self._code if reason.check(ConnectionDone) else ws.INTERNAL_ERROR
        if self._request is None:
            self._early_end = lambda: self._say_goodbye(code)
            return
        self._resume_visitor()
        self._say_goodbye(code)
        self._rest_if_done()

    # -- from the visitor

    def visitor_connected(self, transport: Any) -> None:
        """The visitor's transport is ours."""
        self._visitor = transport
        self._batch = hasattr(transport, "writeBatch")
        self._visitor_fed = True
        transport.registerProducer(_Valve(self.choke, self.unchoke), True)
        if self._service is not None:
            self._service_fed = True
            self._service.registerProducer(_Valve(self._pause_visitor, self._resume_visitor), True)

    def visitor_data(self, data: bytes) -> None:
        """Bytes from the visitor."""
        self._watch.touch()
        self._request.flow.bytes_in += len(data)
        try:
            found = self._reader.feed(data)
        except ws.WebSocketError as error:
            self._fail(error)
            return
        payload = [piece for kind, piece in found if kind == ws.DATA]
        if payload and self._state == OPEN and self._service is not None:
            self._service.write(b"".join(payload))
        for kind, piece in found:
            if kind == ws.PING:
                self._pong(piece)
            elif kind == ws.CLOSE:
                self._close_received(piece)

    def _close_received(self, payload: bytes) -> None:
        try:
            code = ws.close_code(payload)
        except ws.WebSocketError as error:
            self._fail(error)
            return
        if self._state == OPEN:
            self._code = code
        self._end_of_visitor()

    def visitor_ended(self) -> None:
        """The visitor has closed its half of the connection, with or without a Close frame."""
        self._visitor_ended = True
        self._end_of_visitor()

    def _end_of_visitor(self) -> None:
        """The service is told that nothing more comes, and may finish."""
        if self._state == CLOSING:
            self._hang_up()
        if self._state != OPEN:
            return
        self._state = VISITOR_ENDED
        self._watch.change(CLOSE_TIMEOUT)
        half_close = getattr(self._service, "loseWriteConnection", None)
        if half_close is None:
            self._say_goodbye(self._code)
        else:
            self._stop_feeding_service()
            half_close()

    def visitor_lost(self, reason: Failure) -> None:
        """The visitor is gone."""
        cut_off = self._state == OPEN and not reason.check(ConnectionDone)
        self._state = OVER
        self._visitor = None
        self._leave_service(abort=cut_off)
        self._watch.change(CLOSE_TIMEOUT)
        self._rest_if_done()
        self._request.ended()

    def _pause_visitor(self) -> None:
        if self._visitor_sends():
            self._visitor.pauseProducing()

    def _resume_visitor(self) -> None:
        if self._visitor_sends():
            self._visitor.resumeProducing()

    def _visitor_sends(self) -> bool:
        return self._visitor is not None and not self._visitor_ended and self._state != OVER

    # -- to the visitor

    def _send(self, opcode: int, buffers: Sequence[Any]) -> None:
        size = sum(map(len, buffers))
        parts = [ws.frame_head(opcode, size), *buffers]
        self._request.flow.bytes_out += size + len(parts[0])
        if self._batch:
            self._visitor.writeBatch(parts)
        else:
            self._visitor.write(b"".join(parts))

    def _pong(self, payload: bytes) -> None:
        """Answer a ping. While the visitor does not read, only the last one is kept (RFC 6455 section 5.5.3)."""
        if self._state >= CLOSING:
            return
        if self._choked:
            self._owed_pong = payload
        else:
            self._send(ws.PONG, (payload,))

    def choke(self) -> None:
        """The visitor takes no more for now."""
        self._choked = True
        if self._service is not None:
            self._service.pauseProducing()

    def unchoke(self) -> None:
        """The visitor takes more again."""
        self._choked = False
        owed, self._owed_pong = self._owed_pong, None
        if owed is not None:
            self._pong(owed)
        if self._service is not None and not self._service_left and not self._choked:
            self._service.resumeProducing()

    # -- ends

    def _fail(self, error: ws.WebSocketError) -> None:
        """
        What the visitor sends is no WebSocket (RFC 6455 section 7.1.7): the service must not take what it got for the
        whole. The visitor gets a moment to read why.
        """
        self._log.debug("a WebSocket is failed: {error}", error=str(error))
        self._reader.closed = True
        self._leave_service(abort=True)
        if self._state == CLOSING:
            self._hang_up()
            return
        self._say_goodbye(error.code)
        half_close = getattr(self._visitor, "loseWriteConnection", None)
        if half_close is not None and self._state == CLOSING:
            self._stop_feeding_visitor()
            half_close()

    def _say_goodbye(self, code: int) -> None:
        """Send our Close frame. A visitor that has sent one waits for nothing else; another gets a moment for its own."""
        if self._state >= CLOSING:
            return
        before, self._state = self._state, CLOSING
        self._leave_service()
        self._send(ws.CLOSE, (ws.close_payload(code),))
        self._watch.change(CLOSE_TIMEOUT)
        if before == VISITOR_ENDED:
            self._hang_up()

    def _hang_up(self) -> None:
        """Close the visitor's connection after what was written; `_idle` insists."""
        self._state = OVER
        self._watch.change(CLOSE_TIMEOUT)
        self._stop_feeding_visitor()
        self._visitor.loseConnection()

    def _leave_service(self, abort: bool = False) -> None:
        """Close the service's connection after what was written, or at once; `_idle` insists."""
        if self._service is None or self._service_left:
            return
        self._service_left = True
        self._stop_feeding_service()
        if abort:
            self._service.abortConnection()
        else:
            self._service.loseConnection()

    def _stop_feeding_service(self) -> None:
        """Nothing more is written to the service; the visitor must not stay paused on its account."""
        if not self._service_fed:
            return
        self._service_fed = False
        self._service.unregisterProducer()
        self._resume_visitor()

    def _stop_feeding_visitor(self) -> None:
        if self._visitor_fed:
            self._visitor_fed = False
            self._visitor.unregisterProducer()

    def _rest_if_done(self) -> None:
        if self._visitor is None and self._service is None:
            self._watch.stop()

    def _idle(self) -> None:
        """Nothing moved for long, or a goodbye takes too long."""
        if self._state == OPEN:
            self._say_goodbye(ws.GOING_AWAY)
        elif self._state == VISITOR_ENDED:
            self._leave_service(abort=True)
            self._say_goodbye(self._code)
        else:
            for transport in (self._visitor, self._service):
                if transport is not None:
                    transport.abortConnection()


@implementer(IPushProducer)
class _Valve:
    """
    What one connection holds back and lets go of the other. That a connection is gone does not end the other here, as it
    would if the transports themselves were the producers: there is a goodbye to be said.
    """

    def __init__(self, shut: Callable[[], None], open: Callable[[], None]) -> None:
        self._shut = shut
        self._open = open

    def pauseProducing(self) -> None:
        """IPushProducer."""
        self._shut()

    def resumeProducing(self) -> None:
        """IPushProducer."""
        self._open()

    def stopProducing(self) -> None:
        """IProducer: ``connectionLost`` follows."""


@implementer(IHalfCloseableProtocol)
class _Visitor:
    """What the visitor's connection calls from now on."""

    def __init__(self, conversion: Conversion) -> None:
        self._conversion = conversion

    def makeConnection(self, transport: Any) -> None:
        """IProtocol."""
        self._conversion.visitor_connected(transport)

    def connectionMade(self) -> None:
        """IProtocol."""

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        self._conversion.visitor_data(data)

    def readConnectionLost(self) -> None:
        """IHalfCloseableProtocol."""
        self._conversion.visitor_ended()

    def writeConnectionLost(self) -> None:
        """IHalfCloseableProtocol."""

    def connectionLost(self, reason: Failure) -> None:
        """IProtocol."""
        self._conversion.visitor_lost(reason)
