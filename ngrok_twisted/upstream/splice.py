"""
Lets the kernel move the bytes of a stream whose two ends are plain TCP sockets.

``splice(2)`` takes what a socket has received into a pipe, and from the pipe into the other socket, without a copy to user
space: a quarter of the CPU time of a read and a write. Only the movement of bytes is taken over: the transports keep their
place in the reactor, and FINs, resets, timeouts and closes go the same way as without it, because ``doRead`` and
``doWrite`` of the two transports are all that is replaced.

What a socket has little of is read and written, which costs less than two splices; one that fills the buffer is spliced from
then on, until it has little again.

A pipe is borrowed for the length of one event and given back empty, so that connections that rest hold none; a sink that
is slower than its source keeps one until it is drained, and the source is not read meanwhile.
"""

from __future__ import annotations

import fcntl
import os
from errno import EAGAIN, EWOULDBLOCK
from typing import Any

from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST

from ngrok_twisted.net.eager import EagerTransport

SECONDS = 1.0

# As large as an unprivileged process may make a pipe (fs.pipe-max-size); also the most that is moved in one go.
PIPE_SIZE = 1024 * 1024

# Empty pipes that are kept. Linux counts pipe memory against each user (fs.pipe-user-pages-soft, 64 MB).
POOL_SIZE = 32

# How long a source rests when no pipe can be made for want of descriptors.
NO_PIPE_PAUSE = 1 * SECONDS

# A socket that has less is not worth a splice.
MUCH = 64 * 1024

_buffer = memoryview(bytearray(MUCH))  # for the whole process: it is emptied on the spot

_F_SETPIPE_SZ = getattr(fcntl, "F_SETPIPE_SZ", None)
_SPLICE_FLAGS = getattr(os, "SPLICE_F_MOVE", 0) | getattr(os, "SPLICE_F_NONBLOCK", 0)
_WOULD_BLOCK = frozenset({EAGAIN, EWOULDBLOCK})

_pool: list[tuple[int, int]] = []


def splice(first: Any, second: Any, clock: Any) -> Spliced | None:
    """
    Hand the relaying between two sides to the kernel, if that is possible.

    :param first: a `ngrok_twisted.upstream.side.Side`.
    :param second: the other one.
    :param clock: an `IReactorTime`.
    :return: ``None`` where it is not: another platform, another kind of transport (a tunnel, TLS), or one that still has
        something to send by itself.
    """
    if not hasattr(os, "splice"):
        return None
    for side in (first, second):
        transport = side.transport
        if not isinstance(transport, EagerTransport) or transport.TLS or transport.unsent or side.lost:
            return None
        if not transport.connected or transport.disconnecting:
            return None
    return Spliced(first, second, clock)


class Spliced:
    """Both directions of one stream."""

    def __init__(self, first: Any, second: Any, clock: Any) -> None:
        there, back = _Direction(first, second, clock), _Direction(second, first, clock)
        self._directions = (there, back)
        for side, inbound, outbound in ((first, there, back), (second, back, there)):
            side.transport.doRead = inbound.read
            side.transport.doWrite = outbound.write
            side.transport.outbound = outbound

    def lost(self, side: Any) -> None:
        """A side's connection is gone: nothing is read from it and nothing can be written to it."""
        for name in ("doRead", "doWrite", "outbound"):
            side.transport.__dict__.pop(name, None)
        for direction in self._directions:
            if direction.sink is side:
                direction.close()
            else:
                direction.stop_waiting()


class _Direction:
    """
    From one side's socket to the other's.

    :ivar source: the side that is read.
    :ivar sink: the side that is written to.
    :ivar held: bytes that were taken from the source, and not yet by the sink.
    """

    __slots__ = ("source", "sink", "_clock", "_pipe", "held", "_retry", "_much", "_rest")

    def __init__(self, source: Any, sink: Any, clock: Any) -> None:
        self.source = source
        self.sink = sink
        self._clock = clock
        self._pipe: tuple[int, int] | None = None
        self.held = 0
        self._retry: Any = None
        self._much = False
        self._rest: Any = b""

    def read(self) -> Any:
        """IReadDescriptor.doRead of the source: there is something, and nothing is held."""
        if self.held:
            self.source.transport.stopReading()
            return None
        return self._splice() if self._much else self._copy()

    def _copy(self) -> Any:
        """As `read`, for little."""
        try:
            count = self.source.transport.socket.recv_into(_buffer)
        except OSError as error:
            return None if error.errno in _WOULD_BLOCK else CONNECTION_LOST
        if not count:
            return CONNECTION_DONE
        self._much = count == MUCH
        self.source.moved(count)
        sink = self.sink.transport
        if not sink.connected:
            return None
        try:
            sent = sink.socket.send(_buffer[:count])
        except OSError:
            sent = 0
        if sent < count:
            self._rest = bytes(_buffer[sent:count])
            self.held = count - sent
            self._wait_for_sink()
        return None

    def _splice(self) -> Any:
        """As `read`, for much."""
        try:
            pipe = self._pipe = _pool.pop() if _pool else _new_pipe()
        except OSError:
            self._wait_for_pipe()
            return None
        try:
            count = os.splice(self.source.transport.fileno(), pipe[1], PIPE_SIZE, flags=_SPLICE_FLAGS)
        except OSError as error:
            self._give_back()
            return None if error.errno in _WOULD_BLOCK else CONNECTION_LOST
        if not count:
            self._give_back()
            return CONNECTION_DONE
        self._much = count >= MUCH
        self.held = count
        self.source.moved(count)
        sink = self.sink.transport
        if not sink.connected:
            self.close()
        elif not self._flush():
            self._wait_for_sink()
        return None

    def _wait_for_sink(self) -> None:
        """It is full, or broken: either way its own events tell how it goes on."""
        self.source.transport.stopReading()
        self.sink.transport.startWriting()

    def write(self) -> Any:
        """IWriteDescriptor.doWrite of the sink: there is room, or it is to be closed."""
        sink = self.sink.transport
        if self.held:
            try:
                if not self._flush(raising=True):
                    return None
            except OSError:
                return CONNECTION_LOST
            self.source.resumeProducing()
        if sink.disconnecting or sink._writeDisconnecting:
            return type(sink).doWrite(sink)
        sink.stopWriting()
        return None

    def close(self) -> None:
        """The sink is gone: what is held is lost."""
        self.stop_waiting()
        pipe, self._pipe = self._pipe, None
        self.held, self._rest = 0, b""
        if pipe is not None:
            os.close(pipe[0])
            os.close(pipe[1])

    def stop_waiting(self) -> None:
        """Do not read the source again by ourselves."""
        retry, self._retry = self._retry, None
        if retry is not None:
            retry.cancel()

    def _flush(self, raising: bool = False) -> bool:
        """
        Move what is held to the sink.

        :param raising: let an error other than "would block" out, instead of leaving it for the sink's next event.
        :return: whether all of it was taken.
        """
        sink = self.sink.transport
        try:
            while self._rest:
                sent = sink.socket.send(self._rest)
                self._rest = self._rest[sent:]
                self.held -= sent
            while self.held:
                assert self._pipe is not None
                self.held -= os.splice(self._pipe[0], sink.fileno(), self.held, flags=_SPLICE_FLAGS)
        except OSError as error:
            if raising and error.errno not in _WOULD_BLOCK:
                raise
            return False
        self._give_back()
        return True

    def _give_back(self) -> None:
        """The pipe, if there is one, is empty: others may have it."""
        pipe, self._pipe = self._pipe, None
        if pipe is None:
            return
        if len(_pool) < POOL_SIZE:
            _pool.append(pipe)
        else:
            os.close(pipe[0])
            os.close(pipe[1])

    def _wait_for_pipe(self) -> None:
        self.source.transport.stopReading()
        self.stop_waiting()
        self._retry = self._clock.callLater(NO_PIPE_PAUSE, self._again)

    def _again(self) -> None:
        self._retry = None
        self.source.resumeProducing()


def _new_pipe() -> tuple[int, int]:
    """
    A pipe that never blocks, as large as we may have it.

    :raises OSError: no descriptors are left.
    """
    pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    if _F_SETPIPE_SZ is not None:
        try:
            fcntl.fcntl(pipe[1], _F_SETPIPE_SZ, PIPE_SIZE)
        except OSError:
            pass  # the user's share is used up: a pipe of the usual size works as well
    return pipe
