"""
A certificate authority of our own, for machines that no public authority can see. Whoever trusts its certificate file
reaches every name that the edge serves without a warning.

It is not name-constrained: custom domains may be added at any time, and a constraint would turn each into a warning.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from typing import Any, Callable

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from twisted.logger import Logger
from twisted.python.filepath import FilePath
from zope.interface import implementer

from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.interfaces import ICertificateIssuer
from ngrok_twisted.records.base import Problem
from ngrok_twisted.tls.certificates import KeyPair
from ngrok_twisted.tls.pem import read_certificates, read_private_key, same_key

#: How long the authority lives. People install it by hand, so it outlives the machine.
CA_LIFE = timedelta(days=3652)

#: How long a certificate lives; browsers and Apple's systems refuse more than 398 days.
LEAF_LIFE = timedelta(days=90)

#: Certificates begin this long before they are made, for visitors whose clocks are slow.
CLOCK_SLACK = timedelta(hours=1)

#: Longest common name (RFC 5280 appendix A.1, ub-common-name).
COMMON_NAME_MAX = 64

CERTIFICATE_FILE = "ca.pem"
KEY_FILE = "ca.key"


@implementer(ICertificateIssuer)
class LocalIssuer:
    """
    :ivar name: ICertificateIssuer.
    :ivar certificate_pem: the authority's certificate, to be trusted by visitors.
    """

    name = "local"
    _log = Logger()

    def __init__(self, certificate: x509.Certificate, key: Any, clock: Any) -> None:
        """
        :param certificate: the authority's.
        :param key: its private key.
        :param clock: an `IReactorTime` whose seconds are those since the epoch.
        """
        self._certificate = certificate
        self._key = key
        self._clock = clock
        self.certificate_pem = _pem(certificate)

    @classmethod
    def open(cls, directory: FilePath, clock: Any) -> LocalIssuer:
        """
        Read the authority from its two files; make it at first start.

        :param directory: where ``ca.pem`` and ``ca.key`` are; it is made if needed.
        :raises InvalidConfig: the files cannot be used; the message says what to do.
        """
        directory.makedirs(ignoreExistingDirectory=True)
        certificate_file, key_file = directory.child(CERTIFICATE_FILE), directory.child(KEY_FILE)
        if certificate_file.exists() and not key_file.exists():
            raise _unusable(key_file, "is missing; put it back, or remove ca.pem to have a new authority made")
        if not key_file.exists():
            _write(key_file, _key_pem(ec.generate_private_key(ec.SECP256R1())), 0o600)
        key = _read(key_file, read_private_key)
        if not certificate_file.exists():
            _write(certificate_file, _pem(_make_authority(key, _now(clock))), 0o644)
            cls._log.info("a certificate authority was made: {path}", path=certificate_file.path)
        certificate = _read(certificate_file, read_certificates)[0]
        _check(certificate_file, certificate, key, _now(clock))
        return cls(certificate, key, clock)

    def issue(self, names: tuple[str, ...]) -> KeyPair:
        """ICertificateIssuer."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = _now(self._clock)
        dies = min(now + LEAF_LIFE, self._certificate.not_valid_after_utc)
        builder = _builder(_subject(names[0]), self._certificate.subject, key.public_key(), now, dies)
        for extension, critical in _leaf_extensions(names, key.public_key(), self._certificate):
            builder = builder.add_extension(extension, critical)
        return KeyPair(certificate_pem=_pem(builder.sign(self._key, SHA256())), private_key_pem=_key_pem(key))


def _make_authority(key: Any, now: datetime) -> x509.Certificate:
    """The serial in the name tells the authorities of two machines apart in a list of trusted ones."""
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ngrok_twisted"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"ngrok_twisted local CA {identifier.digest.hex()[:8]}"),
        ]
    )
    builder = _builder(name, name, key.public_key(), now, now + CA_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
    return builder.add_extension(identifier, critical=False).sign(key, SHA256())


def _builder(subject: x509.Name, issuer: x509.Name, public: Any, now: datetime, dies: datetime) -> Any:
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=public)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - CLOCK_SLACK).not_valid_after(dies)


def _leaf_extensions(names: tuple[str, ...], public: Any, authority: x509.Certificate) -> list[tuple[Any, bool]]:
    """Pairs of an extension and whether it is critical (RFC 5280 section 4.2.1.6: the SAN is, without a subject)."""
    alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
    signer = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(digital_signature=True), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (alternatives, len(names[0]) > COMMON_NAME_MAX),
        (x509.SubjectKeyIdentifier.from_public_key(public), False),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer), False),
    ]


def _alternative(name: str) -> x509.GeneralName:
    """An address is checked as one: no client compares it with names (RFC 9525 section 6.5)."""
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _subject(name: str) -> x509.Name:
    if len(name) > COMMON_NAME_MAX:
        return x509.Name([])
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(**granted: bool) -> x509.KeyUsage:
    uses = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(**{**uses, **granted})


def _check(path: FilePath, certificate: x509.Certificate, key: Any, now: datetime) -> None:
    remedy = "; remove ca.pem and ca.key to have a new authority made"
    if not same_key(certificate, key):
        raise _unusable(path, "does not belong to ca.key" + remedy)
    if not _may_sign(certificate):
        raise _unusable(path, "is not the certificate of an authority" + remedy)
    if now >= certificate.not_valid_after_utc:
        raise _unusable(path, "has expired" + remedy)


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return basic.ca


def _read(path: FilePath, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(path.getContent().decode("ascii"))
    except (OSError, ValueError) as error:
        raise _unusable(path, f"cannot be used: {error}") from None


def _write(path: FilePath, text: str, mode: int) -> None:
    """Write a whole file or none, never readable by more than ``mode`` allows."""
    temporary = path.temporarySibling()
    descriptor = os.open(temporary.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.moveTo(path)


def _unusable(path: FilePath, why: str) -> InvalidConfig:
    return InvalidConfig((Problem(path.path, why + "."),))


def _now(clock: Any) -> datetime:
    return datetime.fromtimestamp(clock.seconds(), timezone.utc).replace(microsecond=0)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode("ascii")


def _key_pem(key: Any) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
