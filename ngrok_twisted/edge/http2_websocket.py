"""
WebSocket over HTTP/2 (RFC 8441), for services that know it over HTTP/1.1.

The visitor asks for it with an extended CONNECT on a stream. From there on it is a GET that wants to be upgraded, with a key
that the edge makes, since the visitor has none; the service's 101 becomes a 200, and `StreamTransport` makes the stream look
like a connection to whoever gets it.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Iterable, Sequence

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IConsumer, IHalfCloseableProtocol, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer


from ngrok_twisted.interfaces import IBatchTransport, IRequestBody
from ngrok_twisted.net.websocket import accepted
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.syntax import Fields

_KEY = b"sec-websocket-key"

# What only the handshake of HTTP/1.1 has.
_HANDSHAKE = frozenset([b"upgrade", b"connection", b"sec-websocket-accept"])


def add_key(head: Any, random: Any) -> bytes:
    """
    Make a request what RFC 6455 section 4.1 asks for.

    :param head: the `ngrok_twisted.edge.head.RequestHead`; its fields are changed.
    :param random: a `random.Random`.
    :return: the key.
    """
    key = b64encode(random.randbytes(16))
    head.fields = [field for field in head.fields if field[0] != _KEY]
    head.fields.append((_KEY, key))
    return key


def opened(head: Any, key: bytes) -> Fields | None:
    """
    :param head: the service's `ResponseHead`, of status 101.
    :return: the fields for the visitor; ``None`` if the service did not accept what it was asked.
    """
    answers = [value.strip() for name, value in head.headers if name.lower() == b"sec-websocket-accept"]
    if answers != [accepted(key)]:
        return None
    return [(name, value) for name, value in head.headers if name.lower() not in _HANDSHAKE]


@implementer(IBatchTransport, IConsumer, IPushProducer, IRequestBody)
class StreamTransport:
    """
    One stream as a transport. For the stream it stands where the request was.

    :ivar receiver: who gets what the visitor sends: itself.
    :ivar flow: itself: whoever has the bytes counts them.
    :ivar bytes_in: bytes from the visitor.
    :ivar disconnecting: the end was asked for.
    """

    started = True

    def __init__(self, stream: Any, protocol: Any) -> None:
        """
        :param stream: the `ngrok_twisted.edge.http2_stream.HTTP2Stream`.
        :param protocol: who gets the bytes.
        """
        self.receiver: Any = self
        self.flow = self
        self.bytes_in = 0
        self.disconnecting = False
        self._stream = stream
        self._protocol = protocol
        self._producer: Any = None
        self._choked = False
        self._read_ended = self._sent_all = False

    # -- ITransport, IBatchTransport

    def write(self, data: bytes) -> None:
        """ITransport."""
        self._stream.write_body(self, (data,))

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """ITransport."""
        self.writeBatch(list(iovec))

    def writeBatch(self, buffers: Sequence[Any]) -> None:
        """IBatchTransport."""
        self._stream.write_body(self, buffers)

    def loseWriteConnection(self) -> None:
        """ITCPTransport."""
        self._stream.end(self, ())

    def loseConnection(self) -> None:
        """ITransport. A registered producer is waited for."""
        self.disconnecting = True
        if self._producer is None:
            if self._sent_all:
                self._close()
            else:
                self._stream.end(self, ())

    def abortConnection(self) -> None:
        """ITCPTransport. RFC 8441 section 5 has CANCEL for what is a RST in TCP."""
        self.disconnecting = True
        self._stream.reset(h2.CANCEL)

    def getPeer(self) -> Any:
        """ITransport."""
        return self._stream.get_peer()

    def getHost(self) -> Any:
        """ITransport."""
        return self._stream.get_host()

    # -- IConsumer, IPushProducer

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """IConsumer."""
        if self._producer is not None:
            raise RuntimeError("there is a producer already")
        if self._protocol is None:
            producer.stopProducing()
            return
        self._producer = producer
        if self._choked:
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        """IConsumer."""
        producer, self._producer = self._producer, None
        if producer is not None and self.disconnecting:
            self.loseConnection()

    def pauseProducing(self) -> None:
        """IPushProducer."""
        self._stream.pause_body(self)

    def resumeProducing(self) -> None:
        """IPushProducer."""
        self._stream.resume_body(self)

    def stopProducing(self) -> None:
        """IPushProducer."""
        self.loseConnection()

    # -- what the stream calls

    def choke(self) -> None:
        """The visitor takes no more for now."""
        self._choked = True
        if self._producer is not None:
            self._producer.pauseProducing()

    def unchoke(self) -> None:
        """It takes more again."""
        self._choked = False
        if self._producer is not None:
            self._producer.resumeProducing()

    def bodyReceived(self, data: Any) -> None:
        """IRequestBody."""
        if not self.disconnecting:
            self._protocol.dataReceived(bytes(data))

    def bodyFinished(self, trailers: Any) -> None:
        """IRequestBody."""
        self._read_ended = True
        if self._sent_all:
            self._close()
        elif IHalfCloseableProtocol.providedBy(self._protocol) and not self.disconnecting:
            self._protocol.readConnectionLost()
        else:
            self.loseConnection()

    def bodyFailed(self, reason: Failure) -> None:
        """IRequestBody: `lost` follows."""

    def all_sent(self) -> None:
        """The visitor has got the end."""
        self._sent_all = True
        if self._read_ended or self.disconnecting:
            self._close()

    def lost(self, reason: Failure) -> None:
        """The stream is no more."""
        protocol, self._protocol, self._producer = self._protocol, None, None
        if protocol is not None:
            protocol.connectionLost(reason)

    def _close(self) -> None:
        self._stream.leave()
        self.lost(Failure(ConnectionDone()))
