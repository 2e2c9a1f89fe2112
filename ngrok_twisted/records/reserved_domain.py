"""
Reserved domains: names, or wildcards, that belong to an account.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ngrok_twisted.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedDomain(Record):
    """
    :ivar domain: lower-case A-label form, possibly ``*.…``.
    :ivar certificate_id: an uploaded `TLSCertificate`, or empty for one from the issuer.
    :ivar region: what the owner said of it; empty, or the server's own region.
    :ivar resolves_to: what the owner said of it; the server's own region or ``global``, usually nothing.
    """

    family: ClassVar[str] = "reserved_domains"
    prefix: ClassVar[str] = "rd"

    domain: str
    certificate_id: str = ""
    region: str = ""
    resolves_to: tuple[str, ...] = ()
