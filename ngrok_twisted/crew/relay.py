"""
The bytes of one connection to a tunnel that another process has.

Both processes hold one end of a socket pair. What goes through it is cut into frames, since a socket of the family ``AF_UNIX``
knows no resets: an end that was not announced by a frame is one. A frame is a word with its kind and its length, and the bytes;
those of a write follow in the same write, and are handed on as they come, however long the frame is.
"""

from __future__ import annotations

import pickle
import socket
from struct import Struct
from typing import Any, Callable, Iterable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.errors import EdgeError, TunnelLost
from ngrok_twisted.interfaces import IBatchReceiver, IBatchTransport, IFillable
from ngrok_twisted.net.passing import EagerPipe

KIBIBYTE = 1024

#: What is read at once; one buffer for the whole process, since it is handed on at once.
READ_SIZE = 256 * KIBIBYTE

#: Bytes of an error: a class, a code and a sentence.
ERROR_MAX = 16 * KIBIBYTE

#: Kinds of frames: bytes; there are no more of them; the tunnel is connected; it is not, and why.
DATA, FIN, OPENED, FAILED = range(4)

#: The length in bytes, and in the last two bits the kind.
_WORD = Struct("!I")
_FIN = _WORD.pack(FIN)
_OPENED = _WORD.pack(OPENED)

_received = memoryview(bytearray(READ_SIZE))


@implementer(IBatchTransport, IHalfCloseableProtocol, IFillable)
class RelayStream:
    """
    One end: the protocol of a pipe, and the transport of whoever speaks through it.

    :ivar transport: the `EagerPipe`.
    :ivar protocol: who has the stream; ``None`` before the tunnel is connected.
    """

    TLS = False

    def __init__(self, end: socket.socket, reactor: Any) -> None:
        """
        :param end: of a stream socket pair; it is this object's from now on.
        """
        self.protocol: Any = None
        self._batch = self._halves = False
        self._kind = DATA
        self._left = 0  # of the frame that is being read
        self._word = b""  # of the next one, as far as it has come
        self._error = bytearray()
        self._finished = self._ended = False
        self._factory: Any = None
        self._opening: Deferred[Any] | None = None
        self.transport: Any = EagerPipe(end, self, reactor)

    # -- how a stream begins

    def dial(self, factory: Any) -> Deferred[Any]:
        """
        Wait for the tunnel at the other end.

        :return: a Deferred that fires with the protocol that the factory built, and fails with the `EdgeError` of the other
            process; `TunnelLost` where that is gone. Cancelling it breaks the stream.
        """
        self._factory = factory
        self._opening = Deferred(lambda _: self._give_up())
        return self._opening

    def carry(self, protocol: Any) -> None:
        """Be the transport of a protocol."""
        self.protocol = protocol
        self._batch = IBatchReceiver.providedBy(protocol)
        self._halves = IHalfCloseableProtocol.providedBy(protocol)
        protocol.makeConnection(self)

    def opened(self) -> None:
        """Say that the tunnel is connected."""
        self.transport.write(_OPENED)

    def refuse(self, error: EdgeError) -> None:
        """Say that the tunnel could not be connected, and close."""
        body = pickle.dumps(error)
        self.transport.write(_WORD.pack(len(body) << 2 | FAILED) + body)
        self.transport.loseConnection()

    def _begin(self) -> None:
        opening, self._opening = self._opening, None
        factory, self._factory = self._factory, None
        if opening is None:
            return
        try:
            protocol = factory.buildProtocol(self.getPeer())
            if protocol is None:
                raise TunnelLost("The connection was refused.")
            self.carry(protocol)
        except Exception:
            failure, self.protocol = Failure(), None
            self.abortConnection()
            opening.errback(failure)
        else:
            opening.callback(protocol)

    def _give_up(self) -> None:
        self._opening = self._factory = None
        self.abortConnection()

    def _fail(self, error: Exception) -> None:
        opening, self._opening = self._opening, None
        self._factory = None
        if opening is not None:
            opening.errback(error)

    # -- IProtocol, of the pipe

    def fillable(self) -> memoryview:
        """IFillable."""
        return _received

    def filled(self, count: int) -> None:
        """IFillable."""
        self.dataReceived(_received[:count])

    def dataReceived(self, data: Any) -> None:
        """IProtocol."""
        at, end = 0, len(data)
        buffers: list[Any] = []
        while at < end:
            if self._left:
                stop = min(end, at + self._left)
                self._left -= stop - at
                if self._kind == DATA:
                    buffers.append(data[at:stop])
                else:
                    self._error += data[at:stop]
                at = stop
            else:
                size = _WORD.size - len(self._word)
                self._word += bytes(data[at : at + size])
                at += size
                if len(self._word) < _WORD.size:
                    break
                self._next_frame(buffers)
            if self._kind == FAILED and not self._left:
                self._fail(pickle.loads(self._error))
                return
        self._deliver(buffers)

    def _next_frame(self, buffers: list[Any]) -> None:
        (word,) = _WORD.unpack(self._word)
        self._word = b""
        self._kind, self._left = word & 3, word >> 2
        if self._kind == DATA:
            return
        self._deliver(buffers)
        buffers.clear()
        if self._kind == OPENED:
            self._begin()
        elif self._kind == FIN:
            self._fin()
        elif self._left > ERROR_MAX:
            self.abortConnection()

    def _deliver(self, buffers: list[Any]) -> None:
        if not buffers or self.protocol is None:
            return
        if self._batch:
            self.protocol.batchReceived(buffers)
        else:
            self.protocol.dataReceived(b"".join(buffers))

    def _fin(self) -> None:
        self._finished = True
        if self._halves:
            self.protocol.readConnectionLost()
        else:
            self.loseConnection()

    def makeConnection(self, transport: Any) -> None:
        """IProtocol: there is a connection from the beginning."""

    def connectionMade(self) -> None:
        """IProtocol."""

    def readConnectionLost(self) -> None:
        """IHalfCloseableProtocol: nothing comes any more. If that was not announced, the stream is broken."""
        if not self._finished:
            self.transport.abortConnection()

    def writeConnectionLost(self) -> None:
        """IHalfCloseableProtocol."""
        if self._halves:
            self.protocol.writeConnectionLost()

    def connectionLost(self, reason: Failure) -> None:
        """IProtocol."""
        self._fail(TunnelLost())
        protocol, self.protocol = self.protocol, None
        if protocol is not None:
            protocol.connectionLost(self._why(reason))

    def _why(self, reason: Failure) -> Failure:
        """How the stream has ended, as far as the pipe's end does not tell."""
        if not (self._finished or self._ended):
            return Failure(ConnectionLost("the other process has broken the stream off"))
        if self._finished and self._ended and reason.check(ConnectionLost):
            return Failure(ConnectionDone())  # the other end was closed before our FIN came
        return reason

    # -- ITransport, of the protocol

    def write(self, data: bytes) -> None:
        """ITransport."""
        if data and not self._ended:
            self.transport.writeBatch((_WORD.pack(len(data) << 2), data))

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """ITransport."""
        self.writeBatch(list(iovec))

    def writeBatch(self, buffers: Sequence[Any]) -> None:
        """IBatchTransport."""
        size = sum(map(len, buffers))
        if size and not self._ended:
            self.transport.writeBatch((_WORD.pack(size << 2), *buffers))

    def loseConnection(self) -> None:
        """ITransport."""
        self._end()
        self.transport.loseConnection()

    def loseWriteConnection(self) -> None:
        """IHalfCloseableTransport (as TCP has it)."""
        self._end()
        self.transport.loseWriteConnection()

    def abortConnection(self) -> None:
        """ITCPTransport: the other end gets a reset."""
        self.transport.abortConnection()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self.transport.write(_FIN)

    @property
    def connected(self) -> bool:
        """Whether there still is a pipe."""
        return bool(self.transport.connected)

    @property
    def disconnecting(self) -> bool:
        """Whether the stream is to end when everything was sent."""
        return bool(self.transport.disconnecting)

    @property
    def unsent(self) -> int:
        """How many bytes were written and wait for the kernel to take them."""
        return int(self.transport.unsent)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """IConsumer."""
        self.transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """IConsumer."""
        self.transport.unregisterProducer()

    def pauseProducing(self) -> None:
        """IPushProducer."""
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """IPushProducer."""
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """IProducer."""
        self.loseConnection()

    def getHost(self) -> Any:
        """ITransport."""
        return self.transport.getHost()

    def getPeer(self) -> Any:
        """ITransport."""
        return self.transport.getPeer()


def dial(factory: Any, reactor: Any, hand_over: Callable[[int], object]) -> Deferred[Any]:
    """
    Open a stream to a tunnel of another process.

    :param factory: the `IProtocolFactory` of who will speak through it.
    :param hand_over: brings a descriptor, which is its own from then on, to that process.
    :return: see `RelayStream.dial`.
    :raises OSError: there is no descriptor left.
    """
    ours, theirs = socket.socketpair()
    opening = RelayStream(ours, reactor).dial(factory)
    hand_over(theirs.detach())
    return opening
