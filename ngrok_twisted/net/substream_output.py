"""
The writing half of a stream that shares a connection with others: what its protocol writes goes out as far as the stream's
window and the connection allow. What they do not allow waits, within a bound, and the producer is paused meanwhile.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable, Protocol, Sequence

from twisted.logger import Logger

from ngrok_twisted.net.backlog import Backlog
from ngrok_twisted.net.timeouts import IdleWatch

# Bytes that a protocol without a producer may leave with us. One that writes more has to be told when to stop.
MAX_OUTGOING = 16 * 1024 * 1024


class Carrier(Protocol):
    """
    What the streams share.

    :ivar blocked: nothing goes out for now.
    :ivar waiting: the streams that wait for that or for their window, in the order of their turns.
    """

    blocked: bool
    waiting: dict[Any, None]


class SubstreamOutput:
    """
    The writing half of an `ITransport` and an `IConsumer`. What the ends are is said in `ngrok_twisted.net.substream`.

    Whoever builds on it has the first two of these, and says what the first methods do.

    :ivar carrier: see `Carrier`.
    :ivar send_window: bytes that may be sent.
    :ivar disconnecting: `loseConnection` was called.
    :ivar disconnected: the protocol has heard of its end.
    :ivar mute: nothing more may be written.
    """

    _log = Logger()

    carrier: Carrier
    send_window: int

    disconnecting = False
    disconnected = False
    mute = False
    producer: Any = None
    streamingProducer = False

    _producer_paused = False
    _pulling = False
    _ending = False  # the write side is closed when all is out
    _ended = False  # the write side was closed
    _lingering: IdleWatch | None = None

    def __init__(self) -> None:
        self._unsent = Backlog()

    # -- what it is built on

    def later(self, call: Callable[[], None]) -> None:
        """See `ngrok_twisted.net.turn.Turn.later`."""
        raise NotImplementedError

    def _make_linger(self, call: Callable[[], None]) -> IdleWatch:
        """:return: what calls when a stream that is being closed has made no progress for as long as it may."""
        raise NotImplementedError

    def _emit(self, buffers: Sequence[Any], total: int) -> None:
        """
        Send bytes, and take them off the window.

        :param total: how many; the window allows them.
        """
        raise NotImplementedError

    def _end_writing(self) -> None:
        """The write side was closed, and all that was written is out."""
        raise NotImplementedError

    def _finish(self) -> None:
        """The stream was closed, and all that was written is out."""
        raise NotImplementedError

    def abortConnection(self) -> None:
        """`ITCPTransport`."""
        raise NotImplementedError

    # -- ITransport, IBatchTransport

    def write(self, data: bytes) -> None:
        """`ITransport`."""
        size = len(data)
        if self.mute or not size:
            return
        if self._unsent.size or self.carrier.blocked or size > self.send_window:
            self._hold((data,))
        else:
            self._emit((data,), size)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """`ITransport`."""
        self.writeBatch(tuple(data))

    def writeBatch(self, buffers: Sequence[Any]) -> None:
        """`IBatchTransport`."""
        if self.mute:
            return
        total = 0
        for buffer in buffers:
            total += len(buffer)
        if not total:
            return
        if self._unsent.size or self.carrier.blocked or total > self.send_window:
            self._hold(buffers)
        else:
            self._emit(buffers, total)

    def _hold(self, buffers: Sequence[Any]) -> None:
        self._unsent.add(buffers)
        self.carrier.waiting[self] = None
        if self._unsent.size > MAX_OUTGOING:
            self._log.warn("a protocol wrote on while its stream was full; the stream is aborted")
            self.abortConnection()
            return
        self.drain()
        if self._unsent.size and self.producer is not None and self.streamingProducer and not self._producer_paused:
            self._producer_paused = True
            self.producer.pauseProducing()

    def drain(self, limit: int = MAX_OUTGOING) -> None:
        """
        Send what waits, as far as there is room.

        :param limit: bytes, for turns among many streams.
        """
        unsent = self._unsent
        while unsent.size and limit and self.send_window and not self.carrier.blocked:
            pieces, total = unsent.take(min(self.send_window, limit))
            limit -= total
            if self._lingering is not None:
                self._lingering.touch()
            self._emit(pieces, total)
        if not unsent.size:
            self.carrier.waiting.pop(self, None)
            self._drained()

    def _drained(self) -> None:
        if self.producer is not None:
            if not self.streamingProducer:
                self._pull_later()
                return
            if self._producer_paused:
                self._producer_paused = False
                self.producer.resumeProducing()
            if self.disconnecting:
                # As a TCP transport does: a push producer that has no more to say does not keep it open.
                self.later(self._finish)
        elif self.disconnecting:
            self._finish()
        elif self._ending:
            self._end_writing()

    def _drop_unsent(self) -> None:
        """Nothing of what waits will be sent, nor anything else."""
        self.mute = True
        self._unsent.clear()
        self.carrier.waiting.pop(self, None)
        if self._lingering is not None:
            self._lingering.stop()
            self._lingering = None

    # -- IConsumer

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """`IConsumer`."""
        if self.producer is not None:
            raise RuntimeError("a producer is registered already")
        if self.disconnected:
            producer.stopProducing()
            return
        self.producer = producer
        self.streamingProducer = streaming
        self._producer_paused = False
        if not streaming:
            self._pull_later()
        elif self in self.carrier.waiting:
            self._producer_paused = True
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        """`IConsumer`."""
        self.producer = None
        if not self._unsent.size:
            if self.disconnecting:
                self.later(self._finish)
            elif self._ending:
                self._end_writing()

    def _pull_later(self) -> None:
        if not self._pulling:
            self._pulling = True
            self.later(self._pull)

    def _pull(self) -> None:
        self._pulling = False
        if self.producer is not None and not self.streamingProducer and not self._unsent.size:
            self.producer.resumeProducing()
            if not self._unsent.size and self.producer is not None:
                self._pull_later()
