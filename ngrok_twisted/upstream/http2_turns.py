"""
`Turns`: what leaves on one connection, and in which order. Bodies go in turn, a frame of each stream that may send, and nothing
more than the transport takes; what is said at once is one write.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.http2_frames import ConnectionBroken
from ngrok_twisted.upstream.http2_sending import StreamSender
from ngrok_twisted.upstream.http2_session import Session
from ngrok_twisted.upstream.syntax import KILOBYTE

#: Bytes that are gathered before the transport is asked to take them.
_BATCH = 64 * KILOBYTE

#: Bytes below which one write of a copy is cheaper than handing over several buffers.
_JOINED = 16 * KILOBYTE

#: Bytes of answers to the service's own frames that wait because it does not read.
_MAX_UNREAD = 256 * KILOBYTE


class Turns(Session):
    """
    The half of a connection that writes. It is the transport's producer.

    :ivar transport: to the target.
    """

    def __init__(self, clock: Any) -> None:
        """
        :param clock: an `IReactorTime`.
        """
        super().__init__(clock)
        self.transport: Any = None
        self._batch = self._corked = self._full = self._gone = False
        self._senders: dict[StreamSender, None] = {}
        self._unread = 0

    def attach(self, transport: Any) -> None:
        """Write to this transport from now on."""
        self.transport = transport
        self._batch = hasattr(transport, "writeBatch")
        transport.registerProducer(self, True)

    def cork(self) -> bool:
        """
        Gather what is sent from now on.

        :return: whether that was so already; give it to `uncork`.
        """
        before, self._corked = self._corked, True
        return before

    def uncork(self, before: bool, wait: float = 0.0) -> None:
        """
        The end of `cork`.

        :param wait: seconds that what was gathered may wait for something that leaves along with it.
        """
        self._corked = before
        if wait and not before:
            self._clock.callLater(wait, self.flush)
        else:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered, unless more is being gathered."""
        if self._out and not self._corked:
            self._write()

    def _write(self) -> None:
        out, self._out = self._out, []
        size, self._out_bytes = self._out_bytes, 0
        if self._gone:
            return
        if self._batch and size > _JOINED:
            self.transport.writeBatch(out)
        else:
            self.transport.write(b"".join(out))

    def check_reader(self) -> None:
        """
        After a read: what answers it must not pile up.

        :raises ConnectionBroken: the service asks, and does not read what it is told.
        """
        if self._full and self._out_bytes:
            self._unread += self._out_bytes
            if self._unread > _MAX_UNREAD:
                raise ConnectionBroken(h2.ENHANCE_YOUR_CALM, "the service does not read what it asks for")

    def has_more(self, sender: StreamSender) -> None:
        """A stream has more to send, or its end."""
        self._senders[sender] = None
        self._pump()
        self.flush()

    def _pump(self) -> None:
        """Send what the windows and the transport let through, a frame of each stream in turn."""
        senders = self._senders
        blocked: list[StreamSender] = []
        while senders and not self._full:
            sender = next(iter(senders))
            del senders[sender]
            if not sender.id or not sender.may_send():
                continue
            if self.send_window > 0 or not sender.has_bytes():
                sender.send_frame(self.send_window)
                if sender.may_send():
                    senders[sender] = None
            else:
                blocked.append(sender)
            if self._out_bytes > _BATCH:
                self._write()
        for sender in blocked:
            senders[sender] = None

    def window_opened(self, exchange: Any) -> None:
        """Session."""
        if exchange is not None:
            self._senders[exchange] = None
        self._pump()

    def pauseProducing(self) -> None:
        """IPushProducer: the target takes no more for now."""
        self._full = True

    def resumeProducing(self) -> None:
        """IPushProducer."""
        self._full = False
        self._unread = 0
        self._pump()
        self.flush()

    def stopProducing(self) -> None:
        """IPushProducer: `connectionLost` follows."""
