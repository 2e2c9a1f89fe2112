"""
``/certificate_authorities``: whose certificates visitors may show, for mutual TLS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.collection import Changes, Collection
from ngrok_twisted.control.api.shapes import Seen, Texts, TextsUpdate, timestamp
from ngrok_twisted.control.uses import called, uses_in_modules
from ngrok_twisted.errors import InvalidConfig, Refused
from ngrok_twisted.marks import EXTERNAL
from ngrok_twisted.records.base import Delete, Problem, Snapshot
from ngrok_twisted.records.certificate_authority import CertificateAuthority
from ngrok_twisted.tls.facts import facts
from ngrok_twisted.tls.pem import check_authority


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateAuthorityCreate(Texts):
    """
    :ivar ca_pem: exactly one certificate, as PEM, whose basic constraints say that it is an authority's.
    """

    ca_pem: Annotated[str, EXTERNAL]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateAuthorityView(Seen):
    """
    :ivar ca_pem: as it was uploaded.
    :ivar subject_common_name: of the subject; empty where the certificate names none.
    :ivar not_before: when it begins to be valid.
    :ivar not_after: when it ceases to be valid.
    :ivar key_usages: what the key may do; nothing where the certificate does not restrict it.
    :ivar extended_key_usages: likewise.
    """

    ca_pem: str
    subject_common_name: str
    not_before: str
    not_after: str
    key_usages: tuple[str, ...]
    extended_key_usages: tuple[str, ...]


class CertificateAuthorities(Collection[CertificateAuthority]):
    """The collection of authorities."""

    name = "certificate_authorities"
    path = "/certificate_authorities"
    list_key = "certificate_authorities"
    noun = "certificate authority"
    record = CertificateAuthority
    View = CertificateAuthorityView
    Create = CertificateAuthorityCreate
    Update = TextsUpdate
    declared_at = "certificate_authorities"
    filterable = ("id", "created_at", "description", "metadata", "subject_common_name", "not_before", "not_after")
    codes = {"description": 1914, "metadata": 1915, "ca_pem": 1919}

    def make(self, making: Making, body: Any) -> CertificateAuthority:
        """Collection."""
        found = check_authority(body.ca_pem)
        if found:
            raise InvalidConfig(Problem("ca_pem", sentence, code=code) for code, sentence in found)
        return CertificateAuthority(**self.common(making, body), ca_pem=body.ca_pem)

    def removed(self, call: Call, record: CertificateAuthority, records: Snapshot) -> Changes:
        """Collection."""
        edge = next(uses_in_modules(CertificateAuthority.family, record.id, records), None)
        if edge is not None:
            raise Refused(None, f"The edge {called(edge)} asks for its certificates: take it out there first.")
        return (Delete(CertificateAuthority, record.id),)

    def view(self, call: Call, record: CertificateAuthority) -> CertificateAuthorityView:
        """Collection."""
        said = facts(record.ca_pem)
        return CertificateAuthorityView(
            **self.seen(call, record),
            ca_pem=record.ca_pem,
            subject_common_name=said.common_name,
            not_before=timestamp(said.not_before),
            not_after=timestamp(said.not_after),
            key_usages=said.key_usages,
            extended_key_usages=said.extended_key_usages,
        )


certificate_authorities = CertificateAuthorities()
