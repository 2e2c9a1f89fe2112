"""
`Output`: what goes out on one HTTP/2 connection, and in which order.

Whatever need not wait is written at once. Bodies that do not fit a window, or meet a full transport, wait with their streams,
and the streams stand in line: each sends one frame in its turn, then the next does. A stream without a window does not stand
in line at all.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Iterable

from ngrok_twisted.edge.http2_engine import MEGABYTE, Engine
from ngrok_twisted.edge.http2_patience import BYTES_FOR_ONE, Patience
from ngrok_twisted.upstream.syntax import KILOBYTE

# Bodies that are sent from the line in one go; then other connections are looked after.
TURN_BYTES = 1 * MEGABYTE

# Below this, copying buffers together is cheaper than handing the transport several.
JOINED_BYTES = 16 * KILOBYTE


class Output:
    """
    :ivar engine: the connection's.
    :ivar full: the transport takes no more for now.
    """

    __slots__ = ("engine", "full", "_transport", "_batch", "_line", "_running", "_clock", "_call", "_patience")

    def __init__(self, engine: Engine, transport: Any, clock: Any, patience: Patience) -> None:
        """
        :param clock: an ``IReactorTime``.
        :param patience: earns by what is sent.
        """
        self.engine = engine
        self.full = False
        self._transport = transport
        self._batch = hasattr(transport, "writeBatch")
        self._line: deque[Any] = deque()
        self._running = False
        self._clock = clock
        self._call: Any = None
        self._patience = patience

    def write(self, parts: Iterable[Any], size: int = 0) -> None:
        """
        :param parts: bytes-like objects, valid during the call: whole h2.
        :param size: about how many bytes of body they hold.
        """
        waiting = self.engine.data_to_send()
        if waiting:
            parts = [waiting, *parts]
        if size:
            self._patience.earn(size / BYTES_FOR_ONE)
        if self._batch and size > JOINED_BYTES:
            self._transport.writeBatch(parts)
        else:
            self._transport.write(b"".join(parts))

    def flush(self) -> None:
        """Write what h2 has to say."""
        waiting = self.engine.data_to_send()
        if waiting:
            self._transport.write(waiting)

    def line_up(self, stream: Any) -> None:
        """
        Give a stream its turns, until it has no more to send or no window.

        :param stream: has ``in_line``, and ``take_turn()``, which sends one frame at most, stands in line again if there is
            more, and tells how many bytes of body it sent.
        """
        if not stream.in_line:
            stream.in_line = True
            self._line.append(stream)

    def run(self) -> None:
        """Let those in line send, for as long as the transport and the connection's window take it."""
        if self._running or not self._line:
            return
        self._running = True
        left = TURN_BYTES
        line = self._line
        try:
            while line and left > 0 and not self.full and self.engine.outbound_flow_control_window > 0:
                stream = line.popleft()
                stream.in_line = False
                left -= stream.take_turn()
        finally:
            self._running = False
        if left <= 0 and line and not self.full and self._call is None:
            self._call = self._clock.callLater(0, self._go_on)

    def stop(self) -> None:
        """Nothing goes out any more."""
        self.full = True
        self._line.clear()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _go_on(self) -> None:
        self._call = None
        self.run()
