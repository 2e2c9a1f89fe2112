"""
SSH keys of every type, and what a client would send with them.
"""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from twisted.conch.ssh.common import NS, getNS
from twisted.conch.ssh.keys import Key
from twisted.conch.ssh.userauth import SSHUserAuthServer
from twisted.cred.credentials import SSHPrivateKey

DATA = b"what the client signs"


@lru_cache(maxsize=None)
def make_key(kind: str) -> Any:
    """A private Conch key; the same for the same kind."""
    made: Any = {
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "other ed25519": ed25519.Ed25519PrivateKey.generate,
        "nistp256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "nistp384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "nistp521": lambda: ec.generate_private_key(ec.SECP521R1()),
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
        "short rsa": lambda: rsa.generate_private_key(65537, 1024),
        "dsa": lambda: dsa.generate_private_key(1024),
    }[kind]()
    return Key(made)


def line(blob: bytes) -> str:
    """The public key as a record holds it."""
    return f"{getNS(blob)[0].decode()} {b64encode(blob).decode()}"


def blob_of(kind: str) -> bytes:
    """The public half of `make_key`."""
    return bytes(make_key(kind).public().blob())


def query(blob: bytes, algorithm: bytes | None = None) -> SSHPrivateKey:
    """The first step of public key authentication: would this key do?"""
    return SSHPrivateKey(b"v2", algorithm or getNS(blob)[0], blob, None, None)


def proof(kind: str, algorithm: bytes | None = None, data: bytes = DATA) -> SSHPrivateKey:
    """The second step: the signature."""
    key, blob = make_key(kind), blob_of(kind)
    algorithm = algorithm or getNS(blob)[0]
    return SSHPrivateKey(b"v2", algorithm, blob, DATA, key.sign(data, signatureType=algorithm))


def security_key(kind: str) -> bytes:
    """The blob of a security key; the private half is that of `make_key`."""
    parts = getNS(blob_of(kind), 3 if kind == "nistp256" else 2)
    names = {"nistp256": b"sk-ecdsa-sha2-nistp256@openssh.com", "ed25519": b"sk-ssh-ed25519@openssh.com"}
    return b"".join(map(NS, (names[kind], *parts[1:-1], b"ssh:")))


def touched(kind: str, flags: int = 1) -> SSHPrivateKey:
    """A security key's signature, as Conch's user authentication hands it to a checker."""
    blob = security_key(kind)
    end = bytes([flags]) + (7).to_bytes(4, "big")
    signed = sha256(b"ssh:").digest() + end + sha256(DATA).digest()
    proper = getNS(make_key(kind).sign(signed), 2)[1]
    signature = NS(getNS(blob)[0]) + NS(proper) + end
    wrapped = SSHUserAuthServer._wrapMessageWithSKMetadata(signature, DATA, b"ssh:")
    return SSHPrivateKey(b"v2", getNS(blob)[0], blob, wrapped, signature)
