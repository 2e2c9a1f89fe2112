"""
`Output`: what a mux needs of its connection; and `FrameOutput`: frames on their way out of it, small ones together and large
ones at once.
"""

from __future__ import annotations

from typing import Any, Callable, Protocol, Sequence

from ngrok_twisted.interfaces import IBatchTransport
from ngrok_twisted.transports.agent.frames import HEADER_SIZE, joined

# Frames up to this many bytes leave together with others: at the end of the read that they answer, or of the reactor's turn.
# Larger ones leave at once. As many bytes of one stream are one frame then: an agent of the Rust family writes each frame to
# its service by itself, with Nagle's algorithm on, so that the second half of a request would wait for the service's kernel
# to acknowledge the first, which takes 40 ms. It copies in pieces of this size, so that more would not help.
SMALL = 8 * 1024

# Bytes of small frames that leave without waiting for more: the requests of a hundred visitors.
ENOUGH = 64 * 1024


class Output(Protocol):
    """
    The connection, as a mux and its streams see it.

    :ivar clock: an `IReactorTime`.
    :ivar later: see `ngrok_twisted.net.turn.Turn.later`.
    :ivar peer_host: the agent's IP address.
    :ivar peer_port: its port.
    :ivar transport: an `ITransport`.
    """

    clock: Any
    later: Callable[[Callable[[], object]], None]
    peer_host: str
    peer_port: int
    transport: Any

    def write_frames(self, buffers: Sequence[Any]) -> None:
        """
        Send whole frames. When the connection is full it calls `Mux.block`, at best before this returns. A few small frames
        come all the same, and it is for the connection to say how many an agent may have that does not read.

        :param buffers: bytes-like objects, good during the call only.
        """

    def gone_away(self, code: int, text: str) -> None:
        """The agent has said farewell: nothing that it sends counts any more, and the connection is to be closed."""

    def room_made(self) -> None:
        """A stream is over, or the agent has come to one, so that there may be room for another."""


class FrameOutput:
    """
    What is between a mux and its transport.

    :ivar held: a read is being worked on; who sets this calls `flush` at its end.
    :ivar full: the transport takes no more for now. What is sent all the same is counted.
    """

    __slots__ = (
        "held",
        "full",
        "_write",
        "_later",
        "_most_unread",
        "_overflow",
        "_queue",
        "_queued",
        "_due",
        "_unread",
    )

    def __init__(
        self,
        transport: Any,
        later: Callable[[Callable[[], object]], None],
        most_unread: int,
        overflow: Callable[[], object],
    ) -> None:
        """
        :param transport: an `ITransport`; an `IBatchTransport` saves a copy.
        :param later: see `ngrok_twisted.net.turn.Turn.later`.
        :param most_unread: bytes that may be sent while the transport is full.
        :param overflow: called when there are more, instead of sending them.
        """
        self.held = False
        self.full = False
        self._write: Callable[[Sequence[Any]], object] | None
        if IBatchTransport.providedBy(transport):
            self._write = transport.writeBatch
        else:
            self._write = lambda buffers: transport.write(b"".join(buffers))
        self._later = later
        self._most_unread = most_unread
        self._overflow = overflow
        self._queue: list[bytes] = []
        self._queued = 0
        self._due = False
        self._unread = 0

    def write(self, buffers: Sequence[Any]) -> None:
        """
        Send whole frames.

        :param buffers: bytes-like objects; they are free when this returns.
        """
        write = self._write
        if write is None:
            return
        size = 0
        for buffer in buffers:
            size += len(buffer)
        if self.full:
            self._unread += size
            if self._unread > self._most_unread:
                self._overflow()
                return
        queue = self._queue
        if size > SMALL or self._queued > ENOUGH:
            self._queue, self._queued = [], 0
            write([*queue, *buffers])
            return
        frame = b"".join(buffers)
        former = queue[-1] if queue else b""
        whole = joined(former, frame) if HEADER_SIZE <= len(former) <= SMALL - size else None
        if whole is None:
            queue.append(frame)
            self._queued += size
        else:
            queue[-1] = whole
            self._queued += size - HEADER_SIZE
        if not self.held and not self._due:
            self._due = True
            self._later(self._end_of_turn)

    def drained(self) -> None:
        """The transport takes bytes again."""
        self.full = False
        self._unread = 0

    def flush(self) -> None:
        """Send what waits for company."""
        queue, write = self._queue, self._write
        if queue and write is not None:
            self._queue, self._queued = [], 0
            write(queue)

    def close(self) -> None:
        """Forget what waits, send nothing more, and let go of the transport."""
        self._queue.clear()
        self._write = None

    def _end_of_turn(self) -> None:
        self._due = False
        self.flush()
