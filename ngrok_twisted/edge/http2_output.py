"""
`Output`: what goes out on one HTTP/2 connection, and in which order.

Whatever need not wait is written in this turn of the reactor, answers that come together in one piece. Bodies that do not fit a
window, or meet a full transport, wait with their streams, and the streams stand in line: each sends one frame in its turn, then
the next does. A stream without a window does not stand in line at all.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Iterable, Mapping

from ngrok_twisted.edge.http2_engine import MEGABYTE, Engine
from ngrok_twisted.edge.http2_patience import BYTES_FOR_ONE, Patience
from ngrok_twisted.upstream.syntax import KILOBYTE

# Bodies that are sent from the line in one go; then other connections are looked after.
TURN_BYTES = 1 * MEGABYTE

# What streams in line send is gathered up to this, for one call of the transport and few of the system.
BATCH_BYTES = 128 * KILOBYTE

# Below this, copying buffers together is cheaper than handing the transport several.
JOINED_BYTES = 16 * KILOBYTE


class Output:
    """
    :ivar engine: the connection's.
    :ivar full: the transport takes no more for now.
    :ivar overdue: bytes that were written all the same since then: heads, and what the connection itself had to say.
    """

    __slots__ = (
        "engine",
        "full",
        "overdue",
        "_transport",
        "_batch",
        "_line",
        "_running",
        "_held",
        "_clock",
        "_call",
        "_flush_call",
        "_patience",
        "_streams",
        "_parts",
        "_size",
    )

    def __init__(
        self, engine: Engine, transport: Any, clock: Any, patience: Patience, streams: Mapping[int, Any] = {}
    ) -> None:
        """
        :param clock: an ``IReactorTime``.
        :param patience: earns by what is sent.
        :param streams: those that are open.
        """
        self.engine = engine
        self.full = False
        self.overdue = 0
        self._transport = transport
        self._batch = hasattr(transport, "writeBatch")
        self._line: deque[Any] | None = None  # most visitors read faster than services send
        self._running = self._held = False
        self._clock = clock
        self._call: Any = None
        self._flush_call: Any = None
        self._patience = patience
        self._streams = streams
        self._parts: list[Any] = []  # to be sent with the next call of the transport
        self._size = 0  # bytes of bodies in them

    def write(self, parts: Iterable[Any], size: int = 0) -> None:
        """
        Write in this turn of the reactor, behind all that was to be said before. Where other streams may be about to write as
        well, small parts wait for them.

        :param parts: bytes-like objects, valid during the call: whole frames.
        :param size: how many bytes of body they hold.
        """
        if size > JOINED_BYTES or not (self._held or len(self._streams) > 1):
            self.collect(parts, size)
            self._send()
            return
        self.collect((b"".join(parts),), size)
        if not self._held and self._flush_call is None:
            self._flush_call = self._clock.callLater(0, self._flush_late)

    def collect(self, parts: Iterable[Any], size: int) -> None:
        """
        Write in a stream's turn, together with what others write in theirs.

        :param parts: as for `write`, but nobody will change them.
        """
        self._parts.extend(parts)
        self._size += size
        if self._size >= BATCH_BYTES:
            self._send()

    def soon(self, frame: bytes) -> None:
        """Have a frame go out with what follows, or with the next `flush`."""
        self._parts.append(frame)

    def hold(self) -> None:
        """Gather what is written from now on."""
        self._held = True

    def release(self) -> None:
        """The end of `hold`."""
        self._held = False
        self._send()

    def flush(self) -> None:
        """Write what waits, if nothing is being gathered."""
        if not self._held:
            self._send()

    def _flush_late(self) -> None:
        self._flush_call = None
        self._send()

    def _send(self) -> None:
        parts, size = self._parts, self._size
        if not parts:
            return
        self._parts, self._size = [], 0
        if self.full:
            self.overdue += sum(map(len, parts))
        if size:
            self._patience.earn(size / BYTES_FOR_ONE)
        if self._batch and size > JOINED_BYTES:
            self._transport.writeBatch(parts)
        else:
            self._transport.write(b"".join(parts) if len(parts) > 1 else bytes(parts[0]))

    def line_up(self, stream: Any) -> None:
        """
        Give a stream its turns, until it has no more to send or no window.

        :param stream: has ``in_line``, and ``take_turn()``, which sends one frame at most, stands in line again if there is
            more, and tells how many bytes of body it sent.
        """
        if not stream.in_line:
            stream.in_line = True
            if self._line is None:
                self._line = deque()
            self._line.append(stream)

    def run(self) -> None:
        """Let those in line send, for as long as the transport and the connection's window take it."""
        line = self._line
        if self._running or not line:
            return
        self._running = True
        left = TURN_BYTES
        try:
            while line and left > 0 and not self.full and self.engine.send_window > 0:
                stream = line.popleft()
                stream.in_line = False
                left -= stream.take_turn()
        finally:
            self._running = False
            self.flush()
        if left <= 0 and line and not self.full and self._call is None:
            self._call = self._clock.callLater(0, self._go_on)

    def stop(self) -> None:
        """Nothing goes out any more."""
        self.full = True
        self._line = None
        self._parts = []
        for call in (self._call, self._flush_call):
            if call is not None:
                call.cancel()
        self._call = self._flush_call = None

    def _go_on(self) -> None:
        self._call = None
        self.run()
