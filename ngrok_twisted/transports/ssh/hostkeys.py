"""
The server's host keys: made once, kept private, readable by OpenSSH's own tools.
"""

from __future__ import annotations

import os
import secrets
import stat
from typing import Any, Mapping, Sequence

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from twisted.conch.ssh.common import NS
from twisted.conch.ssh.keys import BadKeyError, EncryptedKeyError, Key
from twisted.logger import Logger
from twisted.python.filepath import FilePath

from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.records.base import Problem
from ngrok_twisted.ssh_login import SIGNATURES, certified_name

_log = Logger()

# Bits: as strong as the other algorithms on offer (NIST SP 800-57: 128 bits of security).
RSA_BITS = 3072

# The permissions that nobody but the owner may have.
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

# Best first. No ECDSA key: its curves are those that auditors mistrust, and no client needs one.
_KINDS: dict[str, Any] = {
    "ssh_host_ed25519_key": ed25519.Ed25519PrivateKey.generate,
    "ssh_host_rsa_key": lambda: rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS),
}


_ED25519 = NS(b"ssh-ed25519")


class UnusableKey(ValueError):
    """A host key that cannot be served; the message is a sentence that holds nothing of it."""


# How the signatures of a key are called, best first. RSA with SHA-1 (``ssh-rsa``) is not among them.
ALGORITHMS: dict[bytes, tuple[bytes, ...]] = {
    b"ssh-ed25519": (b"ssh-ed25519",),
    b"ecdsa-sha2-nistp256": (b"ecdsa-sha2-nistp256",),
    b"ssh-rsa": (b"rsa-sha2-512", b"rsa-sha2-256"),
}


class HostKey:
    """
    A host key, perhaps with a certificate, as key exchanges use it (Conch's, too): in place of both halves.

    Source: OpenSSH's PROTOCOL.certkeys; the certificate goes where the public key goes, and the key signs as ever.
    """

    __slots__ = ("_key", "_blob", "_sign")

    def __init__(self, key: Key, certificate: bytes = b"") -> None:
        """
        :param key: the private key.
        :param certificate: its blob; without one the public key is shown.
        """
        self._key = key
        # Made once: Conch makes it anew for whoever asks.
        self._blob = certificate or key.public().blob()
        # Without Conch's questions for the kind of key, which take a third as long as the signature.
        self._sign = _ed25519(key).sign if key.type() == "Ed25519" else None

    def blob(self) -> bytes:
        """What is shown to the client."""
        return self._blob

    def sign(self, data: bytes, signatureType: bytes) -> bytes:
        """:param signatureType: the name of the host key algorithm, be it one for certificates."""
        if self._sign is not None:
            return _ED25519 + NS(self._sign(data))  # RFC 8709 section 6
        return self._key.sign(data, signatureType=SIGNATURES.get(signatureType, signatureType))


def _ed25519(key: Key) -> ed25519.Ed25519PrivateKey:
    loaded = load_ssh_private_key(key.toString("OPENSSH", subtype="v1"), None)
    assert isinstance(loaded, ed25519.Ed25519PrivateKey)
    return loaded


def host_keys_by_algorithm(keys: Mapping[bytes, Key]) -> dict[bytes, HostKey]:
    """
    :param keys: private keys by their type.
    :return: the host key algorithms to offer for them, best first, each with its key.
    """
    return {name: HostKey(key) for kind, key in keys.items() for name in ALGORITHMS[kind]}


def certified_keys(keys: Mapping[bytes, Key], certificates: Mapping[bytes, bytes]) -> dict[bytes, HostKey]:
    """
    :param keys: private keys by their type.
    :param certificates: certificates by the blob of the public key.
    :return: the host key algorithms to offer for them, best first, each with its key.
    """
    found: dict[bytes, HostKey] = {}
    for kind, key in keys.items():
        certificate = certificates.get(key.public().blob())
        if certificate is not None:
            found.update({certified_name(name): HostKey(key, certificate) for name in ALGORITHMS[kind]})
    return found


def load_or_make(directory: FilePath[str], paths: Sequence[FilePath[str]] = ()) -> list[Key]:
    """
    The keys in a directory, made on the first start, and those the operator names, which come first.

    :param directory: made with mode 0700 if it is missing.
    :param paths: further private key files; they must exist. With any, nothing is made in ``directory``.
    :return: private keys, best first.
    :raises InvalidConfig: a file cannot be used; it says why, for every one.
    """
    problems: list[Any] = []
    keys: list[Key] = []
    for path in paths or _made(directory):
        try:
            keys.append(_load(path, ours=not paths))
        except (OSError, ValueError, BadKeyError, EncryptedKeyError) as error:
            problems.append(Problem(path=path.path, message=f"this SSH host key cannot be used: {reason(error)}"))
    if problems:
        raise InvalidConfig(problems)
    return keys


def reason(error: Exception) -> str:
    """
    Why a key cannot be used. Conch's own words may hold the key.
    """
    if isinstance(error, EncryptedKeyError):
        return "it has a passphrase, and nobody is there to type it"
    if isinstance(error, OSError):
        return error.strerror or "it cannot be read"
    if isinstance(error, UnusableKey):
        return str(error)
    return "it is damaged, or no private key"


def _made(directory: FilePath[str]) -> list[FilePath[str]]:
    if not directory.exists():
        os.makedirs(directory.path, mode=0o700)
    paths = [directory.child(name) for name in _KINDS]
    for path, generate in zip(paths, _KINDS.values()):
        if not path.exists():
            _write(path, Key(generate()).toString("OPENSSH", subtype="v1", comment=b"ngrok_twisted"))
            _log.info("made the SSH host key {path}", path=path.path)
    return paths


def _write(path: FilePath[str], data: bytes) -> None:
    """Write a private file whole or not at all."""
    temporary = path.sibling(f".{path.basename()}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary.path, path.path)
    except BaseException:
        os.unlink(temporary.path)
        raise


def _load(path: FilePath[str], ours: bool) -> Key:
    mode = os.stat(path.path).st_mode
    if not stat.S_ISREG(mode):
        raise UnusableKey("it is not a file")
    if mode & _OTHERS:
        raise UnusableKey(f"others may read or write it (mode {stat.S_IMODE(mode):04o}); set it to 0600")
    key = _parsed(path.getContent(), ours)
    if key.isPublic():
        raise UnusableKey("it is a public key")
    if key.type() == "RSA" and key.size() < 2048:
        raise UnusableKey(f"an RSA key of {key.size()} bits is too weak")
    if key.sshType() not in (b"ssh-ed25519", b"ssh-rsa", b"ecdsa-sha2-nistp256"):
        raise UnusableKey("only ed25519, RSA and ECDSA (nistp256) keys are served")
    return key


def _parsed(data: bytes, ours: bool) -> Key:
    """
    :param ours: we made it, and nobody could change it since. Then it is not asked whether the numbers of an RSA key are
        prime: that takes 0.1 s of each start, in which nobody is served.
    """
    if ours:
        try:
            return Key(load_ssh_private_key(data, None, unsafe_skip_rsa_key_validation=True))
        except (ValueError, TypeError, UnsupportedAlgorithm):
            pass  # Conch says what is wrong with it
    return Key.fromString(data)
