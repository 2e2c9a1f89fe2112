"""
The authority for the certificates of Kubernetes operators: made when the first one is needed, and kept as a sealed record.

Only a listener for operators will ever trust it; visitors never meet its certificates.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Callable

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ngrok_twisted.errors import Refused
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.ids import declared_id
from ngrok_twisted.records.kubernetes_operator import OperatorAuthority

BAD_REQUEST = 19001

AUTHORITY_LIFE = timedelta(days=3652)

#: Operators ask for a new certificate 30 days before the end of the old one.
CERTIFICATE_LIFE = timedelta(days=365)

#: Certificates begin this long before they are made, for clocks that are slow.
CLOCK_SLACK = timedelta(hours=1)

#: Characters of a certificate request; one for a P-256 key has about 400.
CSR_MAX = 16 * 1024

# FIPS 186-5: the order of P-256.
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SCALAR_BYTES = 40  # 64 bits more than the order has, so that the remainder is as good as uniform
_SERIAL_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """
    :ivar certificate_pem: the certificate.
    :ivar not_before: seconds since the epoch.
    :ivar not_after: seconds since the epoch.
    """

    certificate_pem: str
    not_before: float
    not_after: float


def authority_of(records: Snapshot) -> OperatorAuthority | None:
    """The authority, if there is one by now."""
    return next(records.all(OperatorAuthority), None)


def make_authority(now: float, random_bytes: Callable[[int], bytes]) -> OperatorAuthority:
    """
    A new authority.

    :param now: seconds since the epoch.
    :param random_bytes: gives that many unguessable bytes.
    """
    scalar = int.from_bytes(random_bytes(_SCALAR_BYTES), "big") % (_ORDER - 1) + 1
    key = ec.derive_private_key(scalar, ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ngrok_twisted Kubernetes operators")])
    builder = _builder(name, name, key.public_key(), _moment(now), AUTHORITY_LIFE, random_bytes)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = builder.add_extension(identifier, critical=False).sign(key, SHA256())
    return OperatorAuthority(
        id=declared_id(OperatorAuthority.prefix, OperatorAuthority.family, ""),
        created_at=now,
        certificate_pem=_pem(certificate),
        private_key_pem=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii"),
    )


def sign(
    authority: OperatorAuthority, csr: str, operator_id: str, now: float, random_bytes: Callable[[int], bytes]
) -> Signed:
    """
    A client certificate for the key of a certificate request. Nothing else of the request counts: the certificate names the
    operator.

    :raises Refused: 19001, the request cannot be used.
    """
    public = _public_key(csr)
    issuer = x509.load_pem_x509_certificate(authority.certificate_pem.encode("ascii"))
    key: Any = load_pem_private_key(authority.private_key_pem.encode("ascii"), None)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, operator_id)])
    builder = _builder(name, issuer.subject, public, _moment(now), CERTIFICATE_LIFE, random_bytes)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    certificate = builder.add_extension(signer, critical=False).sign(key, SHA256())
    return Signed(
        certificate_pem=_pem(certificate),
        not_before=certificate.not_valid_before_utc.timestamp(),
        not_after=certificate.not_valid_after_utc.timestamp(),
    )


def _public_key(csr: str) -> ec.EllipticCurvePublicKey:
    if len(csr) > CSR_MAX:
        raise Refused(BAD_REQUEST, f"The certificate request has more than {CSR_MAX} characters.")
    try:
        request = x509.load_pem_x509_csr(csr.encode("ascii"))
        public = request.public_key()
        signed = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, InvalidSignature):
        raise Refused(BAD_REQUEST, "The certificate request is not a PKCS#10 request in PEM form.") from None
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP256R1):
        raise Refused(BAD_REQUEST, "The certificate request must be for an ECDSA key on the curve P-256.")
    if not signed:
        raise Refused(BAD_REQUEST, "The certificate request is not signed with its own key.")
    return public


def _builder(
    subject: x509.Name, issuer: x509.Name, public: Any, now: datetime, life: timedelta, random_bytes: Any
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=public)
    # RFC 5280 section 4.1.2.2: positive, and at most 20 octets.
    builder = builder.serial_number(int.from_bytes(random_bytes(_SERIAL_BYTES), "big") | 1)
    return builder.not_valid_before(now - CLOCK_SLACK).not_valid_after(now + life)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), timezone.utc)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode("ascii")
