"""
One of the two connections of a stream: what it does with bytes, fullness and ends. `ngrok_twisted.upstream.stream` joins
two of them.
"""

from __future__ import annotations

from typing import Any, Sequence

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.byte_transports import ILanding
from ngrok_twisted.interfaces import IBatchReceiver, IBatchTransport, IFillable

# What a side may send before it is joined to the other; then it is paused. A ClientHello and a little more.
EARLY_BYTES = 64 * 1024

# A transport that goes on all the same (it has read much at once) is cut here.
EARLY_LIMIT = 1024 * 1024

# What is read from a socket at once; one buffer for the whole process, since it is handed on at once. It is what an SSH channel
# seals into one write.
READ_SIZE = 512 * 1024

_received = memoryview(bytearray(READ_SIZE))

# A socket that had so many bytes is likely to have as many the next time: they are read to where they are sent from, if the other
# transport has such a place. It saves bulk a copy, a tenth of a gigabyte's time, and would cost small messages more.
MUCH = 64 * 1024


@implementer(IBatchReceiver, IHalfCloseableProtocol, IFillable, IPushProducer)
class Side:
    """
    One of the two connections of a stream.

    :ivar transport: its transport, ``None`` before there is one.
    :ivar received: how many bytes came from it.
    :ivar other: the side it is joined to, or ``None``.
    :ivar finished: its peer has sent all it will send.
    :ivar lost: the connection is gone.
    :ivar watch: the stream's idle timeout, an `IdleWatch`.
    """

    watch: Any
    transport: Any = None
    other: Side | None = None
    received = 0
    finished = False
    lost = False

    _sink: Any = None
    _batch = False
    _lands = False  # the sink has places to read into
    _landing = False  # the next bytes are read there
    _early_bytes = 0
    _fed = False  # a producer is registered with the transport

    def __init__(self) -> None:
        self._early: list[bytes] = []

    def makeConnection(self, transport: Any) -> None:
        """IProtocol."""
        self.transport = transport
        self.connectionMade()

    def connectionMade(self) -> None:
        """IProtocol."""

    def join(self, other: Side) -> None:
        """Send what comes from now on to the other side."""
        self.other = other
        self._sink = other.transport
        self._batch = IBatchTransport.providedBy(other.transport)
        self._lands = ILanding.providedBy(other.transport)
        early, self._early = self._early, []
        if early:
            self._sink.write(b"".join(early))

    # -- bytes

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        if self._sink is None:
            self.received += len(data)  # no sign of life: the time of an attempt to reach the other side goes on
            self._keep(bytes(data))
        else:
            self.moved(len(data))
            self._sink.write(data)

    def batchReceived(self, buffers: Sequence[Any]) -> None:
        """IBatchReceiver."""
        if self._batch:
            self.moved(sum(map(len, buffers)))
            self._sink.writeBatch(buffers)
        else:
            self.dataReceived(b"".join(buffers))

    def fillable(self) -> Any:
        """IFillable."""
        if self._landing:
            places = self._sink.landing()
            if places is not None:
                return places
            self._landing = False
        return _received

    def filled(self, count: int) -> None:
        """IFillable."""
        landed, self._landing = self._landing, self._lands and count >= MUCH
        if landed:
            self.moved(count)
            self._sink.landed(count)
        elif self._batch:
            self.moved(count)
            self._sink.writeBatch([_received[:count]])
        else:
            self.dataReceived(bytes(_received[:count]))

    def moved(self, count: int) -> None:
        """So many bytes have come, whoever carried them."""
        self.received += count
        self.watch.touch()

    def _keep(self, data: bytes) -> None:
        """Hold what comes before the two sides are joined, within bounds."""
        self._early.append(data)
        self._early_bytes += len(data)
        if self._early_bytes > EARLY_LIMIT:
            self.transport.abortConnection()
        elif self._early_bytes >= EARLY_BYTES:
            self.transport.pauseProducing()

    # -- back-pressure

    def feed_from(self, source: Side) -> None:
        """Make a side the producer of this one's transport."""
        self._fed = True
        self.transport.registerProducer(source, True)

    def stop_feeding(self) -> None:
        """Nothing more will be written to this side."""
        if self._fed and not self.lost:
            self._fed = False
            self.transport.unregisterProducer()

    def pauseProducing(self) -> None:
        """IPushProducer: the other side is full."""
        if not self.finished and not self.lost:
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """IPushProducer: the other side has room."""
        if not self.finished and not self.lost:
            self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """IProducer: the other side is gone; its `connectionLost` says how, and ends this one accordingly."""

    # -- ends

    def readConnectionLost(self) -> None:
        """IHalfCloseableProtocol: a FIN, to be passed on."""
        if not self.finished:
            self.finished = True
            if self.other is not None:
                self.pass_on_end()

    def pass_on_end(self) -> None:
        """This side's peer is done: end the writing to the other side, and everything when that is done too."""
        other = self.other
        if other is None or other.lost:
            return
        other.stop_feeding()
        if other.finished:
            other.transport.loseConnection()
            self.transport.loseConnection()
            return
        lose_write = getattr(other.transport, "loseWriteConnection", other.transport.loseConnection)
        lose_write()

    def writeConnectionLost(self) -> None:
        """IHalfCloseableProtocol: we know, since we closed it."""

    def connectionLost(self, reason: Failure) -> None:
        """IProtocol: an orderly end ends the other side when it has sent everything, any other resets it."""
        self.lost = True
        other = self.other
        if other is not None and not other.lost:
            other.stop_feeding()
            if isinstance(reason.value, ConnectionDone):
                other.transport.loseConnection()
            else:
                other.transport.abortConnection()
        self.ended()

    def ended(self) -> None:
        """This connection is gone: tell the stream."""
        raise NotImplementedError

    def release(self) -> None:
        """Both connections are gone: let go of the other side."""
        self.other = self._sink = None

    def close(self) -> None:
        """Close after what was written, for want of traffic."""
        if self.transport is not None and not self.lost:
            self.stop_feeding()
            self.transport.loseConnection()

    def abort(self) -> None:
        """Reset the connection, if there still is one."""
        if self.transport is not None and not self.lost:
            self.transport.abortConnection()
