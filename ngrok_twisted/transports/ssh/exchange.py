"""
The key exchange of a connection: which of its messages may come when, and the moment each direction changes keys.

What takes long in it is a chore, so that nobody else waits for a crowd of clients. Conch computes the group exchange.
Sources: RFC 4253 section 7; RFC 5656 section 4; OpenSSH's PROTOCOL section 1.9 (strict key exchange).
"""

from __future__ import annotations

import struct
from typing import Any, Callable, Mapping

from twisted.conch.ssh.common import MP, NS, getMP
from twisted.conch.ssh.transport import SSHServerTransport
from twisted.logger import Logger

from ngrok_twisted.transports.ssh import kex
from ngrok_twisted.transports.ssh.framing import PROTOCOL_ERROR, Opener, PacketError
from ngrok_twisted.transports.ssh.hostkeys import HostKey
from ngrok_twisted.transports.ssh.limits import SSHLimits
from ngrok_twisted.transports.ssh.packets import PacketReader, PacketWriter
from ngrok_twisted.transports.ssh.shared_secret import AGREEMENTS, exchange_hash, only_string

MSG_DISCONNECT = 1
MSG_EXT_INFO = 7
MSG_KEXINIT = 20
MSG_NEWKEYS = 21
MSG_KEX_INIT = 30
MSG_KEX_GROUP = 31
MSG_KEX_REPLY = 31
MSG_KEX_GROUP_INIT = 32
MSG_KEX_GROUP_REQUEST = 34

_GROUP_EXCHANGE = b"diffie-hellman-group-exchange-sha256"


class KeyExchange(SSHServerTransport):
    """
    The part of an `SSHTransport` that agrees on keys.

    :ivar strict: strict key exchange is in force.
    """

    # What an instance's dictionary holds beyond thirty names takes a KiB, for each of ten thousand connections. Only what Conch
    # sets for a group exchange goes there.
    __slots__ = (
        "transport connected factory limits clock strict sessionID kexAlg keyAlg ourVersionString otherVersionString "
        "ourKexInitPayload otherKexInitPayload _writer _reader _stage _ours _agreement _next_opener _ignore_guess "
        "_ciphers _extensions _certified _closing _kex_since _keyed_at _impatience _passed"
    ).split()
    _log = Logger()

    _writer: PacketWriter
    _reader: PacketReader

    def __init__(self, factory: Any) -> None:
        """:param factory: the `ngrok_twisted.transports.ssh.transport.SSHServerFactory`."""
        self.transport: Any = None
        self.connected = 0
        self.factory: Any = factory
        self.limits: SSHLimits = factory.settings
        self.clock: Any = factory.clock
        self.ourVersionString = factory.identification
        self.strict = False
        self.sessionID: bytes | None = None
        self._stage: frozenset[int] | None = (
            None  # the messages that may come next in a key exchange; None outside of one
        )
        self._ours: kex.Proposal | None = None
        self._agreement: kex.Agreement | None = None
        self._next_opener: Opener | None = None
        self._ignore_guess = False
        self._ciphers = kex.EVERY_CIPHER
        self._extensions = False
        # Those of the first exchange serve for all: a client that trusts nothing but the certificate could not go on with
        # another, or with none.
        self._certified: Mapping[bytes, HostKey] | None = None
        self._closing = False
        self._kex_since = self._keyed_at = 0.0
        self._impatience: Any = None
        self._passed = 0  # bytes in and out, when it was last looked at

    def disconnect(self, code: int, text: str) -> None:
        """Tell the peer why, and end the connection. :param code: RFC 4253 section 11.1."""
        raise NotImplementedError

    def put_off(self, call: Callable[[Any], None], argument: Any) -> None:
        """Make a call that takes long when others have been served."""
        raise NotImplementedError

    def _gate_closed(self) -> None:
        """Our KEXINIT is out: all but the exchange must wait."""
        raise NotImplementedError

    def _gate_opened(self) -> None:
        """Our NEWKEYS is out: what waited may go."""
        raise NotImplementedError

    def _keys_changed(self) -> None:
        """The client's messages are under new keys."""
        raise NotImplementedError

    def _check_initial(self, kind: int) -> None:
        """Before the first keys: no more than the exchange itself, and nothing else at all where it is strict."""
        if self.strict and kind not in (MSG_DISCONNECT, MSG_KEXINIT) and not 20 < kind < 50:
            raise PacketError(PROTOCOL_ERROR, f"strict KEX violation: message {kind} in the initial key exchange")
        if not (1 <= kind <= 4 or 20 <= kind < 50):
            raise PacketError(PROTOCOL_ERROR, f"message {kind} before the key exchange")

    def rekey(self) -> None:
        """Begin an exchange of keys, unless one is going on."""
        if self._ours is None and self._stage is None and not self._closing:
            self._send_kexinit(None)

    def _send_kexinit(self, peer: kex.Proposal | None) -> None:
        if self._impatience is not None and self._impatience.active():
            self._impatience.cancel()
        self._impatience = None
        if peer is not None and self.limits.prefer_aes_gcm:
            # Remembered for the exchanges that we begin, before the client's proposal is seen again.
            self._ciphers = kex.suited(peer.ciphers_in, peer.ciphers_out)
        if self._certified is None:
            self._certified = self.factory.certified_keys()
        self._ours = kex.offer((*self._certified, *self.factory.plain_keys), *self._ciphers)
        payload = self._ours.encode()
        self.ourKexInitPayload = bytes((MSG_KEXINIT,)) + payload
        self._kex_since = self.clock.seconds()
        self.sendPacket(MSG_KEXINIT, payload)
        self._writer.held = True
        self._gate_closed()

    def ssh_KEXINIT(self, packet: bytes) -> None:
        """The client's proposal: answer with ours, and settle on what both can do."""
        if self._stage is not None:
            raise PacketError(PROTOCOL_ERROR, "KEXINIT within a key exchange")
        theirs = kex.Proposal.parse(packet)
        if self.sessionID is None:
            self._first_proposal(theirs)
        self.otherKexInitPayload = bytes((MSG_KEXINIT,)) + packet
        if self._ours is None:
            self._send_kexinit(theirs)
        assert self._ours is not None
        self._agreement = agreement = kex.agree(theirs, self._ours)
        self.kexAlg = agreement.key_exchange
        self.keyAlg = agreement.host_key
        self._ignore_guess = agreement.wrong_guess
        group = agreement.key_exchange == _GROUP_EXCHANGE
        self._stage = frozenset((MSG_KEX_GROUP_REQUEST if group else MSG_KEX_INIT,))

    def _getHostKeys(self, keyAlg: bytes) -> Any:
        """Conch's: the public and the private key for a host key algorithm."""
        key = self._host_key(keyAlg)
        return key, key

    def _host_key(self, algorithm: bytes) -> HostKey:
        certified = (self._certified or {}).get(algorithm)
        plain: HostKey = self.factory.plain_keys[algorithm] if certified is None else certified
        return plain

    def _first_proposal(self, theirs: kex.Proposal) -> None:
        self._extensions = kex.EXTENSIONS_CLIENT in theirs.key_exchanges
        self.strict = kex.STRICT_CLIENT in theirs.key_exchanges
        opener = self._reader.opener
        if self.strict and opener is not None and opener.sequence != 1:
            raise PacketError(PROTOCOL_ERROR, "strict KEX violation: KEXINIT is not the first packet")

    def _exchange_message(self, kind: int, payload: bytes) -> None:
        if self._ignore_guess and kind >= 30:
            self._ignore_guess = False
            return
        if self._stage is None or kind not in self._stage:
            raise PacketError(PROTOCOL_ERROR, f"message {kind} out of order in the key exchange")
        self._stage = frozenset()  # nothing else may come before this is done
        if kind == MSG_NEWKEYS:
            self._compute((kind, payload))
        else:
            self.put_off(self._compute, (kind, payload))

    def _compute(self, message: tuple[int, bytes]) -> None:
        kind, payload = message
        try:
            self._EXCHANGE[kind](self, payload)
        except PacketError:
            raise
        except Exception as error:  # Conch and the cryptography library refuse bad values in many ways
            self._log.debug("ssh key exchange failed: {error!r}", error=error)
            raise PacketError(kex.KEY_EXCHANGE_FAILED, "key exchange failed") from None

    def ssh_KEX_INIT(self, packet: bytes) -> None:
        """RFC 5656 section 4: the client's public value; ours, and the signature over all that was said so far."""
        theirs = only_string(packet)
        ours, secret = AGREEMENTS[self.kexAlg](theirs)
        key = self._host_key(self.keyAlg)
        blob = key.blob()
        digest = exchange_hash(
            self.otherVersionString,
            self.ourVersionString,
            self.otherKexInitPayload,
            self.ourKexInitPayload,
            blob,
            theirs,
            ours,
            secret=secret,
        )
        signature = key.sign(digest, signatureType=self.keyAlg)
        self._writer.prepare(bytes((MSG_KEX_REPLY,)) + NS(blob) + NS(ours) + NS(signature))
        self._keySetup(secret, digest)

    def ssh_KEX_DH_GEX_REQUEST(self, packet: bytes) -> None:
        """RFC 4419 section 3: the client asks for a group."""
        self.dhGexRequest = packet
        bits = kex.choose_group(*struct.unpack(">3I", packet))
        self.g, self.p = kex.GENERATOR, kex.group_prime(bits)
        self._startEphemeralDH()
        self.sendPacket(MSG_KEX_GROUP, MP(self.p) + MP(self.g))
        self._stage = frozenset((MSG_KEX_GROUP_INIT,))

    def ssh_KEX_DH_GEX_INIT(self, packet: bytes) -> None:
        """RFC 4419 section 3: the client's public value."""
        if not 1 < getMP(packet)[0] < self.p - 1:
            raise PacketError(kex.KEY_EXCHANGE_FAILED, "bad public value")
        super().ssh_KEX_DH_GEX_INIT(packet)

    def _keySetup(self, sharedSecret: bytes, exchangeHash: bytes) -> None:
        """
        The exchange is computed: from our NEWKEYS on we send under the new keys, and the gate is open again.
        """
        assert self._agreement is not None and self._reader.opener is not None
        first = self.sessionID is None
        if self.sessionID is None:
            self.sessionID = exchangeHash
        derive = kex.key_material(self.kexAlg, sharedSecret, exchangeHash, self.sessionID)
        writer = self._writer
        writer.prepare(bytes((MSG_NEWKEYS,)))
        number = 0 if self.strict else writer.sealer.sequence
        writer.sealer = self._agreement.outgoing.sealer(derive, b"BDF", number)
        writer.sent = 0
        self._next_opener = self._agreement.incoming.opener(derive, b"ACE", 0)
        self._stage = frozenset((MSG_NEWKEYS,))
        writer.held = False
        if first and self._extensions:
            algorithms = b",".join(kex.SIGNATURE_ALGORITHMS)
            writer.prepare(struct.pack(">BI", MSG_EXT_INFO, 1) + NS(b"server-sig-algs") + NS(algorithms))
        writer.flush()
        self._gate_opened()

    def ssh_NEWKEYS(self, packet: bytes) -> None:
        """From the next packet on, even in the same read, the client's messages are under the new keys."""
        opener, reader = self._next_opener, self._reader
        if packet or opener is None or reader.opener is None:
            raise PacketError(PROTOCOL_ERROR, "bad NEWKEYS")
        opener.sequence = 0 if self.strict else reader.opener.sequence
        opener.limit = reader.opener.limit
        reader.opener = opener
        reader.received = 0
        self._keys_changed()
        self._keyed_at = self.clock.seconds()
        self._next_opener = self._agreement = self._ours = self._stage = None
        self._kex_since = 0.0
        self.ourKexInitPayload = self.otherKexInitPayload = b""
        if self.kexAlg == _GROUP_EXCHANGE:
            self.__dict__.clear()  # what Conch has set

    _EXCHANGE = {
        MSG_NEWKEYS: ssh_NEWKEYS,
        MSG_KEX_INIT: ssh_KEX_INIT,
        MSG_KEX_GROUP_REQUEST: ssh_KEX_DH_GEX_REQUEST,
        MSG_KEX_GROUP_INIT: ssh_KEX_DH_GEX_INIT,
    }

    def shrink(self) -> None:
        """Give back what an idle connection needs not keep, or look again later."""
        reader, writer = self._reader, self._writer
        passed = reader.received + writer.sent
        if passed != self._passed:
            self._passed = passed
            self.factory.rest.note(self)
        elif reader.opener is not None:
            reader.opener.rest()
            writer.sealer.rest()

    def _check_keys_age(self) -> None:
        now = self.clock.seconds()
        if self._ours is not None:
            if now - self._kex_since > self.limits.kex_timeout:
                self.disconnect(kex.KEY_EXCHANGE_FAILED, "key exchange takes too long")
        elif now - self._keyed_at > self.limits.rekey_seconds:
            self.rekey()
