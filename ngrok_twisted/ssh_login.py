"""
What an SSH client shows at its login: `VerifiedKey`, a key whose signature was verified, and `CertificateLogin`, a user
certificate; and how OpenSSH calls the signatures of certified keys. The transport and the checkers both speak of them.

Source: OpenSSH's PROTOCOL.certkeys.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping

from twisted.cred.credentials import ICredentials, SSHPrivateKey
from zope.interface import Attribute, implementer

#: What the names of certificates end in, and those of signatures made with a certified key.
SUFFIX = b"-cert-v01@openssh.com"

_VENDOR = b"@openssh.com"


def certified_name(name: bytes) -> bytes:
    """
    :param name: of a key type or a signature algorithm.
    :return: what it is called when the key comes in a certificate. The vendor's suffix is not repeated:
        ``sk-ssh-ed25519@openssh.com`` becomes ``sk-ssh-ed25519-cert-v01@openssh.com``.
    """
    return name.removesuffix(_VENDOR) + SUFFIX


def _certified(*names: bytes) -> Mapping[bytes, bytes]:
    return {certified_name(name): name for name in names}


_KEYS = (
    b"ssh-ed25519",
    b"ecdsa-sha2-nistp256",
    b"ecdsa-sha2-nistp384",
    b"ecdsa-sha2-nistp521",
    b"sk-ssh-ed25519@openssh.com",
    b"sk-ecdsa-sha2-nistp256@openssh.com",
)

#: The type of a certificate to the type of the key in it.
KEY_TYPES = _certified(*_KEYS, b"ssh-rsa")

#: The algorithm that a client names to the signature that it makes. RSA with SHA-1 is not among them.
SIGNATURES = _certified(*_KEYS, b"rsa-sha2-512", b"rsa-sha2-256")


class VerifiedKey(SSHPrivateKey):
    """
    A key that the client has. The transport has verified that its signature covers this session, user name and key, so that a
    checker, which would spend as much time on it as on all the rest of a login, only has to know the key.
    """


class ISSHCertificateLogin(ICredentials):
    """
    A user certificate, and the proof that the client has the certified key.

    A checker fails with `twisted.conch.error.ValidPublicKey` where the certificate is good and the signature is missing.
    """

    username = Attribute("``bytes``: the name that the client logs in with.")
    algorithm = Attribute("``bytes``: how the client signs: a key of `SIGNATURES`.")
    blob = Attribute("``bytes``: the certificate.")
    peer_host = Attribute("``str``: the client's IP address.")
    signature = Attribute("``bytes``, or ``None`` while the client only asks whether the certificate would do.")
    signed = Attribute("``bytes``: what the signature covers; for a security key as its authenticator saw it.")


@implementer(ISSHCertificateLogin)
@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateLogin:
    """
    Credentials for a cred portal; see `ISSHCertificateLogin` for the fields.
    """

    username: bytes
    algorithm: bytes
    blob: bytes
    peer_host: str
    signature: bytes | None = field(default=None, repr=False)
    signed: bytes | None = field(default=None, repr=False)
