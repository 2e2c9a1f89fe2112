"""
One TLS connection over any transport, on the standard library's memory BIO. See `ngrok_twisted.net.tls`.
"""

from __future__ import annotations

import ssl
from typing import Any, Callable
from weakref import ref

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.interfaces import IBatchReceiver, IFillable
from ngrok_twisted.net.quickack import acknowledger
from ngrok_twisted.net.timeouts import IdleWatch
from ngrok_twisted.net.tls_output import KEPT, LARGE_STEP, RECORD, TLSOutput, cut, explain
from ngrok_twisted.net.tls_output import BrokenTLS, HandshakeFailed, HandshakeTimeout, TruncatedTLS
from ngrok_twisted.tls.openssl import bare_connection

SECONDS = 1.0

# ngrok's limit.
HANDSHAKE_TIMEOUT = 60 * SECONDS

# What is read from the outer transport at once: one buffer for the whole process, since it is emptied on the spot.
READ_SIZE = 256 * 1024

# The same for a connection that carries many streams, where a longer read brings more for each of them: answers of 100 KB cost
# a twelfth less. Others wait longer meanwhile, if these are tiny records.
LARGE_READ_SIZE = 512 * 1024

# Contexts without renegotiation: to ask one takes as long as to parse a ClientHello. (A WeakSet is asked in Python.)
_known: set[ref[ssl.SSLContext]] = set()

_received = memoryview(bytearray(READ_SIZE))
_much_received = memoryview(bytearray(LARGE_READ_SIZE))


@implementer(IPushProducer, IProtocol, IHalfCloseableProtocol, IFillable)
class TLSConnection(TLSOutput):
    """The protocol of the outer transport, and the transport of the inner protocol."""

    _log = Logger()

    _protocol: Any = None
    _batch = _halves = False  # what the inner protocol provides
    _watch: Any = None  # ends a handshake that takes too long
    _call: Any = None  # a pending `_drain`
    _paused = _peer_done = False  # by the inner protocol; by close_notify
    _broken: ssl.SSLError | None = None
    _held: list[bytes] | None = None  # decrypted, not yet delivered
    _acknowledge: Callable[[], None] | None = None
    _reading = _received

    def __init__(
        self,
        context: ssl.SSLContext,
        inner: Any,
        *,
        clock: Any,
        server_side: bool = True,
        server_hostname: str | None = None,
        handshake_timeout: float = HANDSHAKE_TIMEOUT,
        on_handshake: Callable[[Failure | None], object] | None = None,
    ) -> None:
        """
        :param inner: an `IProtocol`, or a callable that is given this transport when the handshake is over and returns one;
            ``None`` from it closes the connection.
        :param clock: an `IReactorTime`.
        :param server_hostname: for clients, the name to ask for and to check; ``None`` for none.
        :param handshake_timeout: seconds from the connection to the end of the handshake.
        :param on_handshake: called once: with ``None`` when the inner protocol is connected, or with the `Failure` that
            ended the handshake: of an `ssl.SSLError`, or of one of this module's errors.
        """
        if ref(context) not in _known:
            context.options |= ssl.OP_NO_RENEGOTIATION
            _known.add(ref(context, _known.discard))
        self._inner = inner
        self._clock = clock
        self._server_side = server_side
        self._handshake_timeout = handshake_timeout
        self._on_handshake = on_handshake
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = bare_connection(context, self._in, self._out, server_side, server_hostname)
        self._rest = None
        self._parts = []

    # -- the inner protocol

    @property
    def protocol(self) -> Any:
        """The inner protocol. Another one may be set on the way; its ``makeConnection`` is not called."""
        return self._protocol

    @protocol.setter
    def protocol(self, protocol: Any) -> None:
        self._protocol = protocol
        self._batch = IBatchReceiver.providedBy(protocol)
        self._halves = IHalfCloseableProtocol.providedBy(protocol)

    @property
    def arriving(self) -> bool:
        """Whether a client is shaking hands, and has not said yet what it wants."""
        return self._server_side and self._inner is not None

    def give_to(self, protocol: Any) -> None:
        """As `ngrok_twisted.net.eager.EagerTransport.give_to`."""
        self.protocol = protocol

    def acknowledge_at_once(self) -> None:
        """From now on what the peer sends is acknowledged without delay: see `ngrok_twisted.net.quickack`."""
        self._acknowledge = acknowledger(self.transport)

    def carry_much(self) -> None:
        """From now on more is read, and given to OpenSSL, at once: for the few connections that carry those of many."""
        self.step = LARGE_STEP
        self._reading = _much_received

    # -- what the outer transport calls: IProtocol, IFillable, IHalfCloseableProtocol

    def makeConnection(self, transport: Any) -> None:
        """IProtocol."""
        self.transport = transport
        self._watch = IdleWatch(self._clock, self._handshake_timeout, self._handshake_timed_out)
        if not self._server_side:
            self._shake()
            self._flush()

    def connectionMade(self) -> None:
        """IProtocol: nothing of it, `makeConnection` has done all."""

    def fillable(self) -> memoryview:
        """IFillable."""
        return self._reading

    def filled(self, count: int) -> None:
        """IFillable."""
        data = self._reading[:count]
        if self._ended or self._busy or self._paused:
            self.dataReceived(data)
            return
        self._pump(data)
        if self._acknowledge is not None:
            self._acknowledge()

    def dataReceived(self, data: Any) -> None:
        """IProtocol."""
        if self._ended:
            return
        if self._busy or self._paused:
            self._in.write(data)
        else:
            self._pump(data)
        if self._acknowledge is not None:
            self._acknowledge()  # last, since an answer that went out has done so already

    def readConnectionLost(self) -> None:
        """IHalfCloseableProtocol: a FIN of the outer transport."""
        if self._ended:
            return
        if not self.connected:
            self._handshake_failed(Failure(HandshakeFailed("the peer left")))
            return
        self._hold()
        if not self._peer_done:
            self._end(Failure(TruncatedTLS()), abort=True)

    def writeConnectionLost(self) -> None:
        """IHalfCloseableProtocol: the outer write side is never closed alone."""

    def connectionLost(self, reason: Failure) -> None:
        """IProtocol."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
        if self._watch is not None:
            self._watch.stop()
        if not self.connected:
            if not self._ended:
                self._ended = True
                self._report(reason)
            return
        if not self._ended:
            reason = self._at_last(reason)
            self._ended = True
        self.connected = False
        if self._rest is not None:
            self._rest.forget(self)
        self._acknowledge = None
        protocol, self._protocol, self._producer = self._protocol, None, None
        protocol.connectionLost(self._reason or reason)

    def _at_last(self, reason: Failure) -> Failure:
        """
        The outer connection is gone at once, without a half-close: deliver what was held back.

        :return: the reason to tell.
        """
        self._hold()
        if reason.check(ConnectionDone) and not self._peer_done and not self.disconnecting:
            reason = Failure(TruncatedTLS())
        held, self._held = self._held, None
        if held and not self.disconnecting:
            self._protocol.dataReceived(b"".join(held))
        return reason

    # -- reading

    def _pump(self, data: Any = b"") -> None:
        """Decrypt what came, deliver it, and send what was written in answer."""
        self._busy = True
        shaking = not self.connected
        try:
            pieces = self._take_held() if self._held else []
            if len(data) <= self.step:
                self._in.write(data)
                if self.connected or self._shake():
                    self._decrypt(pieces)
            else:
                for part in cut(data, self.step):
                    self._in.write(part)
                    if self.connected or self._shake():
                        self._decrypt(pieces)
            while self.connected and not self._ended:
                if pieces and not self.disconnecting:
                    if self._batch:
                        self._protocol.batchReceived(pieces)
                    else:
                        self._protocol.dataReceived(pieces[0] if len(pieces) == 1 else b"".join(pieces))
                if not (self._in.pending or self._peer_done or self._held) and self._broken is None:
                    break  # as usual that is all: the two calls below would take longer than the question
                self._meet_end()
                if self._paused or self._ended or not self._readable():
                    break
                pieces = self._take_held()
                self._decrypt(pieces)
        finally:
            self._busy = False
            if self._parts or self._out.pending:
                self._flush()
            if (shaking or len(data) > KEPT) and self.connected and not self._ended:
                if shaking:
                    self.shrink()  # at once: the next handshake shall take what this one needed, and not more beside it
                self._grown()

    def _decrypt(self, pieces: list[bytes]) -> None:
        """Append all plaintext there is, unless the inner protocol has paused us or the stream has ended."""
        if self._paused or self._ended or self._peer_done:
            return
        incoming, read = self._in, self._ssl.read
        try:
            # Asking only while there is input saves an exception for each event.
            while incoming.pending:
                piece = read(RECORD)
                if not piece:
                    self._peer_done = True
                    return
                pieces.append(piece)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._peer_done = True
        except ssl.SSLError as error:
            self._broken = error

    def _meet_end(self) -> None:
        """Tell the inner protocol of an end of the stream, when all before it is delivered."""
        if self._ended or self._paused or self._held:
            return
        if self._broken is not None:
            self._end(Failure(BrokenTLS(explain(self._broken))))
        elif self._peer_done and not self._told_done:
            self._told_done = True
            if self._write_closed or not self._halves:
                self.loseConnection()
            elif not self.disconnecting:
                self._protocol.readConnectionLost()

    def _readable(self) -> bool:
        """Whether there is something to deliver that came, or was held back, meanwhile."""
        if self._held or self._broken is not None:
            return True
        if self._peer_done:
            return not self._told_done
        return bool(self._in.pending)

    def _hold(self) -> None:
        if not self._in.pending:
            return  # nothing to take: it is all decrypted
        held = self._take_held()
        paused, self._paused = self._paused, False
        self._decrypt(held)
        self._paused = paused
        self._held = held or None

    def _take_held(self) -> list[bytes]:
        held, self._held = self._held, None
        return held or []

    # -- IPushProducer

    def pauseProducing(self) -> None:
        """IPushProducer."""
        if not self._paused and not self._ended:
            self._paused = True
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """IPushProducer. What was held back is delivered in the reactor's next turn, not from here."""
        if not self._paused or self._ended:
            return
        self._paused = False
        self.transport.resumeProducing()
        if not self._busy and self._call is None and self._readable():
            self._call = self._clock.callLater(0, self._drain)

    def stopProducing(self) -> None:
        """IProducer."""
        self.loseConnection()

    def _drain(self) -> None:
        self._call = None
        if not self._paused and not self._ended:
            self._pump()

    # -- the handshake

    def _shake(self) -> bool:
        """
        Go on with the handshake, and make the inner protocol at its end.

        :return: whether there is an inner protocol to read for.
        """
        if self._ended:
            return False
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            self._handshake_failed(Failure(error))
            return False
        inner, self._inner = self._inner, None
        protocol = inner(self) if callable(inner) else inner
        if protocol is None:
            self._handshake_failed(Failure(HandshakeFailed("nobody serves this connection")))
            return False
        self._watch.stop()
        del self._watch
        self.connected = True
        self.protocol = protocol
        protocol.makeConnection(self)
        on_handshake, self._on_handshake = self._on_handshake, None
        if on_handshake is not None:
            on_handshake(None)
        return not self._ended

    def _handshake_timed_out(self) -> None:
        self._handshake_failed(Failure(HandshakeTimeout()))

    def _handshake_failed(self, reason: Failure) -> None:
        """Send the alert that OpenSSL has prepared, and close."""
        self._flush()
        self._ended = True
        self._report(reason)
        self.transport.loseConnection()

    def _report(self, reason: Failure) -> None:
        self._inner = None
        self._log.debug(
            "TLS handshake with {peer} failed: {reason}", peer=self.transport.getPeer(), reason=explain(reason.value)
        )
        on_handshake, self._on_handshake = self._on_handshake, None
        if on_handshake is not None:
            on_handshake(reason)

    # -- who it is

    @property
    def negotiatedProtocol(self) -> bytes | None:
        """The application protocol that ALPN chose (RFC 7301)."""
        chosen = self._ssl.selected_alpn_protocol()
        return None if chosen is None else chosen.encode("ascii")

    def version(self) -> str | None:
        """Such as ``TLSv1.3``."""
        return self._ssl.version()

    def cipher(self) -> str | None:
        """The cipher suite's name in OpenSSL's spelling."""
        chosen = self._ssl.cipher()
        return None if chosen is None else chosen[0]

    def getPeerCertificate(self) -> bytes | None:
        """The peer's certificate in DER, or ``None``."""
        return self._ssl.getpeercert(True)
