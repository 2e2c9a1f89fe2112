"""
Certificates of any shape, for tests.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class Made:
    """A certificate and its key; what it ``issue``\\ s is signed by it."""

    def __init__(self, name: str, issuer: Made | None = None, key: Any = None, ca: bool = True, days: int = 30) -> None:
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = issuer or self
        now = datetime.now(timezone.utc)
        builder = x509.CertificateBuilder(signer.name, self.name, self.key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=days))
        builder = builder.add_extension(x509.BasicConstraints(ca, None), True)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
        # A strict client, as Python's is from 3.13 on, refuses certificates without these.
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
        signed_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
        builder = builder.add_extension(signed_by, False).add_extension(_usage(ca), True)
        digest = None if isinstance(signer.key, ed25519.Ed25519PrivateKey) else SHA256()
        self.certificate = builder.sign(signer.key, digest)
        self.pem = self.certificate.public_bytes(Encoding.PEM).decode()
        self.key_pem = key_pem(self.key)

    def issue(self, name: str, key: Any = None, ca: bool = False) -> Made:
        """A certificate signed by this one."""
        return Made(name, self, key, ca)


def _usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(True, False, False, False, False, ca, ca, False, False)


def key_pem(key: Any, format: PrivateFormat = PrivateFormat.PKCS8, password: bytes = b"") -> str:
    """A private key as PEM."""
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, format, encryption).decode()
