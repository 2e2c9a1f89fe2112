"""
The server's half of a key exchange in one message each way: a shared secret out of what the client sent. No I/O.

Sources: RFC 8731 (Curve25519), draft-ietf-sshm-mlkem-hybrid-kex (ML-KEM 768 with it), RFC 5656 section 4 (the messages).
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Callable, Mapping

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from twisted.conch.ssh.common import MP, NS

from ngrok_twisted.transports.ssh.publickey import Fields

mlkem: Any = None
try:
    from cryptography.hazmat.primitives.asymmetric import mlkem
except ImportError:
    pass  # a release that has none: it is not offered

# Bytes of an encapsulation key of ML-KEM 768 (FIPS 203 section 8).
_ENCAPSULATION_KEY = 1184


def agree_curve25519(theirs: bytes) -> tuple[bytes, bytes]:
    """
    :param theirs: the client's public value.
    :return: ours, and the shared secret as it goes into the exchange hash.
    :raises ValueError: theirs is none, or leads to no secret (RFC 7748 section 6.1).
    """
    ours, secret = _curve25519(theirs)
    return ours, MP(int.from_bytes(secret, "big"))


def agree_hybrid(theirs: bytes) -> tuple[bytes, bytes]:
    """
    As `agree_curve25519`; who wants to know the secret has to break both ML-KEM and Curve25519.
    """
    encapsulated, ciphertext = mlkem.MLKEM768PublicKey.from_public_bytes(theirs[:_ENCAPSULATION_KEY]).encapsulate()
    ours, secret = _curve25519(theirs[_ENCAPSULATION_KEY:])
    return ciphertext + ours, NS(sha256(encapsulated + secret).digest())


def _curve25519(theirs: bytes) -> tuple[bytes, bytes]:
    private = X25519PrivateKey.generate()
    return private.public_key().public_bytes_raw(), private.exchange(X25519PublicKey.from_public_bytes(theirs))


#: By the name of the key exchange. All of them hash with SHA-256.
AGREEMENTS: Mapping[bytes, Callable[[bytes], tuple[bytes, bytes]]] = {
    **({b"mlkem768x25519-sha256": agree_hybrid} if hasattr(mlkem, "MLKEM768PublicKey") else {}),
    b"curve25519-sha256": agree_curve25519,
    b"curve25519-sha256@libssh.org": agree_curve25519,
}


def only_string(message: bytes) -> bytes:
    """:return: the string that is all of a message. :raises BadKey: it is malformed, or something follows."""
    fields = Fields(message)
    value = fields.string()
    fields.end()
    return value


def exchange_hash(*strings: bytes, secret: bytes) -> bytes:
    """:return: RFC 5656 section 4: the hash over ``strings``, each with its length, and the secret as it is."""
    return sha256(b"".join(map(NS, strings)) + secret).digest()
