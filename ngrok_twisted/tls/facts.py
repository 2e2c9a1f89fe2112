"""
What a certificate says of itself, in the words of ngrok's API.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ngrok_twisted.tls.pem import blocks, key_type

#: Certificates whose facts are kept, the least recently used goes first: reading one takes 0.1 ms, keeping one 2 KiB.
FACTS_MAX = 4096

#: RFC 5280 section 4.2.1.3; the last two only mean something beside ``key_agreement``.
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)
_AGREEMENT_USAGES = ("encipher_only", "decipher_only")

#: RFC 5280 section 4.2.1.12. Any other is shown as its dotted number.
_EXTENDED_USAGES = {
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "any",
    ExtendedKeyUsageOID.SERVER_AUTH: "server_auth",
    ExtendedKeyUsageOID.CLIENT_AUTH: "client_auth",
    ExtendedKeyUsageOID.CODE_SIGNING: "code_signing",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "email_protection",
    ExtendedKeyUsageOID.TIME_STAMPING: "time_stamping",
    ExtendedKeyUsageOID.OCSP_SIGNING: "ocsp_signing",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """
    Texts are empty where the certificate says nothing.

    :ivar common_name: of the subject.
    :ivar organization: of the subject.
    :ivar organizational_unit: of the subject.
    :ivar locality: of the subject.
    :ivar province: of the subject.
    :ivar country: of the subject.
    :ivar issuer_common_name: of the issuer.
    :ivar serial_number: lower-case hexadecimal.
    :ivar dns_names: the alternative names.
    :ivar ips: the alternative addresses.
    :ivar not_before: seconds since the epoch.
    :ivar not_after: seconds since the epoch.
    :ivar key_usages: what the key may be used for; nothing where the certificate does not restrict it.
    :ivar extended_key_usages: likewise.
    :ivar key_type: ``rsa``, ``ecdsa`` or ``ed25519``.
    """

    common_name: str
    organization: str
    organizational_unit: str
    locality: str
    province: str
    country: str
    issuer_common_name: str
    serial_number: str
    dns_names: tuple[str, ...]
    ips: tuple[str, ...]
    not_before: float
    not_after: float
    key_usages: tuple[str, ...]
    extended_key_usages: tuple[str, ...]
    key_type: str


@lru_cache(maxsize=FACTS_MAX)
def facts(certificate_pem: str) -> Facts:
    """
    :param certificate_pem: a bundle that was checked before. The facts are those of its first certificate.
    """
    certificate = x509.load_pem_x509_certificate(next(blocks(certificate_pem)).text.encode("ascii"))
    subject = certificate.subject
    alternatives = _extension(certificate, x509.SubjectAlternativeName)
    return Facts(
        common_name=_text(subject, NameOID.COMMON_NAME),
        organization=_text(subject, NameOID.ORGANIZATION_NAME),
        organizational_unit=_text(subject, NameOID.ORGANIZATIONAL_UNIT_NAME),
        locality=_text(subject, NameOID.LOCALITY_NAME),
        province=_text(subject, NameOID.STATE_OR_PROVINCE_NAME),
        country=_text(subject, NameOID.COUNTRY_NAME),
        issuer_common_name=_text(certificate.issuer, NameOID.COMMON_NAME),
        serial_number=f"{certificate.serial_number:x}",
        dns_names=tuple(alternatives.get_values_for_type(x509.DNSName)) if alternatives else (),
        ips=tuple(map(str, alternatives.get_values_for_type(x509.IPAddress))) if alternatives else (),
        not_before=certificate.not_valid_before_utc.timestamp(),
        not_after=certificate.not_valid_after_utc.timestamp(),
        key_usages=_usages(_extension(certificate, x509.KeyUsage)),
        extended_key_usages=_extended(_extension(certificate, x509.ExtendedKeyUsage)),
        key_type=key_type(certificate.public_key()),
    )


def _text(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    found = name.get_attributes_for_oid(oid)
    return str(found[0].value) if found else ""


def _extension(certificate: x509.Certificate, cls: Any) -> Any:
    """The extension, or ``None``: one that is broken says nothing."""
    try:
        return certificate.extensions.get_extension_for_class(cls).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return None


def _usages(usage: x509.KeyUsage | None) -> tuple[str, ...]:
    if usage is None:
        return ()
    names = _USAGES + (_AGREEMENT_USAGES if usage.key_agreement else ())
    return tuple(name for name in names if getattr(usage, name))


def _extended(usage: x509.ExtendedKeyUsage | None) -> tuple[str, ...]:
    return () if usage is None else tuple(_EXTENDED_USAGES.get(oid, oid.dotted_string) for oid in usage)
