"""
`End`: one of the two sockets of a stream without transports, see `ngrok_twisted.upstream.direct`.

What a socket has little of is read and written, which costs less than two splices; one that fills the buffer is spliced from
then on, until it has little again. ``splice(2)`` takes what a socket has received into a pipe, and from the pipe into the other
socket, without a copy to user space: a quarter of the CPU time of a read and a write.
"""

from __future__ import annotations

import os
from errno import EAGAIN, EWOULDBLOCK
from typing import Any

from twisted.internet.interfaces import IReadWriteDescriptor
from zope.interface import implementer

from ngrok_twisted.net.giving import reset
from ngrok_twisted.upstream import pipes
from ngrok_twisted.upstream.pipes import PIPE_SIZE, Pipe

SECONDS = 1.0

# How long a source rests when no pipe can be made for want of descriptors.
NO_PIPE_PAUSE = 1 * SECONDS

# A socket that has less is not worth a splice.
MUCH = 64 * 1024

_buffer = memoryview(bytearray(MUCH))  # for the whole process: it is emptied on the spot

_CAN_SPLICE = hasattr(os, "splice")
_SPLICE_FLAGS = getattr(os, "SPLICE_F_MOVE", 0) | getattr(os, "SPLICE_F_NONBLOCK", 0)
_WOULD_BLOCK = frozenset({EAGAIN, EWOULDBLOCK})


@implementer(IReadWriteDescriptor)
class End:
    """
    One of the two sockets.

    :ivar received: how many bytes came from it.
    :ivar finished: its peer has sent all it will send.
    :ivar held: bytes that the other end has brought, and this one has not yet taken; the other is not read meanwhile.
    """

    __slots__ = (
        "fileno",
        "sock",
        "other",
        "received",
        "finished",
        "held",
        "_stream",
        "_rest",
        "_pipe",
        "_much",
        "_reading",
        "_writing",
        "_retry",
    )

    other: End

    def __init__(self, stream: Any, sock: Any) -> None:
        """
        :param stream: the `ngrok_twisted.upstream.direct.Direct`.
        :param sock: does not block; it is closed here.
        """
        self._stream = stream
        self.sock = sock
        self.fileno = sock.fileno
        self.received = self.held = 0
        self.finished = self._much = self._reading = self._writing = False
        self._rest: Any = b""
        self._pipe: Pipe | None = None
        self._retry: Any = None

    # -- from this socket to the other

    def doRead(self) -> None:
        """IReadDescriptor."""
        if not self._reading:
            return  # an event of the turn in which it was stopped
        if self._much and _CAN_SPLICE:
            self._splice()
            return
        try:
            count = self.sock.recv_into(_buffer)
        except OSError as error:
            self._failed(error)
            return
        if not count:
            self._stream.ended(self)
            return
        self.received += count
        self._much = count == MUCH
        self._stream.watch.touch()
        self.other.send(_buffer[:count])

    def _splice(self) -> None:
        """As `doRead`, for much."""
        try:
            pipe = pipes.borrow()
        except OSError:
            self._wait_for_pipe()
            return
        try:
            count = os.splice(self.fileno(), pipe[1], PIPE_SIZE, flags=_SPLICE_FLAGS)
        except OSError as error:
            pipes.give_back(pipe)
            self._failed(error)
            return
        if not count:
            pipes.give_back(pipe)
            self._stream.ended(self)
            return
        self.received += count
        self._much = count >= MUCH
        self._stream.watch.touch()
        self.other.send_pipe(pipe, count)

    def _failed(self, error: OSError) -> None:
        if error.errno not in _WOULD_BLOCK:
            self._stream.abort()

    def _wait_for_pipe(self) -> None:
        self.stop_reading()
        self._retry = self._stream.reactor.callLater(NO_PIPE_PAUSE, self._again)

    def _again(self) -> None:
        self._retry = None
        self.start_reading()

    # -- to this socket

    def send(self, data: Any) -> None:
        """
        What the kernel refuses is kept. A socket that is broken looks like a full one here: its own event tells.

        :param data: a bytes-like object, valid only during the call. Nothing is held yet.
        """
        try:
            sent = self.sock.send(data)
        except OSError:
            sent = 0
        if sent != len(data):
            self._rest = bytes(data[sent:])
            self._hold(len(self._rest))

    def hold_more(self, data: bytes) -> None:
        """As `send`, behind what is held, none of which is in a pipe."""
        self._rest = bytes(self._rest) + data
        self.held += len(data)

    def send_pipe(self, pipe: Pipe, count: int) -> None:
        """
        As `send`.

        :param pipe: it is this end's from now on.
        :param count: bytes that are in it.
        """
        self._pipe = pipe
        self.held = count
        try:
            self._flush()
        except OSError:
            pass
        if self.held:
            self._hold(self.held)

    def _hold(self, count: int) -> None:
        self.held = count
        self.other.stop_reading()
        if not self._writing:
            self._writing = True
            self._stream.reactor.addWriter(self)

    def doWrite(self) -> None:
        """IWriteDescriptor: there is room, or it is broken."""
        if not self._writing:
            return
        try:
            self._flush()
        except OSError as error:
            self._failed(error)
            return
        if self.held:
            return
        self._writing = False
        self._stream.reactor.removeWriter(self)
        if self.other.finished:
            self._stream.pass_on_end(self.other)
        else:
            self.other.start_reading()

    def _flush(self) -> None:
        """
        Give what is held to the kernel.

        :raises OSError: it takes no more, or the socket is broken.
        """
        while self._rest:
            sent = self.sock.send(self._rest)
            self._rest = self._rest[sent:]
            self.held -= sent
        pipe = self._pipe
        if pipe is not None:
            while self.held:
                self.held -= os.splice(pipe[0], self.fileno(), self.held, flags=_SPLICE_FLAGS)
            self._pipe = None
            pipes.give_back(pipe)

    # -- its place in the reactor

    def start_reading(self) -> None:
        """Take what comes, unless there will be nothing more, or the other end is full."""
        if not self._reading and not self.finished and not self.other.held:
            self._reading = True
            self._stream.reactor.addReader(self)

    def stop_reading(self) -> None:
        """Leave what comes in the kernel."""
        if self._reading:
            self._reading = False
            self._stream.reactor.removeReader(self)

    def close(self, orderly: bool = True) -> None:
        """Nothing more comes from here, or goes here; what is held is lost."""
        self.stop_reading()
        if self._writing:
            self._writing = False
            self._stream.reactor.removeWriter(self)
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._pipe is not None:
            pipes.discard(self._pipe)
            self._pipe = None
        self.held, self._rest = 0, b""
        if orderly:
            self.sock.close()
        else:
            reset(self.sock)
        self.other = self._stream = None  # type: ignore[assignment]  # not left to the garbage collector

    def connectionLost(self, reason: Any) -> None:
        """IFileDescriptor: the reactor found it broken."""
        if self._reading or self._writing:
            self._stream.abort()

    def logPrefix(self) -> str:
        """ILoggingContext."""
        return "stream"
