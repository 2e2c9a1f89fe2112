"""
The ciphers of the SSH packet layer, each as one object that seals and one that opens.

They work in place, so that bulk bytes are copied by nobody. `framing` has what they share.

Sources: RFC 4253 (packets), RFC 4344 (CTR), RFC 5647 with OpenSSH's PROTOCOL section 1.6 (AES-GCM), PROTOCOL section
1.5 (encrypt-then-MAC), PROTOCOL.chacha20poly1305.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Callable

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.poly1305 import Poly1305

from ngrok_twisted.transports.ssh.framing import (
    MAC_ERROR,
    MAX_PACKET,
    U32,
    WRAP,
    Frame,
    Opened,
    Opener,
    PacketError,
    Restless,
    Sealer,
    Sealing,
    check_length,
    noise,
    pad,
    payload_bounds,
)

# The byte that says how much padding there is.
_PADDING = tuple(bytes((size,)) for size in range(32))


class GCMSealer:
    """
    ``aes*-gcm@openssh.com``: the length is authenticated and in the clear, the nonce counts packets.
    What the library keeps for a key takes 2.4 KiB and a microsecond: it is made for the first packet, also after a `rest`.
    """

    __slots__ = ("sequence", "_key", "_salt", "_counter", "_encrypt", "_encrypted")
    framed = True

    def __init__(self, key: bytes, iv: bytes, mac: Mac | None, sequence: int) -> None:
        self.sequence = sequence
        self._key = key
        self._salt = iv[:4]
        self._counter = int.from_bytes(iv[4:12], "big")

    def __getattr__(self, name: str) -> Any:
        # Called for a slot that is empty, so that packets of a connection that does not rest pay nothing.
        if name not in ("_encrypt", "_encrypted"):
            raise AttributeError(name)
        aead = AESGCM(self._key)
        self._encrypt, self._encrypted = aead.encrypt_into, aead.encrypt
        return object.__getattribute__(self, name)

    def rest(self) -> None:
        """`Sealer.rest`."""
        with suppress(AttributeError):
            del self._encrypt, self._encrypted

    def seal(self, wire: memoryview, at: int, size: int) -> int:
        """`Sealer.seal`."""
        stop = pad(wire, at, size, 4, 16)
        body = at + 4
        counter = self._counter
        self._counter = counter + 1 & 0xFFFFFFFFFFFFFFFF
        self._encrypt(self._salt + counter.to_bytes(8, "big"), wire[body:stop], wire[at:body], wire[body : stop + 16])
        self.sequence = self.sequence + 1 & WRAP
        return stop + 16

    def seal_framed(self, frame: Frame) -> int:
        """`Sealer.seal_framed`."""
        frame.before[:] = frame.lengths
        frame.padding[:] = noise.take(frame.count)
        counter = self._counter
        self._counter = counter + 1 & 0xFFFFFFFFFFFFFFFF
        self._encrypt(self._salt + counter.to_bytes(8, "big"), frame.clear, frame.head, frame.sealed)
        self.sequence = self.sequence + 1 & WRAP
        return frame.end

    def sealed(self, message: bytes) -> bytes:
        """`Sealer.sealed`."""
        padding = -(len(message) + 5) % 16 + 4  # so that the padding's length, the message and it fill blocks
        head = U32.pack(1 + len(message) + padding)
        counter = self._counter
        self._counter = counter + 1 & 0xFFFFFFFFFFFFFFFF
        self.sequence = self.sequence + 1 & WRAP
        body = _PADDING[padding] + message + noise.take(padding)
        return head + self._encrypted(self._salt + counter.to_bytes(8, "big"), body, head)


class GCMOpener:
    """The other side of `GCMSealer`."""

    __slots__ = ("sequence", "limit", "_key", "_salt", "_counter", "_decrypt")
    trailer = 16

    def __init__(self, key: bytes, iv: bytes, mac: Mac | None, sequence: int) -> None:
        self.sequence = sequence
        self.limit = MAX_PACKET
        self._key = key
        self._salt = iv[:4]
        self._counter = int.from_bytes(iv[4:12], "big")

    def __getattr__(self, name: str) -> Any:
        if name != "_decrypt":
            raise AttributeError(name)
        self._decrypt = AESGCM(self._key).decrypt_into
        return self._decrypt

    def rest(self) -> None:
        """`Opener.rest`."""
        with suppress(AttributeError):
            del self._decrypt

    def open(self, wire: memoryview, start: int, end: int) -> Opened | None:
        """`Opener.open`."""
        if end - start < 4:
            return None
        length = U32.unpack_from(wire, start)[0]
        if length & 15 or not 16 <= length <= self.limit:
            check_length(length, self.limit, 4, 16)
        stop = start + 4 + length + 16
        if stop > end:
            return None
        counter = self._counter
        self._counter = counter + 1 & 0xFFFFFFFFFFFFFFFF
        nonce = self._salt + counter.to_bytes(8, "big")
        body = start + 4
        last = body + length
        try:
            self._decrypt(nonce, wire[body:stop], wire[start:body], wire[body:last])
        except InvalidTag:
            raise PacketError(MAC_ERROR, "message authentication failed") from None
        self.sequence = self.sequence + 1 & WRAP
        padding = wire[body]
        if padding < 4 or padding + 1 >= length:
            return payload_bounds(wire, body, last, stop)  # which says what is wrong
        return stop, body + 1, last - padding


class _ChaCha:
    """
    The two ChaCha20 streams of a direction: one for lengths, one for bodies and their one-time Poly1305 keys.

    Both are keyed once and take the sequence number as their 64-bit nonce for each packet.
    """

    __slots__ = ("sequence", "_lengths", "_bodies")

    _BLOCK = bytes(64)

    def __init__(self, key: bytes, iv: bytes, mac: Mac | None, sequence: int) -> None:
        self.sequence = sequence
        # The key for the body comes first, the key for the length second (PROTOCOL.chacha20poly1305).
        self._bodies = Cipher(algorithms.ChaCha20(key[:32], bytes(16)), None).encryptor()
        self._lengths = Cipher(algorithms.ChaCha20(key[32:64], bytes(16)), None).encryptor()

    def _begin(self) -> bytes:
        """Start a packet: block 0 of the body's stream is the Poly1305 key, the body begins with block 1."""
        self._bodies.reset_nonce(self._nonce())
        return self._bodies.update(self._BLOCK)[:32]

    def _nonce(self) -> bytes:
        # 64-bit little-endian block counter, which starts at zero, then the 64-bit nonce.
        return bytes(8) + self.sequence.to_bytes(8, "big")


class ChaChaSealer(_ChaCha, Sealing):
    """``chacha20-poly1305@openssh.com``."""

    __slots__ = ()

    def seal(self, wire: memoryview, at: int, size: int) -> int:
        """`Sealer.seal`."""
        end = pad(wire, at, size, 4, 8)
        length, body = wire[at : at + 4], wire[at + 4 : end]
        self._lengths.reset_nonce(self._nonce())
        self._lengths.update_into(length, length)
        one_time = self._begin()
        self._bodies.update_into(body, body)
        wire[end : end + 16] = Poly1305.generate_tag(one_time, wire[at:end])
        self.sequence = self.sequence + 1 & WRAP
        return end + 16


class ChaChaOpener(_ChaCha, Restless):
    """The other side of `ChaChaSealer`."""

    __slots__ = ("limit",)
    trailer = -1

    def __init__(self, key: bytes, iv: bytes, mac: Mac | None, sequence: int) -> None:
        super().__init__(key, iv, mac, sequence)
        self.limit = MAX_PACKET

    def open(self, wire: memoryview, start: int, end: int) -> Opened | None:
        """`Opener.open`."""
        if end - start < 4:
            return None
        self._lengths.reset_nonce(self._nonce())
        length = U32.unpack(self._lengths.update(wire[start : start + 4]))[0]
        check_length(length, self.limit, 4, 8)
        stop = start + 4 + length
        if stop + 16 > end:
            return None
        one_time = self._begin()
        try:
            Poly1305.verify_tag(one_time, wire[start:stop], bytes(wire[stop : stop + 16]))
        except InvalidSignature:
            raise PacketError(MAC_ERROR, "message authentication failed") from None
        body = wire[start + 4 : stop]
        self._bodies.update_into(body, body)
        self.sequence = self.sequence + 1 & WRAP
        return payload_bounds(wire, start + 4, stop, stop + 16)


@dataclass(frozen=True, slots=True)
class Mac:
    """
    A keyed MAC of one direction.

    :ivar keyed: the HMAC with its key taken in, to be copied for each packet.
    :ivar size: bytes of a tag.
    :ivar etm: the tag covers what is on the wire, not the plaintext.
    """

    keyed: HMAC
    size: int
    etm: bool

    def start(self, sequence: int, data: memoryview) -> Any:
        """:return: the HMAC over a sequence number and a packet, to be finalised or verified."""
        running = self.keyed.copy()
        running.update(U32.pack(sequence))
        running.update(data)
        return running


class CTRSealer(Sealing):
    """``aes*-ctr`` with an HMAC, over the plaintext or (etm) over the ciphertext."""

    __slots__ = ("sequence", "_update", "_mac", "_loose")

    def __init__(self, key: bytes, iv: bytes, mac: Mac | None, sequence: int) -> None:
        assert mac is not None
        self.sequence = sequence
        self._update = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor().update_into
        self._mac = mac
        self._loose = 4 if mac.etm else 0

    def seal(self, wire: memoryview, at: int, size: int) -> int:
        """`Sealer.seal`."""
        loose, mac = self._loose, self._mac
        end = pad(wire, at, size, loose, 16)
        body = wire[at + loose : end]
        if mac.etm:
            self._update(body, body)
        wire[end : end + mac.size] = mac.start(self.sequence, wire[at:end]).finalize()
        if not mac.etm:
            self._update(body, body)
        self.sequence = self.sequence + 1 & WRAP
        return end + mac.size


class CTROpener(Restless):
    """
    The other side of `CTRSealer`.

    Without etm the length itself is encrypted: the first block of a packet that is not whole is kept decrypted.
    """

    __slots__ = ("sequence", "limit", "_decryptor", "_mac", "_head")
    trailer = -1

    def __init__(self, key: bytes, iv: bytes, mac: Mac | None, sequence: int) -> None:
        assert mac is not None
        self.sequence = sequence
        self.limit = MAX_PACKET
        self._decryptor = Cipher(algorithms.AES(key), modes.CTR(iv)).decryptor()
        self._mac = mac
        self._head = b""

    def open(self, wire: memoryview, start: int, end: int) -> Opened | None:
        """`Opener.open`."""
        if end - start < 16:
            return None
        head = bytes(wire[start : start + 4]) if self._mac.etm else self._first_block(wire, start)
        length = U32.unpack_from(head)[0]
        check_length(length, self.limit, 4 if self._mac.etm else 0, 16)
        stop = start + 4 + length
        if stop + self._mac.size > end:
            return None
        if self._mac.etm:
            self._verify(wire[start:stop], wire[stop : stop + self._mac.size])
            rest = wire[start + 4 : stop]
            self._decryptor.update_into(rest, rest)
        else:
            wire[start : start + 16] = head
            rest = wire[start + 16 : stop]
            self._decryptor.update_into(rest, rest)
            self._verify(wire[start:stop], wire[stop : stop + self._mac.size])
            self._head = b""
        self.sequence = self.sequence + 1 & WRAP
        return payload_bounds(wire, start + 4, stop, stop + self._mac.size)

    def _first_block(self, wire: memoryview, start: int) -> bytes:
        if not self._head:
            self._head = self._decryptor.update(wire[start : start + 16])
        return self._head

    def _verify(self, covered: memoryview, tag: memoryview) -> None:
        try:
            self._mac.start(self.sequence, covered).verify(bytes(tag))  # in constant time
        except InvalidSignature:
            raise PacketError(MAC_ERROR, "message authentication failed") from None


_Maker = Callable[[bytes, bytes, "Mac | None", int], Any]


@dataclass(frozen=True, slots=True)
class CipherKind:
    """
    A cipher by its SSH name.

    :ivar key_size: bytes of key to derive.
    :ivar iv_size: bytes of initial vector to derive.
    :ivar aead: it authenticates by itself: the negotiated MAC does not matter.
    """

    key_size: int
    iv_size: int
    aead: bool
    sealer: _Maker
    opener: _Maker


CIPHERS: dict[bytes, CipherKind] = {
    b"aes128-gcm@openssh.com": CipherKind(16, 12, True, GCMSealer, GCMOpener),
    b"aes256-gcm@openssh.com": CipherKind(32, 12, True, GCMSealer, GCMOpener),
    b"chacha20-poly1305@openssh.com": CipherKind(64, 0, True, ChaChaSealer, ChaChaOpener),
    b"aes128-ctr": CipherKind(16, 16, False, CTRSealer, CTROpener),
    b"aes192-ctr": CipherKind(24, 16, False, CTRSealer, CTROpener),
    b"aes256-ctr": CipherKind(32, 16, False, CTRSealer, CTROpener),
}

# Name: (hash, encrypt-then-MAC). The key is as long as the digest (RFC 6668 section 2).
MACS: dict[bytes, tuple[type[hashes.HashAlgorithm], bool]] = {
    b"hmac-sha2-256-etm@openssh.com": (hashes.SHA256, True),
    b"hmac-sha2-512-etm@openssh.com": (hashes.SHA512, True),
    b"hmac-sha2-256": (hashes.SHA256, False),
    b"hmac-sha2-512": (hashes.SHA512, False),
}


@dataclass(frozen=True, slots=True)
class Suite:
    """
    The cipher and MAC that were negotiated for one direction.

    :ivar mac: ``b""`` beside an AEAD cipher.
    """

    cipher: bytes
    mac: bytes = b""

    def sealer(self, derive: Callable[[bytes, int], bytes], letters: bytes, sequence: int) -> Sealer:
        """
        :param derive: ``derive(letter, size)`` gives key material, RFC 4253 section 7.2.
        :param letters: of the initial vector, the key and the MAC key.
        :param sequence: the number of the first packet.
        """
        return CIPHERS[self.cipher].sealer(*self._material(derive, letters), sequence)

    def opener(self, derive: Callable[[bytes, int], bytes], letters: bytes, sequence: int) -> Opener:
        """As `sealer`."""
        return CIPHERS[self.cipher].opener(*self._material(derive, letters), sequence)

    def _material(self, derive: Callable[[bytes, int], bytes], letters: bytes) -> tuple[bytes, bytes, Mac | None]:
        kind = CIPHERS[self.cipher]
        iv = derive(letters[0:1], kind.iv_size)
        key = derive(letters[1:2], kind.key_size)
        if kind.aead:
            return key, iv, None
        algorithm, etm = MACS[self.mac]
        hashed = algorithm()
        return key, iv, Mac(HMAC(derive(letters[2:3], hashed.digest_size), hashed), hashed.digest_size, etm)
