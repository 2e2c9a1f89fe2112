"""
`Outgoing`: what a forwarded channel writes, as far as the client's window and the socket allow.

What they do not allow waits, within a bound, and the producer is paused meanwhile.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import TYPE_CHECKING, Any, Iterable, Sequence

from twisted.logger import Logger

from ngrok_twisted.transports.ssh.channel import MSG_CHANNEL_DATA, Channel

if TYPE_CHECKING:
    from ngrok_twisted.transports.ssh.connection import Connection

# Writes up to this many bytes go out together with others at the end of the turn, larger ones at once.
SMALL = 8 * 1024

# Bytes that a protocol without a producer may leave with us. One that writes more has to be told when to stop.
MAX_OUTGOING = 16 * 1024 * 1024


class Outgoing(Channel):
    """
    The writing half of an `ITransport` and an `IConsumer`. What is over and when is decided by the subclass.

    :ivar disconnecting: `loseConnection` was called.
    :ivar disconnected: the protocol has heard of its end.
    """

    _log = Logger()

    disconnecting = False
    disconnected = False
    producer: Any = None
    streamingProducer = False

    def __init__(self, connection: Connection, number: int) -> None:
        super().__init__(connection, number)
        self._producer_paused = False
        self._outgoing: deque[bytes] = deque()
        self._outgoing_size = 0
        self._eof_wanted = False
        self._linger_from = 0.0

    def abortConnection(self) -> None:
        """`ITCPTransport`."""
        raise NotImplementedError

    def _end_writing(self) -> None:
        """The write side was closed, and all that was written is out."""
        raise NotImplementedError

    def _finish(self) -> None:
        """The connection was closed, and all that was written is out."""
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        """`ITransport`."""
        self.writeBatch((data,))

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """`ITransport`."""
        self.writeBatch(tuple(data))

    def writeBatch(self, buffers: Sequence[Any]) -> None:
        """`IBatchTransport`."""
        if self.disconnected or self.sent_close or self.sent_eof or self._eof_wanted:
            return
        total = 0
        for buffer in buffers:
            total += len(buffer)
        if not total:
            return
        if self._outgoing or self.connection.blocked or total > self.send_window:
            self._hold(buffers, total)
        else:
            self._emit(buffers, total)

    def _emit(self, buffers: Sequence[Any], total: int) -> None:
        self.send_window -= total
        if total <= SMALL and total <= self.packet_limit:
            head = struct.pack(">BII", MSG_CHANNEL_DATA, self.remote, total)
            self.connection.transport.send(b"".join((head, *buffers)))
        else:
            self.connection.transport.writer.send_data(self.remote, self.packet_limit, buffers)

    def _hold(self, buffers: Sequence[Any], total: int) -> None:
        if not self._outgoing:
            self._linger_from = self.connection.clock.seconds()
        self._outgoing.extend(bytes(buffer) for buffer in buffers if len(buffer))
        self._outgoing_size += total
        self.connection.waiting[self] = None
        if self._outgoing_size > MAX_OUTGOING:
            self._log.warn("ssh: a protocol wrote on while its channel was full; the channel is aborted")
            self.abortConnection()
            return
        self.drain()
        if self._outgoing and self.producer is not None and self.streamingProducer and not self._producer_paused:
            self._producer_paused = True
            self.producer.pauseProducing()

    def drain(self) -> None:
        """`Channel`: send what waits, as far as there is room."""
        connection = self.connection
        while self._outgoing and self.send_window and not connection.blocked:
            pieces, total = self._cut(self.send_window)
            self._outgoing_size -= total
            self._linger_from = connection.clock.seconds()
            self._emit(pieces, total)
        if not self._outgoing:
            connection.waiting.pop(self, None)
            self._drained()

    def _cut(self, limit: int) -> tuple[list[Any], int]:
        """:return: buffers from the front of what waits, and their size, at most ``limit``."""
        pieces: list[Any] = []
        total = 0
        while self._outgoing and total < limit:
            piece = self._outgoing.popleft()
            if total + len(piece) > limit:
                view = memoryview(piece)
                self._outgoing.appendleft(bytes(view[limit - total :]))
                piece = bytes(view[: limit - total])
            pieces.append(piece)
            total += len(piece)
        return pieces, total

    def _drained(self) -> None:
        if self.producer is not None:
            if not self.streamingProducer:
                self.connection.later(self._pull)
                return
            if self._producer_paused:
                self._producer_paused = False
                self.producer.resumeProducing()
            if self.disconnecting:
                # As a TCP transport does: a push producer that has no more to say does not keep it open.
                self.connection.later(self._finish)
        elif self.disconnecting:
            self._finish()
        elif self._eof_wanted:
            self._end_writing()

    def _pull(self) -> None:
        if self.producer is not None and not self.streamingProducer and not self._outgoing:
            self.producer.resumeProducing()
            if not self._outgoing and self.producer is not None:
                self.connection.later(self._pull)

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
            self.connection.later(self._pull)
        elif self._outgoing:
            self._producer_paused = True
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        """`IConsumer`."""
        self.producer = None
        if not self._outgoing:
            if self.disconnecting:
                self.connection.later(self._finish)
            elif self._eof_wanted:
                self._end_writing()
