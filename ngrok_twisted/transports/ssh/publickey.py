"""
Users' public keys and their signatures, checked strictly: the algorithm must fit the key, nothing may trail.

A certificate counts here as the key in it; what else it says is for the checkers of the cred portal.

Sources: RFC 4253 section 6.6, RFC 8332 (RSA with SHA-2), RFC 5656 (ECDSA), RFC 8709 (Ed25519), OpenSSH's PROTOCOL.u2f
(security keys) and PROTOCOL.certkeys (certificates).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ngrok_twisted.ssh_login import KEY_TYPES, SIGNATURES, certified_name

# Bits. NIST SP 800-131A; larger than OpenSSH can make is a way to keep the CPU busy.
RSA_MIN_BITS = 2048
RSA_MAX_BITS = 16384

# PROTOCOL.u2f: somebody touched the authenticator.
USER_PRESENT = 0x01

_SK_ED25519 = b"sk-ssh-ed25519@openssh.com"
_SK_ECDSA = b"sk-ecdsa-sha2-nistp256@openssh.com"

_CURVES: dict[bytes, tuple[ec.EllipticCurve, hashes.HashAlgorithm]] = {
    b"nistp256": (ec.SECP256R1(), hashes.SHA256()),
    b"nistp384": (ec.SECP384R1(), hashes.SHA384()),
    b"nistp521": (ec.SECP521R1(), hashes.SHA512()),
}

_RSA_HASHES: dict[bytes, hashes.HashAlgorithm] = {b"rsa-sha2-256": hashes.SHA256(), b"rsa-sha2-512": hashes.SHA512()}


class BadKey(Exception):
    """A key or a signature that cannot be used: the text says why."""


class Fields:
    """Reads the fields of RFC 4251 section 5 out of a message; `BadKey` where it is cut short."""

    __slots__ = ("_data", "_at")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def raw(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        at = self._at
        end = self._at = at + size
        if end > len(self._data):
            raise BadKey("cut short")
        return self._data[at:end]

    def string(self) -> bytes:
        """A ``string``."""
        data, at = self._data, self._at + 4
        end = self._at = at + int.from_bytes(data[at - 4 : at], "big")
        if end > len(data) or at > len(data):
            raise BadKey("cut short")
        return data[at:end]

    def number(self) -> int:
        """A positive ``mpint``."""
        value = int.from_bytes(self.string(), "big", signed=True)
        if value < 0:
            raise BadKey("negative number")
        return value

    @property
    def left(self) -> int:
        """Bytes that were not read yet."""
        return len(self._data) - self._at

    def end(self) -> None:
        """Nothing may follow."""
        if self._at != len(self._data):
            raise BadKey("trailing bytes")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """
    :ivar algorithms: the names of the signatures it can make.
    :ivar application: of a security key, such as ``ssh:``; else ``None``.
    :ivar certified: it came in a certificate, and its algorithms are called accordingly.
    """

    algorithms: tuple[bytes, ...]
    check: Callable[[bytes, bytes, bytes], None]
    application: bytes | None = None
    certified: bool = False

    def signed_data(self, signature: bytes, message: bytes) -> bytes:
        """
        :return: what the signature's bytes cover: the message, or for a security key what its authenticator made of it.
        :raises BadKey: the signature is malformed, or nobody touched the authenticator.
        """
        if self.application is None:
            return message
        fields = Fields(signature)
        fields.string(), fields.string()
        flags, counter = fields.raw(1), fields.raw(4)
        fields.end()
        if not flags[0] & USER_PRESENT:
            raise BadKey("no user was present at the security key")
        return sha256(self.application).digest() + flags + counter + sha256(message).digest()

    def verify(self, algorithm: bytes, signature: bytes, message: bytes) -> None:
        """
        :param algorithm: as the request named it; the signature must name the same, without the suffix of certificates.
        :param signature: RFC 4253 section 6.6.
        :raises BadKey: it does not verify.
        """
        fields = Fields(signature)
        plain = SIGNATURES[algorithm] if self.certified and algorithm in SIGNATURES else algorithm
        if algorithm not in self.algorithms or fields.string() != plain:
            raise BadKey("the signature's algorithm does not fit the key")
        raw = fields.string()
        covered = self.signed_data(signature, message)
        if self.application is None:
            fields.end()
        try:
            self.check(plain, raw, covered)
        except (InvalidSignature, ValueError):
            raise BadKey("the signature does not verify") from None


def fingerprint(digest: bytes) -> str:
    """
    :param digest: the SHA-256 hash of a key's blob.
    :return: ``SHA256:…`` as OpenSSH prints it.
    """
    return "SHA256:" + base64.b64encode(digest).rstrip(b"=").decode("ascii")


def parse(blob: bytes) -> PublicKey:
    """
    :param blob: a key, or a certificate.
    :raises BadKey: the key is malformed, of a kind we do not take, or too weak.
    """
    fields = Fields(blob)
    kind = fields.string()
    plain = KEY_TYPES.get(kind)
    if plain is not None:
        fields.string()  # the certificate's nonce
    try:
        key = _parse_kind(plain or kind, fields)
    except ValueError as error:
        raise BadKey(str(error)) from None
    if plain is not None:
        return replace(key, algorithms=tuple(map(certified_name, key.algorithms)), certified=True)
    fields.end()
    return key


def _parse_kind(kind: bytes, fields: Fields) -> PublicKey:
    if kind == b"ssh-rsa":
        return _rsa(fields)
    if kind == b"ssh-ed25519":
        return PublicKey((kind,), _ed25519(fields.string()))
    if kind == _SK_ED25519:
        return PublicKey((kind,), _ed25519(fields.string()), fields.string())
    if kind == _SK_ECDSA:
        return PublicKey((kind,), _ecdsa(b"nistp256", fields), fields.string())
    curve = kind.removeprefix(b"ecdsa-sha2-")
    if curve != kind and curve in _CURVES:
        return PublicKey((kind,), _ecdsa(curve, fields))
    raise BadKey("a key of this kind is not accepted")


def _rsa(fields: Fields) -> PublicKey:
    exponent, modulus = fields.number(), fields.number()
    if not RSA_MIN_BITS <= modulus.bit_length() <= RSA_MAX_BITS:
        raise BadKey(f"an RSA key of {modulus.bit_length()} bits is not accepted")
    key = rsa.RSAPublicNumbers(exponent, modulus).public_key()

    def check(algorithm: bytes, raw: bytes, message: bytes) -> None:
        # RFC 8332 section 3: the signature is as long as the modulus; some clients drop leading zeros.
        key.verify(
            raw.rjust((modulus.bit_length() + 7) // 8, b"\0"), message, padding.PKCS1v15(), _RSA_HASHES[algorithm]
        )

    return PublicKey(tuple(_RSA_HASHES), check)


def _ed25519(raw_key: bytes) -> Callable[[bytes, bytes, bytes], None]:
    key: Any = ed25519.Ed25519PublicKey.from_public_bytes(raw_key)
    return lambda algorithm, raw, message: key.verify(raw, message)


def _ecdsa(curve: bytes, fields: Fields) -> Callable[[bytes, bytes, bytes], None]:
    if fields.string() != curve:
        raise BadKey("the curve does not fit the kind of key")
    point = fields.string()
    if point[:1] != b"\x04":
        raise BadKey("only uncompressed points are accepted")  # RFC 5656 section 3.1
    group, algorithm = _CURVES[curve]
    key = ec.EllipticCurvePublicKey.from_encoded_point(group, point)

    def check(name: bytes, raw: bytes, message: bytes) -> None:
        numbers = Fields(raw)
        r, s = numbers.number(), numbers.number()
        numbers.end()
        key.verify(encode_dss_signature(r, s), message, ec.ECDSA(algorithm))

    return check
