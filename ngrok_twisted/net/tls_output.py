"""
The writing half of a TLS connection: from the inner protocol's writes to few writes of the outer transport.
"""

from __future__ import annotations

import ssl
from typing import Any, Iterable, Sequence

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.interfaces import IBatchTransport
from ngrok_twisted.net.tls_rest import Rest, rest_of
from ngrok_twisted.tls.openssl import release

# The plaintext of one record, RFC 8446 section 5.1. Both BIOs are filled in steps of this size, because a memory BIO keeps
# the largest buffer it ever had: an idle connection that was busy once would hold all of it.
RECORD = 16 * 1024

# Steps for connections that carry those of many visitors: fewer calls for each byte, and few enough to afford the memory.
LARGE_STEP = 4 * RECORD

# Up to this many bytes a BIO keeps while its connection rests, see `Rest`.
KEPT = 2 * 1024

# How much ciphertext is collected for one outer write.
WRITE_SIZE = 256 * 1024


class TruncatedTLS(ConnectionLost):
    """The peer ended the connection without close_notify: part of its message may be missing."""


class HandshakeTimeout(ConnectionLost):
    """The peer did not finish the handshake in time."""


class HandshakeFailed(ConnectionLost):
    """The handshake ended for another reason than TLS itself: the peer left, or nobody serves the connection."""


class BrokenTLS(ConnectionLost):
    """The TLS layer failed after the handshake: a forged record, or an alert of the peer."""


@implementer(IBatchTransport, IConsumer)
class TLSOutput:
    """
    What `TLSConnection` presents to the inner protocol for writing.

    Nothing is kept here but what one call produces: what the outer transport cannot send it buffers itself, and the inner
    protocol's producer is registered with the outer transport, so that back-pressure needs no relay.

    :ivar transport: the outer transport.
    :ivar connected: true from the end of the handshake to the end of the connection.
    :ivar disconnecting: true once the inner protocol has asked for the end.
    :ivar step: bytes that go into a BIO at once, `RECORD` or `LARGE_STEP`.
    """

    connected = False
    disconnecting = False
    transport: Any = None
    step = RECORD

    _ssl: Any  # what the standard library's `ssl.SSLObject` stands before
    _in: ssl.MemoryBIO  # what it reads from
    _out: ssl.MemoryBIO  # what it writes to
    _parts: list[bytes]
    _clock: Any
    _rest: Rest | None  # gives the buffers back, as soon as they have grown
    _producer: Any = None
    _busy = False  # input is being worked on: what is written meanwhile is collected
    _write_closed = False  # close_notify went out
    _told_done = False  # the inner protocol knows that the peer sent close_notify
    _ended = False  # input and output do not matter any more
    _reason: Failure | None = None  # why, if nobody asked for the end

    # -- ITransport, IBatchTransport

    def write(self, data: bytes) -> None:
        """ITransport."""
        if data.__class__ is not bytes and not isinstance(data, bytes):
            raise TypeError(f"data must be bytes, not {type(data).__name__}")
        if not data or not self.connected or self._write_closed or self._ended:
            return
        if self._busy or self._parts or len(data) > RECORD:
            self._encrypt(data)
            if not self._busy:
                self._flush()
            return
        try:  # an answer of one record: the steps of the two calls above in one
            self._ssl.write(data)
        except ssl.SSLError as error:
            self._end(Failure(BrokenTLS(explain(error))))
            return
        sealed = self._out.read()
        if len(sealed) > KEPT:
            self._grown()
        self.transport.write(sealed)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """ITransport."""
        self.writeBatch(list(iovec))

    def writeBatch(self, buffers: Sequence[Any]) -> None:
        """IBatchTransport. Records are full as far as that takes no copies but of what is small."""
        if not self.connected or self._write_closed or self._ended:
            return
        small: list[Any] = []
        size = 0
        for buffer in buffers:
            length = len(buffer)
            if small and size + length > RECORD:  # the beginning of this one fills the record up
                view = memoryview(buffer)
                first = RECORD - size
                self._encrypt(b"".join([*small, view[:first]]))
                small, size = [], 0
                buffer, length = view[first:], length - first
            if small or length <= RECORD // 2:
                small.append(buffer)
                size += length
                continue
            rest = length % RECORD
            if 0 < rest <= RECORD // 2:
                view = memoryview(buffer)
                self._encrypt(view[:-rest])
                small, size = [view[-rest:]], rest
            else:
                self._encrypt(buffer)
        if small:
            self._encrypt(small[0] if len(small) == 1 else b"".join(small))
        if not self._busy:
            self._flush()

    def loseWriteConnection(self) -> None:
        """ITCPTransport: send close_notify. Reading goes on until the peer does the same."""
        if not self.connected or self._write_closed or self._ended:
            return
        self._close_notify()
        self._flush()
        if self._told_done:
            self.loseConnection()

    def loseConnection(self) -> None:
        """ITransport. A registered producer is waited for."""
        if self.disconnecting or self._ended:
            return
        self.disconnecting = True
        if self._producer is None:
            self._finish()

    def abortConnection(self) -> None:
        """ITCPTransport."""
        self._ended = True
        self._parts.clear()
        self.transport.abortConnection()

    def getPeer(self) -> Any:
        """ITransport."""
        return self.transport.getPeer()

    def getHost(self) -> Any:
        """ITransport."""
        return self.transport.getHost()

    # -- IConsumer

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """IConsumer."""
        if self._producer is not None:
            raise RuntimeError("a producer is registered already")
        if self._ended or not self.connected:
            producer.stopProducing()
            return
        self._producer = producer
        self.transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """IConsumer."""
        if self._producer is None:
            return
        self._producer = None
        self.transport.unregisterProducer()
        if self.disconnecting and not self._ended:
            self._finish()

    # -- inside

    def _grown(self) -> None:
        """The buffers have grown: they are given back after a while."""
        rest = self._rest
        if rest is None:
            self._rest = rest = rest_of(self._clock)
        rest.note(self)

    def shrink(self) -> None:
        """`Rest`: give back the buffers that nothing waits in."""
        for bio in (self._in, self._out):
            if not bio.pending:
                release(bio)

    def _encrypt(self, data: Any) -> None:
        """Encrypt, collecting the ciphertext."""
        size, step = len(data), self.step
        try:
            if size > step:
                for part in cut(data, step):
                    self._ssl.write(part)
                    self._collect()
            elif size:
                self._ssl.write(data)
                if self._out.pending >= step:
                    self._collect()
        except ssl.SSLError as error:
            self._end(Failure(BrokenTLS(explain(error))))

    def _collect(self) -> None:
        """Empty the BIO before it grows."""
        self._parts.append(self._out.read())
        if len(self._parts) >= WRITE_SIZE // self.step:
            self._flush()

    def _flush(self) -> None:
        """Everything that is encrypted goes out in one write."""
        if self._ended:
            return
        parts = self._parts
        if not parts:
            if self._out.pending:
                data = self._out.read()
                if len(data) > KEPT:
                    self._grown()
                self.transport.write(data)
            return
        if self._out.pending:
            parts.append(self._out.read())
        self._parts = []
        self._grown()
        self.transport.writeSequence(parts)

    def _close_notify(self) -> None:
        """RFC 8446 section 6.1."""
        self._write_closed = True
        if self._in.pending:
            self._hold()
        try:
            self._ssl.shutdown()
        except ssl.SSLError:
            pass  # "want read": the peer's close_notify is still to come; all else shows on reading

    def _hold(self) -> None:
        """Take what can be decrypted out of OpenSSL: it cannot read on after a shutdown that met unread data."""
        raise NotImplementedError

    def _finish(self) -> None:
        """The end that the inner protocol asked for."""
        if self.connected and not self._write_closed:
            self._close_notify()
        self._flush()
        self._ended = True
        self.transport.loseConnection()

    def _end(self, reason: Failure, abort: bool = False) -> None:
        """An end that nobody asked for. An alert is sent if there is one; the inner protocol is told the reason."""
        if self._ended:
            return
        self._reason = reason
        self._flush()
        self._ended = True
        producer, self._producer = self._producer, None
        if producer is not None:
            self.transport.unregisterProducer()
            producer.stopProducing()
        if abort:
            self.transport.abortConnection()
        else:
            self.transport.loseConnection()


def cut(data: Any, size: int) -> list[memoryview]:
    """:return: views of ``data``, each of ``size`` bytes, or what is left at its end."""
    view = memoryview(data)
    return [view[start : start + size] for start in range(0, len(view), size)]


def explain(error: BaseException) -> str:
    """A short reason for logs, such as ``wrong version number``."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return str(error)
