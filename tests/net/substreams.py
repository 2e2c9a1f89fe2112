"""What the tests of substreams share: a shared connection in memory, and protocols and producers that write down things."""

from __future__ import annotations

from typing import Any, Callable, Sequence

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ngrok_twisted.interfaces import IBatchReceiver
from ngrok_twisted.net.substream import Substream
from ngrok_twisted.net.timeouts import IdleWatch
from ngrok_twisted.net.turn import Turn

LINGER = 60.0


class Service(Protocol):
    """Writes down what happens to it."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def dataReceived(self, data: bytes) -> None:
        self.events.append(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.events.append(reason.type)


@implementer(IHalfCloseableProtocol)
class HalfService(Service):
    """One that can be half-closed."""

    def readConnectionLost(self) -> None:
        self.events.append("read lost")

    def writeConnectionLost(self) -> None:
        self.events.append("write lost")


@implementer(IBatchReceiver)
class BatchService(Service):
    """One that takes several buffers at once."""

    def batchReceived(self, buffers: Sequence[Any]) -> None:
        self.events.append([bytes(buffer) for buffer in buffers])


class Source:
    """A push producer."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def pauseProducing(self) -> None:
        self.events.append("pause")

    def resumeProducing(self) -> None:
        self.events.append("resume")

    def stopProducing(self) -> None:
        self.events.append("stop")


class Shared:
    """A `Carrier`."""

    def __init__(self) -> None:
        self.blocked = False
        self.waiting: dict[Any, None] = {}
        self.clock = Clock()
        self.turn = Turn(self.clock)


class Line(Substream):
    """
    A stream on it.

    :ivar said: what went out: bytes, ``FIN``, ``CLOSE``, ``ABORT``.
    :ivar credits: the arguments of ``credit``; negative: of ``owe``.
    """

    def __init__(self, carrier: Shared, window: int) -> None:
        super().__init__()
        self.carrier: Any = carrier
        self.send_window = window
        self.said: list[Any] = []
        self.credits: list[int] = []
        self.unwanted = 0

    def connect(self, protocol: Any) -> None:
        """Give it to a protocol."""
        self._connect(protocol)

    def later(self, call: Callable[[], None]) -> None:
        self.carrier.turn.later(call)

    def _make_linger(self, call: Callable[[], None]) -> IdleWatch:
        return IdleWatch(self.carrier.clock, LINGER, call)

    def _emit(self, buffers: Sequence[Any], total: int) -> None:
        assert total == sum(map(len, buffers)) <= self.send_window
        self.send_window -= total
        self.said.append(b"".join(buffers))

    def grow(self, size: int) -> None:
        """The peer takes more."""
        self.send_window += size
        if self in self.carrier.waiting:
            self.drain()

    def credit(self, size: int) -> None:
        self.credits.append(size)

    def owe(self, size: int) -> None:
        self.credits.append(-size)

    def _unwanted(self) -> None:
        self.unwanted += 1

    def _send_fin(self) -> None:
        self.said.append("FIN")

    def _close(self) -> None:
        self.said.append("CLOSE")

    def _abort(self) -> None:
        self.said.append("ABORT")

    def getPeer(self) -> Any:
        return None

    def getHost(self) -> Any:
        return None


class SubstreamTestCase(SynchronousTestCase):
    """A stream with a protocol on it."""

    carrier: Shared
    line: Line

    def open(self, kind: type[Service] = Service, window: int = 1_000_000) -> Any:
        """The protocol."""
        self.carrier = Shared()
        self.line = Line(self.carrier, window)
        protocol = kind()
        self.line.connect(protocol)
        return protocol

    def source(self) -> Source:
        """A producer that is registered."""
        source = Source()
        self.line.registerProducer(source, True)
        return source

    def turn(self) -> None:
        """Let the reactor go round."""
        self.carrier.clock.advance(0)

    def said(self) -> list[Any]:
        """What went out since the last call; neighbouring bytes are joined."""
        said: list[Any] = []
        for one in self.line.said:
            if said and isinstance(one, bytes) and isinstance(said[-1], bytes):
                said[-1] += one
            else:
                said.append(one)
        self.line.said.clear()
        return said

    def come(self, *pieces: bytes) -> None:
        """Bytes from the peer, whose buffers are overwritten afterwards."""
        buffers = [bytearray(piece) for piece in pieces]
        self.line.received([memoryview(buffer) for buffer in buffers])
        for buffer in buffers:
            buffer[:] = bytes(len(buffer))
