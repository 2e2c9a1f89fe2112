"""
`Substream`: an `ITransport` that is one of many streams on a shared connection, such as an SSH channel.

Nothing is buffered without a bound. The peer gets credit only for bytes that the protocol has taken, so a slow protocol
slows the peer down through the stream's window; and while that of the other direction or the connection is full, the
protocol's producer is paused.
"""

from __future__ import annotations

from typing import Any, Sequence

from zope.interface import implementer

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IHalfCloseableProtocol, IPushProducer, ITCPTransport
from twisted.python.failure import Failure

from ngrok_twisted.interfaces import IBatchReceiver, IBatchTransport
from ngrok_twisted.net.substream_output import SubstreamOutput


@implementer(IBatchTransport, ITCPTransport, IConsumer, IPushProducer)
class Substream(SubstreamOutput):
    """
    What bytes and ends mean for the protocol. How they look on the wire is the business of who builds on it: it calls
    `received`, `peer_finished` and `peer_left`, and says what `_emit`, `credit`, `_send_fin`, `_close` and `_abort` do.

    :ivar connected: 1 while the protocol may write.
    """

    connected = 0

    _protocol: Any = None
    _batches = False
    _paused = False
    _releasing = False
    _deaf = False  # nothing is delivered any more
    _finished = False  # the peer has sent all it will send
    _told_finished = False  # the protocol knows
    _left = False  # the peer has closed the stream
    _why = ""  # it did

    def __init__(self) -> None:
        super().__init__()
        self._incoming = bytearray()

    # -- what it is built on

    def credit(self, size: int) -> None:
        """So many bytes were taken by the protocol. Called with 0 when those that were taken earlier may count now."""
        raise NotImplementedError

    def owe(self, size: int) -> None:
        """So many bytes were taken by a protocol that wants no more for now: they count at the next `credit`."""
        raise NotImplementedError

    def _unwanted(self) -> None:
        """Bytes came for a protocol that is not there any more."""

    def _send_fin(self) -> None:
        """Tell the peer that no more bytes follow."""
        raise NotImplementedError

    def _close(self) -> None:
        """Tell the peer that the stream is over, after all that was sent."""
        raise NotImplementedError

    def _abort(self) -> None:
        """Tell the peer that the stream is broken off."""
        raise NotImplementedError

    # -- the protocol

    @property
    def protocol(self) -> Any:
        """The protocol that owns the stream; it may be replaced."""
        return self._protocol

    @protocol.setter
    def protocol(self, protocol: Any) -> None:
        self._protocol = protocol
        self._batches = IBatchReceiver.providedBy(protocol)

    def _connect(self, protocol: Any) -> None:
        """
        Give the stream to a protocol.

        :raises Exception: what its ``makeConnection`` raises; it has lost the stream then and hears no more of it.
        """
        self.connected = 1
        self.protocol = protocol
        try:
            protocol.makeConnection(self)
        except Exception:
            self.connected = 0
            self.disconnected = self._deaf = True
            self._protocol = self.producer = None
            self._drop_unsent()
            raise

    # -- from the peer

    def received(self, batch: list[memoryview]) -> None:
        """Bytes came; the buffers are good during the call only."""
        if self._deaf:
            self._unwanted()
            return
        if self._paused or self._incoming:
            # One buffer for all, since a peer may send its bytes one by one.
            for view in batch:
                self._incoming += view
        else:
            self._hand_over(batch)

    def _hand_over(self, batch: Sequence[Any]) -> None:
        size = 0
        for view in batch:
            size += len(view)
        if self._batches:
            self._protocol.batchReceived(batch)
        else:
            self._protocol.dataReceived(b"".join(batch))
        if self._paused:
            self.owe(size)
        else:
            self.credit(size)

    def pauseProducing(self) -> None:
        """`IPushProducer`: the protocol cannot take more; the peer gets no more credit."""
        self._paused = True

    def resumeProducing(self) -> None:
        """`IPushProducer`."""
        if not self._paused or self.disconnected:
            self._paused = False
            return
        self._paused = False
        if not self._incoming:
            self.credit(0)
        if (self._incoming or self._finished or self._left) and not self._releasing:
            self._releasing = True
            self.later(self._release)

    def stopProducing(self) -> None:
        """`IPushProducer`."""
        self.loseConnection()

    def _release(self) -> None:
        """Hand over what came while the protocol was paused, and then the end."""
        self._releasing = False
        if self._paused or self.disconnected:
            return
        incoming, self._incoming = self._incoming, bytearray()
        if incoming:
            try:
                self._hand_over((incoming,))
            except Exception:
                self._log.failure("a protocol failed on its data")
                self.failed()
                return
        if self._left:
            self.peer_left()
        elif self._finished:
            self.peer_finished()

    def peer_finished(self) -> None:
        """The peer sends no more: half-closed, if the protocol can; else it is closed when what it wrote is out."""
        self._finished = True
        if self._incoming or self._paused or self.disconnected or self._told_finished:
            return
        self._told_finished = True
        half = IHalfCloseableProtocol(self._protocol, None)
        if half is None:
            self.loseConnection()
        else:
            half.readConnectionLost()
            if self._ended:
                self._finish()

    def peer_left(self, why: str = "") -> None:
        """
        The peer has closed the stream. What it sent is delivered first, if the protocol goes on.

        :param why: a few words for the protocol.
        """
        self._left = True
        self._why = self._why or why
        self._drop_unsent()
        if not self.disconnected and not self._incoming:
            done = self._finished or self.disconnecting
            self._lost(Failure(ConnectionDone() if done else ConnectionLost(self._why)))

    def failed(self) -> None:
        """It broke on our side: end it now."""
        if not self.disconnected:
            self._abort()
            self._aborted()

    def _lost(self, reason: Failure) -> None:
        if self.disconnected:
            return
        self.disconnected = self._deaf = True
        self.connected = 0
        self._incoming = bytearray()
        self._drop_unsent()
        producer, self.producer = self.producer, None
        protocol, self._protocol = self._protocol, None
        if producer is not None:
            producer.stopProducing()
        if protocol is not None:
            protocol.connectionLost(reason)

    # -- the ends

    def loseWriteConnection(self) -> None:
        """`IHalfCloseableDescriptor`: FIN, when what was written is out."""
        if self.disconnected or self.disconnecting or self.mute:
            return
        self.mute = self._ending = True
        if not self._unsent.size:
            self._end_writing()

    def _end_writing(self) -> None:
        if self._ended or self.disconnected:
            return
        self._ended = True
        self._send_fin()
        half = IHalfCloseableProtocol(self._protocol, None)
        if half is not None:
            half.writeConnectionLost()
        if self._finished and not self._incoming:
            self.later(self._finish)

    def loseConnection(self) -> None:
        """`ITransport`: close, when what was written is out."""
        if self.disconnected or self.disconnecting:
            return
        self.disconnecting = True
        self.later(self._finish)

    def _finish(self) -> None:
        if self.disconnected:
            return
        if self._unsent.size:
            if self._lingering is None:
                self._lingering = self._make_linger(self.abortConnection)
            return
        self._close()
        self._lost(Failure(ConnectionDone()))

    def abortConnection(self) -> None:
        """`ITCPTransport`: what waits is dropped. The protocol hears of it in a later turn."""
        if self.disconnected:
            return
        self.disconnecting = self._deaf = True
        self._drop_unsent()
        self._abort()
        self.later(self._aborted)

    def _aborted(self) -> None:
        self._lost(Failure(ConnectionAborted()))

    # -- what a TCP transport has

    def getPeer(self) -> Any:
        """`ITransport`."""
        raise NotImplementedError

    def getHost(self) -> Any:
        """`ITransport`."""
        raise NotImplementedError

    def getTcpNoDelay(self) -> bool:
        """`ITCPTransport`."""
        return True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """`ITCPTransport`: nothing waits for more here."""

    def getTcpKeepAlive(self) -> bool:
        """`ITCPTransport`."""
        return True

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """`ITCPTransport`: the connection has keepalives of its own."""
