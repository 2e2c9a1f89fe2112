"""
`Direct`: a stream between two plain TCP sockets, without transports or protocols.

Most of what a short connection costs is what stands around its socket; here that is one object for each end, which the reactor
tells of what may be read and written. A FIN becomes a FIN, a reset becomes a reset, and a sink that is slower than its source
stops it.
"""

from __future__ import annotations

import socket
from typing import Any, Callable

from ngrok_twisted.net.eager import EagerTransport
from ngrok_twisted.net.passing import take_out
from ngrok_twisted.net.timeouts import IdleWatch
from ngrok_twisted.upstream.end import End

SECONDS = 1.0

# How long an end may take to send what is held for it once the stream has idled out.
CLOSE_TIMEOUT = 10 * SECONDS


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
    if not (_is_plain(near) and _is_plain(far)):
        return None
    direct = Direct(reactor, take_out(near.transport), take_out(far.transport), idle_timeout, over)
    for side, end in ((near, direct.near), (far, direct.far)):
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
