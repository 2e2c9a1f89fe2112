"""
SSH public keys as bytes: the blob that a client offers, which of them we accept, and the signatures they make.

Only the formats are here; `ngrok_twisted.iam.checkers` knows whose key it is.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error

from twisted.conch.ssh.common import NS, getNS
from twisted.conch.ssh.keys import Key

#: Bits of the smallest RSA key accepted (NIST SP 800-131A).
RSA_BITS_MIN = 2048

#: Bytes of the largest blob accepted: an RSA key of 16384 bits takes 2 KiB.
BLOB_MAX = 4096

#: The signature formats (RFC 5656, RFC 8332, RFC 8709, OpenSSH's PROTOCOL.u2f) each key type may answer with. SHA-1 is
#: not among those of RSA, and DSA is not here at all.
SIGNATURES: dict[bytes, frozenset[bytes]] = {
    b"ssh-ed25519": frozenset({b"ssh-ed25519"}),
    b"ecdsa-sha2-nistp256": frozenset({b"ecdsa-sha2-nistp256"}),
    b"ecdsa-sha2-nistp384": frozenset({b"ecdsa-sha2-nistp384"}),
    b"ecdsa-sha2-nistp521": frozenset({b"ecdsa-sha2-nistp521"}),
    b"ssh-rsa": frozenset({b"rsa-sha2-256", b"rsa-sha2-512"}),
    b"sk-ssh-ed25519@openssh.com": frozenset({b"sk-ssh-ed25519@openssh.com"}),
    b"sk-ecdsa-sha2-nistp256@openssh.com": frozenset({b"sk-ecdsa-sha2-nistp256@openssh.com"}),
}

#: The most common kind: how every such key begins, and its length with the 32 bytes of the point.
_ED25519_START = NS(b"ssh-ed25519") + (32).to_bytes(4, "big")
_ED25519_SIZE = len(_ED25519_START) + 32

#: The flag of a security key's signature that says a person touched it (PROTOCOL.u2f, from FIDO U2F section 4.3).
_USER_PRESENT = 0x01


def read_public_key(line: str) -> bytes:
    """
    :param line: ``<type> <base64>``, possibly with a comment behind it.
    :return: the key's blob, as a client offers it.
    :raises ValueError: it is not such a line, or a key that is not accepted; the message is a sentence.
    """
    parts = line.split(None, 2)
    if len(parts) < 2:
        raise ValueError("A public key is one line: its type, then base64.")
    try:
        blob = b64decode(parts[1], validate=True)
    except (Base64Error, ValueError):
        raise ValueError("The public key is not base64.") from None
    key_type = check_blob(blob)
    if parts[0].encode("utf-8", "replace") != key_type:
        raise ValueError("The public key is of another type than its line says.")
    return blob


def check_blob(blob: bytes) -> bytes:
    """
    :return: the type of an acceptable key.
    :raises ValueError: the key is malformed or not acceptable; the message is a sentence.
    """
    key_type = _first_string(blob)
    if key_type not in SIGNATURES:
        raise ValueError("The public key is of a type that is not accepted.")
    if key_type == b"ssh-ed25519" and len(blob) == _ED25519_SIZE and blob.startswith(_ED25519_START):
        return key_type  # any 32 bytes are a key (RFC 8709 section 4); ten thousand are looked through in an instant
    try:
        key = Key.fromString(blob, type="blob")
        canonical = key.isSecurityKey() or key.blob() == blob
    except Exception:
        # Conch and cryptography raise whatever a malformed number or point leads to.
        raise ValueError("The public key is malformed.") from None
    if not canonical:
        raise ValueError("The public key is not in its only proper encoding.")
    if key.type() == "RSA" and key.size() < RSA_BITS_MIN:
        raise ValueError(f"The RSA key has fewer than {RSA_BITS_MIN} bits.")
    return key_type


def verifies(algorithm: bytes, blob: bytes, signature: bytes, data: bytes) -> bool:
    """
    Whether a signature proves that the client has the private key.

    :param algorithm: what the client said it signs with; the signature must say the same (RFC 8332 section 3).
    :param blob: the public key, accepted by `check_blob` before.
    :param signature: format, signature proper, and for security keys flags and counter.
    :param data: what was signed; for security keys as Conch's user authentication has wrapped it.
    """
    key_type = _first_string(blob)
    if algorithm not in SIGNATURES.get(key_type, ()) or _first_string(signature) != algorithm:
        return False
    try:
        key = Key.fromString(blob, type="blob")
        if not _is_whole(signature, key.type() == "EC") or not _has_proper_end(signature, key.isSecurityKey()):
            return False
        return bool(key.verify(signature, data))
    except Exception:
        # A signature that cannot even be parsed proves nothing.
        return False


def _is_whole(signature: bytes, two_numbers: bool) -> bool:
    """
    The lengths in a signature are those of what follows. Conch takes a string that says it is longer than there are bytes.

    :param two_numbers: the signature proper is two numbers in turn (RFC 5656 section 3.1.2).
    """
    name, proper, rest = getNS(signature, 2)
    if NS(name) + NS(proper) + rest != signature:
        return False
    return not two_numbers or b"".join(map(NS, getNS(proper, 2)[:2])) == proper


def _has_proper_end(signature: bytes, security_key: bool) -> bool:
    """Nothing follows the signature, except the flags (a person was there) and the counter of a security key."""
    _, _, rest = getNS(signature, 2)
    if security_key:
        return len(rest) == 5 and bool(rest[0] & _USER_PRESENT)
    return not rest


def _first_string(data: bytes) -> bytes:
    """The first SSH string of a message, or nothing if there is none."""
    length = int.from_bytes(data[:4], "big")
    return data[4 : 4 + length] if 4 <= len(data) <= BLOB_MAX and length <= len(data) - 4 else b""
