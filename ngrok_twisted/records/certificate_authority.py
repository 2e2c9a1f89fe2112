"""
Certificate authorities whose certificates visitors may show: for mutual TLS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ngrok_twisted.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateAuthority(Record):
    """
    :ivar ca_pem: exactly one certificate, of an authority, as it was uploaded.
    """

    family: ClassVar[str] = "certificate_authorities"
    prefix: ClassVar[str] = "ca"

    ca_pem: str
