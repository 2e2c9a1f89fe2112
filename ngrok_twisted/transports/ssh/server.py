"""
The SSH transport: identification, the way of each message to the service it belongs to, signs of life.

Conch computes the group exchange and parses nothing else; order, packets and services are ours. Source: RFC 4253.
"""

from __future__ import annotations

import struct
from typing import Any, Callable

from zope.interface import implementer

from twisted.conch.ssh.common import NS, getNS
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure

from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.interfaces import IFillable
from ngrok_twisted.net.rounds import Station
from ngrok_twisted.transports.ssh.appetite import SATED, SEGMENT, SMALL_READ, Appetite, Sated
from ngrok_twisted.transports.ssh.connection import Connection
from ngrok_twisted.transports.ssh.exchange import MSG_DISCONNECT, MSG_EXT_INFO, MSG_KEXINIT, KeyExchange
from ngrok_twisted.transports.ssh.framing import MAX_PACKET, PROTOCOL_ERROR, ClearOpener, ClearSealer, PacketError
from ngrok_twisted.transports.ssh.packets import MSG_CHANNEL_DATA, PacketReader, PacketWriter
from ngrok_twisted.transports.ssh.userauth import PublicKeyAuth

MSG_UNIMPLEMENTED = 3
MSG_SERVICE_REQUEST = 5
MSG_SERVICE_ACCEPT = 6
MSG_USERAUTH_SUCCESS = 52
MSG_WINDOW_ADJUST = 93

SERVICE_NOT_AVAILABLE = 7
BY_APPLICATION = 11

# Bytes of the identification line with its line end (RFC 4253 section 4.2).
MAX_IDENTIFICATION = 255

# Bytes of a packet before the login: what RFC 4253 section 6.1 obliges us to take, so that a stranger cannot make us
# keep more.
MAX_STRANGERS_PACKET = 35000

# Where a client waits for its visits before it has logged in.
_NOWHERE: Station = {}

# What a connection that is gone reads with: its own reader would hold it, and all that it has, until the collector comes by.
_DEAF = PacketReader(None, lambda plain, first, last: None, lambda: None)


@implementer(IFillable, IPushProducer)
class SSHTransport(KeyExchange):
    """
    One client's connection.

    It is a producer to its own transport: while the socket is full, channels hold their bytes back.
    """

    __slots__ = (
        "_line _authentication _connection _logout _full _unread _heard _appetite _silences _deadline _station"
    ).split()
    _log = Logger()

    def __init__(self, factory: Any) -> None:
        """`KeyExchange`."""
        super().__init__(factory)
        self._line: bytes | None = b""
        self._authentication: PublicKeyAuth | None = None
        self._connection: Connection | None = None
        self._logout: Callable[[], None] | None = None
        self._full = False
        self._unread = self._silences = 0
        self._heard = 0
        self._appetite: Appetite | Sated = SATED
        self._deadline: Any = None
        self._station = _NOWHERE

    # -- the connection's life -----------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """`IProtocol`."""
        self._writer = PacketWriter(self.transport, ClearSealer(), self.factory.turn)
        self._reader = PacketReader(ClearOpener(limit=MAX_STRANGERS_PACKET), self._message, self._end_of_read)
        self._deadline = self.clock.callLater(self.limits.login_grace, self._login_too_slow)
        self.transport.registerProducer(self, True)
        self.transport.write(self.ourVersionString + b"\r\n")

    def connectionLost(self, reason: Failure | None = None) -> None:
        """`IProtocol`."""
        self._closing = True
        self._reader.opener = None
        self._reader = _DEAF
        self._writer.close()
        for call in (self._deadline, self._impatience):
            if call is not None and call.active():
                call.cancel()
        self._deadline = self._impatience = None
        self.factory.rounds.leave(self, self._station)
        self._appetite.stop()
        if self._authentication is not None:
            self._authentication.serviceStopped()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.lost(reason or Failure(ConnectionDone()))
        logout, self._logout = self._logout, None
        if logout is not None:
            logout()
        self.factory.rest.forget(self)
        self.factory.ended(self)

    def disconnect(self, code: int, text: str) -> None:
        """`KeyExchange`."""
        if self._closing:
            return
        self._log.info("ssh {peer}: disconnecting, reason {code}: {text}", peer=self._peer(), code=code, text=text)
        message = text.encode("utf-8", "replace")
        self._writer.send_now(struct.pack(">BI", MSG_DISCONNECT, code) + NS(message) + NS(b""))
        self._close()

    def sendDisconnect(self, reason: int, desc: Any) -> None:
        """Conch's name for `disconnect`."""
        self.disconnect(reason, desc if isinstance(desc, str) else desc.decode("utf-8", "replace"))

    def loseConnection(self) -> None:
        """`ITransport`."""
        self._close()

    def _close(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._writer.flush()
        self._writer.close()
        self._reader.opener = None
        # A producer that is paused would keep the socket from closing.
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        abort = getattr(self.transport, "abortConnection", None)
        if abort is not None:
            self._deadline = self.clock.callLater(self.limits.disconnect_linger, abort)

    def _login_too_slow(self) -> None:
        self.disconnect(BY_APPLICATION, "login takes too long")

    # -- bytes in ------------------------------------------------------------------------------------------------------

    def fillable(self) -> memoryview:
        """`IFillable`."""
        return self._reader.room()

    def filled(self, count: int) -> None:
        """`IFillable`."""
        if self._line is None:
            self._guarded(self._reader.filled, count)
            if count > SEGMENT or self._appetite.low != 1:
                self._note_read(count)
        else:
            self._guarded(self._identify, bytes(self._reader.room()[:count]))

    def _note_read(self, count: int) -> None:
        """A large read, or one that was waited for: how much is to be there for the next one?"""
        missing, connection = self._reader.missing, self._connection
        wake_at = getattr(self.transport, "wake_at", None)
        if connection is None or wake_at is None or self._closing:
            return
        if self._appetite is SATED and (missing > SEGMENT or count >= SMALL_READ):
            self._appetite = Appetite(self.clock, wake_at, connection)
        self._appetite.read(count, missing)

    def dataReceived(self, data: bytes) -> None:
        """`IProtocol`: what a transport without `IFillable` calls."""
        self._guarded(self._reader.feed if self._line is None else self._identify, data)

    def _guarded(self, call: Callable[[Any], None], argument: Any) -> None:
        if self._closing:
            return
        try:
            call(argument)
        except PacketError as error:
            self.disconnect(error.code, str(error))
        except Exception:
            self._log.failure("ssh {peer}: a message could not be served", peer=self._peer())
            self.disconnect(PROTOCOL_ERROR, "internal error")

    def put_off(self, call: Callable[[Any], None], argument: Any) -> None:
        """`KeyExchange`. What it raises ends the connection, as what a message leads to."""
        self.factory.chores.add(self._guarded, call, argument)

    def _identify(self, data: bytes) -> None:
        line, found, rest = ((self._line or b"") + data).partition(b"\n")
        if len(line) >= MAX_IDENTIFICATION or not (line[:4] == b"SSH-"[: len(line)]):
            self._refuse_stranger()
            return
        if not found:
            self._line = line
            return
        line = line.removesuffix(b"\r")
        if not line.startswith((b"SSH-2.0-", b"SSH-1.99-")) or not line.isascii() or b"\0" in line:
            self._refuse_stranger()
            return
        self.otherVersionString = line
        self._line = None
        if not self.limits.prefer_aes_gcm:
            self._send_kexinit(None)
        if rest:
            self._reader.feed(rest)
        if self._ours is None and not self._closing:  # else its KEXINIT was in the same read
            self._impatience = self.clock.callLater(self.limits.kexinit_patience, self._send_kexinit, None)

    def _refuse_stranger(self) -> None:
        # In clear words: whoever speaks something else cannot read a packet.
        self.transport.write(b"Invalid SSH identification string.\r\n")
        self._close()

    def _message(self, plain: memoryview, first: int, last: int) -> None:
        kind = plain[first]
        connection = self._connection
        if connection is not None:
            if kind == MSG_CHANNEL_DATA:
                connection.data(plain, first, last)
                return
            if kind == MSG_WINDOW_ADJUST:
                connection.adjust(plain, first, last)
                return
            connection.deliver()
        self.dispatchMessage(kind, bytes(plain[first + 1 : last]))

    def _end_of_read(self) -> None:
        if self._connection is not None:
            self._connection.deliver()
            if self._reader.received + self._writer.sent > self.limits.rekey_bytes:
                self.rekey()

    def dispatchMessage(self, messageNum: int, payload: bytes) -> None:
        """
        Give a message to whom it belongs.

        :raises PacketError: it must not come now.
        """
        if self.sessionID is None:
            self._check_initial(messageNum)
        if messageNum == MSG_KEXINIT:
            self.ssh_KEXINIT(payload)
        elif 20 < messageNum < 50:
            self._exchange_message(messageNum, payload)
        elif messageNum >= 80 and self._connection is not None:
            self._connection.received(messageNum, payload)
        elif 50 <= messageNum < 80 and self._authentication is not None:
            self._authentication.packetReceived(messageNum, payload)
        elif messageNum == MSG_SERVICE_REQUEST:
            self.ssh_SERVICE_REQUEST(payload)
        elif messageNum == MSG_DISCONNECT:
            self.ssh_DISCONNECT(payload)
        elif 50 <= messageNum < 80 and self._connection is not None:
            return  # RFC 4252 section 5.1: requests after the success are ignored
        elif messageNum not in (2, 3, 4, MSG_EXT_INFO):
            self.sendUnimplemented()

    def sendUnimplemented(self) -> None:
        """Tell the peer that its last packet was not understood (RFC 4253 section 11.4)."""
        opener = self._reader.opener
        if opener is not None:
            self.send(struct.pack(">BI", MSG_UNIMPLEMENTED, opener.sequence - 1 & 0xFFFFFFFF))

    def _peer(self) -> str:
        peer = self.transport.getPeer()
        return f"{getattr(peer, 'host', peer)}:{getattr(peer, 'port', 0)}"

    def ssh_DISCONNECT(self, packet: bytes) -> None:
        """The peer leaves."""
        text = getNS(packet[4:])[0][:200].decode("utf-8", "replace") if len(packet) >= 8 else ""
        self._log.debug("ssh {peer}: client disconnected: {text!r}", peer=self._peer(), text=text)
        self._close()

    def ssh_SERVICE_REQUEST(self, packet: bytes) -> None:
        """The client asks for a service: first that is the authentication."""
        try:
            name = getNS(packet)[0]
        except struct.error:
            raise PacketError(PROTOCOL_ERROR, "bad SERVICE_REQUEST") from None
        if name != PublicKeyAuth.name or self._authentication is not None or self._connection is not None:
            raise PacketError(SERVICE_NOT_AVAILABLE, "service not available")
        self.sendPacket(MSG_SERVICE_ACCEPT, NS(name))
        factory = self.factory
        self._authentication = PublicKeyAuth(
            factory.portal, factory.explain, self.limits.auth_attempts, factory.user_certificates
        )
        self._authentication.transport = self
        self._authentication.serviceStarted()

    # -- messages out --------------------------------------------------------------------------------------------------

    def send(self, message: bytes) -> None:
        """
        Send a message, together with others of this turn. A client that lets its answers pile up is dropped.
        """
        if self._closing:
            return
        writer = self._writer
        writer.send(message)
        if self._full:
            self._unread += len(message)
        if self._unread + writer.queued > self.limits.max_unread:
            self._log.warn("ssh {peer}: the client does not read", peer=self._peer())
            self._abort()

    def sendPacket(self, messageType: int, payload: bytes) -> None:
        """Conch's name for `send`; messages of the key exchange go past the gate."""
        if self._closing:
            return
        message = bytes((messageType,)) + payload
        if 20 <= messageType < 50:
            self._writer.send_now(message)
        else:
            self.send(message)

    def _abort(self) -> None:
        self._close()
        abort = getattr(self.transport, "abortConnection", None)
        if abort is not None:
            abort()

    def pauseProducing(self) -> None:
        """`IPushProducer`: the socket is full."""
        self._full = True
        if self._connection is not None:
            self._connection.block(True)

    def resumeProducing(self) -> None:
        """`IPushProducer`: the socket has drained."""
        self._full = False
        self._unread = 0
        self._unblock()

    def stopProducing(self) -> None:
        """`IPushProducer`: the socket is gone; `connectionLost` follows."""

    def _gate_closed(self) -> None:
        if self._connection is not None:
            self._connection.block(True)

    def _gate_opened(self) -> None:
        self._unblock()

    def _keys_changed(self) -> None:
        self._heard = 0

    def _unblock(self) -> None:
        if self._connection is not None and not self._full and not self._writer.held:
            self._connection.block(False)

    @property
    def writer(self) -> PacketWriter:
        """What channels write bulk to while the connection is not blocked."""
        return self._writer

    # -- after the login -----------------------------------------------------------------------------------------------

    def authenticated(self, principal: Principal, username: bytes, logout: Callable[[], None]) -> None:
        """
        The client has proved who it is: start ``ssh-connection``.
        """
        assert self._reader.opener is not None and self.sessionID is not None
        self._logout = logout
        self._authentication = None
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._reader.opener.limit = MAX_PACKET
        self.factory.logged_in(self)
        self.sendPacket(MSG_USERAUTH_SUCCESS, b"")
        connection = Connection(self, principal, username)
        self._connection = connection
        if self._full or self._writer.held:
            connection.block(True)
        connection.start(self.factory.make_gateway(connection))
        self._station = self.factory.rounds.join(self, self._tick)
        self.factory.rest.note(self)

    def _tick(self) -> None:
        connection = self._connection
        if connection is None:
            return
        self.factory.rest.note(self)
        if self._reader.received != self._heard:
            self._heard = self._reader.received
            self._silences = 0
        else:
            self._silences += 1
            if self._silences > self.limits.keepalive_misses:
                self._log.info("ssh {peer}: the client is gone", peer=self._peer())
                self._abort()
                return
            connection.keepalive()
        self._check_keys_age()
