"""
``/tls_certificates``: certificates from elsewhere. They are shown once a domain names them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.collection import Changes, Collection
from ngrok_twisted.control.api.shapes import Seen, Texts, TextsUpdate, timestamp
from ngrok_twisted.control.uses import uses_of_certificate
from ngrok_twisted.errors import InvalidConfig, Refused
from ngrok_twisted.marks import EXTERNAL
from ngrok_twisted.records.base import Delete, Problem, Snapshot
from ngrok_twisted.records.tls_certificate import TLSCertificate
from ngrok_twisted.tls.contexts import check_loads
from ngrok_twisted.tls.facts import facts
from ngrok_twisted.tls.pem import check_pair

_ATTACHED = 1966

#: Findings about the key and not about the certificate (specification of endpoints, section 8.1).
_KEY_CODES = frozenset({1901, 1902, 1903, 1923, 1924})


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSCertificateCreate(Texts):
    """
    :ivar certificate_pem: the certificate, then each of its issuers in order, as PEM; the root may be left out. Another
        such chain may follow, for another type of key: then each visitor is shown the one that it can verify.
    :ivar private_key_pem: the private key as PEM, not encrypted: RSA, ECDSA or Ed25519; one for each chain. It is never
        shown.
    """

    certificate_pem: Annotated[str, EXTERNAL]
    private_key_pem: Annotated[str, EXTERNAL] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeNames:
    """
    :ivar dns_names: names and wildcards.
    :ivar ips: IP addresses.
    """

    dns_names: tuple[str, ...]
    ips: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSCertificateView(Seen):
    """
    What is said of the certificate is said of the first one in the bundle.

    :ivar certificate_pem: as it was uploaded.
    :ivar subject_common_name: of the subject; empty where the certificate names none, as the following.
    :ivar subject_alternative_names: what it is for.
    :ivar issued_at: when the server had it issued; ``None`` for what was uploaded.
    :ivar not_before: when it begins to be valid.
    :ivar not_after: when it ceases to be valid.
    :ivar key_usages: what the key may do; nothing where the certificate does not restrict it.
    :ivar extended_key_usages: likewise.
    :ivar private_key_type: ``rsa``, ``ecdsa`` or ``ed25519``.
    :ivar issuer_common_name: of the issuer.
    :ivar serial_number: in lower-case hexadecimal.
    :ivar subject_organization: of the subject.
    :ivar subject_organizational_unit: of the subject.
    :ivar subject_locality: of the subject.
    :ivar subject_province: of the subject.
    :ivar subject_country: of the subject.
    """

    certificate_pem: str
    subject_common_name: str
    subject_alternative_names: AlternativeNames
    issued_at: str | None = None
    not_before: str
    not_after: str
    key_usages: tuple[str, ...]
    extended_key_usages: tuple[str, ...]
    private_key_type: str
    issuer_common_name: str
    serial_number: str
    subject_organization: str
    subject_organizational_unit: str
    subject_locality: str
    subject_province: str
    subject_country: str


class TLSCertificates(Collection[TLSCertificate]):
    """The collection of certificates."""

    name = "tls_certificates"
    path = "/tls_certificates"
    list_key = "tls_certificates"
    noun = "TLS certificate"
    record = TLSCertificate
    View = TLSCertificateView
    Create = TLSCertificateCreate
    Update = TextsUpdate
    declared_at = "tls_certificates"
    filterable = (
        "id",
        "created_at",
        "description",
        "metadata",
        "subject_common_name",
        "not_after",
        "not_before",
        "serial_number",
    )
    codes = {"": 1965, "description": 1916, "metadata": 1917, "certificate_pem": 1922, "private_key_pem": 1901}

    def make(self, making: Making, body: Any) -> TLSCertificate:
        """Collection."""
        found = check_pair(body.certificate_pem, body.private_key_pem)
        found = found or check_loads(body.certificate_pem, body.private_key_pem)
        if found:
            raise InvalidConfig(Problem(_field(code), sentence, code=code) for code, sentence in found)
        return TLSCertificate(
            **self.common(making, body), certificate_pem=body.certificate_pem, private_key_pem=body.private_key_pem
        )

    def removed(self, call: Call, record: TLSCertificate, records: Snapshot) -> Changes:
        """Collection."""
        domain = next(uses_of_certificate(record.id, records), None)
        if domain is not None:
            message = f"The certificate is attached to {domain.domain}: detach it there first, or attach another."
            raise Refused(_ATTACHED, message)
        return (Delete(TLSCertificate, record.id),)

    def view(self, call: Call, record: TLSCertificate) -> TLSCertificateView:
        """Collection."""
        said = facts(record.certificate_pem)
        return TLSCertificateView(
            **self.seen(call, record),
            certificate_pem=record.certificate_pem,
            subject_common_name=said.common_name,
            subject_alternative_names=AlternativeNames(dns_names=said.dns_names, ips=said.ips),
            not_before=timestamp(said.not_before),
            not_after=timestamp(said.not_after),
            key_usages=said.key_usages,
            extended_key_usages=said.extended_key_usages,
            private_key_type=said.key_type,
            issuer_common_name=said.issuer_common_name,
            serial_number=said.serial_number,
            subject_organization=said.organization,
            subject_organizational_unit=said.organizational_unit,
            subject_locality=said.locality,
            subject_province=said.province,
            subject_country=said.country,
        )


def _field(code: int) -> str:
    return "private_key_pem" if code in _KEY_CODES else "certificate_pem"


tls_certificates = TLSCertificates()
