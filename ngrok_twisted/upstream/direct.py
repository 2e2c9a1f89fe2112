"""
`Direct`: a stream between two plain TCP sockets, without transports or protocols.

Most of what a short connection costs is what stands around its socket; here that is one object for each end, which the reactor
tells of what may be read and written. A FIN becomes a FIN, a reset becomes a reset, and a sink that is slower than its source
stops it.

What a socket has little of is read and written, which costs less than two splices; one that fills the buffer is spliced from
then on, until it has little again. ``splice(2)`` takes what a socket has received into a pipe, and from the pipe into the other
socket, without a copy to user space: a quarter of the CPU time of a read and a write.
"""

from __future__ import annotations

import os
import socket
from errno import EAGAIN, EWOULDBLOCK
from typing import Any, Callable

from twisted.internet.interfaces import IReadWriteDescriptor
from zope.interface import implementer

from ngrok_twisted.net.eager import EagerTransport
from ngrok_twisted.net.giving import reset
from ngrok_twisted.net.passing import take_out
from ngrok_twisted.net.timeouts import IdleWatch
from ngrok_twisted.upstream import pipes
from ngrok_twisted.upstream.pipes import PIPE_SIZE, Pipe

SECONDS = 1.0

# How long a source rests when no pipe can be made for want of descriptors.
NO_PIPE_PAUSE = 1 * SECONDS

# How long an end may take to send what is held for it once the stream has idled out.
CLOSE_TIMEOUT = 10 * SECONDS

# A socket that has less is not worth a splice.
MUCH = 64 * 1024

_buffer = memoryview(bytearray(MUCH))  # for the whole process: it is emptied on the spot

_CAN_SPLICE = hasattr(os, "splice")
_SPLICE_FLAGS = getattr(os, "SPLICE_F_MOVE", 0) | getattr(os, "SPLICE_F_NONBLOCK", 0)
_WOULD_BLOCK = frozenset({EAGAIN, EWOULDBLOCK})



def joined_directly(
    near: Any, far: Any, reactor: Any, idle_timeout: float, over: Callable[[Direct], object]
) -> Direct | None:
    """
    Join the sockets of two sides that have come with transports, which are gone then.

    :param near: the visitor's `ngrok_twisted.upstream.side.Side`.
    :param far: the target's.
    :return: ``None`` where that is not possible: another kind of transport (a tunnel, TLS), or one that still has something to
        send by itself. All is as it was then. For the rest see `Direct`.
    """
    sides = (near, far)
    if not all(_is_plain(side) for side in sides):
        return None
    sockets = [take_out(side.transport) for side in sides]
    direct = Direct(reactor, *sockets, idle_timeout, over)
    for side, end in zip(sides, (direct.near, direct.far)):
        side.transport = None
        end.received, end.finished = side.received, side.finished
    direct.start()
    for end in (direct.near, direct.far):
        if end.finished and end.other is not None:
            direct.ended(end)
    return direct


def _is_plain(side: Any) -> bool:
    transport = side.transport
    if not isinstance(transport, EagerTransport) or transport.TLS or transport.unsent or side.lost:
        return False
    return bool(transport.connected) and not transport.disconnecting


class Direct:
    """
    :ivar near: the visitor's `End`.
    :ivar far: the target's.
    :ivar watch: the stream's idle timeout.
    """

    __slots__ = ("near", "far", "watch", "reactor", "_over", "_closing")

    def __init__(
        self, reactor: Any, near: Any, far: Any, idle_timeout: float, over: Callable[[Direct], object]
    ) -> None:
        """
        :param near: the visitor's socket. Both are this object's from now on, and do not block.
        :param far: the target's.
        :param idle_timeout: seconds without a byte in either direction until the stream is closed.
        :param over: called once, when both are closed.
        """
        self.reactor = reactor
        self.near = End(self, near)
        self.far = End(self, far)
        self.near.other, self.far.other = self.far, self.near
        self.watch = IdleWatch(reactor, idle_timeout, self._idle)
        self._over = over
        self._closing = False

    def start(self, data: bytes = b"") -> None:
        """
        Move bytes from now on.

        :param data: what the visitor has sent already, and nobody else passes on.
        """
        if data:
            self.bring(data)
        self.far.start_reading()
        self.near.start_reading()

    def bring(self, data: bytes) -> None:
        """The visitor has sent this, too, before its socket came here."""
        if self._over is _nothing:
            return
        self.near.received += len(data)
        if self.far.held:
            self.far.hold_more(data)
        else:
            self.far.send(data)

    def abort(self) -> None:
        """Reset both connections, if they still are there: one of them was, or has to be."""
        self._close(orderly=False)

    def ended(self, end: End) -> None:
        """A FIN has come from one end, or is to be had as one: it goes to the other behind what is held for that."""
        end.finished = True
        end.stop_reading()
        if not end.other.held:
            self.pass_on_end(end)

    def pass_on_end(self, end: End) -> None:
        """The other end has all that came from this one, whose FIN comes next; or both are done."""
        other = end.other
        if other.finished and not end.held:
            self._close()
            return
        try:
            other.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it is broken, and its own event tells

    def _idle(self) -> None:
        """Nothing moved for long: close, and then insist."""
        if self._closing:
            self.abort()
            return
        if not (self.near.held or self.far.held):
            self._close()
            return
        self._closing = True
        self.watch.change(CLOSE_TIMEOUT)
        for end in (self.near, self.far):
            if not end.finished:
                self.ended(end)

    def _close(self, orderly: bool = True) -> None:
        over, self._over = self._over, _nothing
        if over is _nothing:
            return
        self.watch.stop()
        self.near.close(orderly)
        self.far.close(orderly)
        over(self)


def _nothing(direct: Direct) -> None:
    """In the place of whoever has been told."""


@implementer(IReadWriteDescriptor)
class End:
    """
    One of the two sockets.

    :ivar received: how many bytes came from it.
    :ivar finished: its peer has sent all it will send.
    :ivar held: bytes that the other end has brought, and this one has not yet taken; the other is not read meanwhile.
    """

    __slots__ = ("fileno", "sock", "other", "received", "finished", "held")
    __slots__ += ("_stream", "_rest", "_pipe", "_much", "_reading", "_writing", "_retry")

    other: End
    _stream: Direct

    def __init__(self, stream: Direct, sock: Any) -> None:
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
