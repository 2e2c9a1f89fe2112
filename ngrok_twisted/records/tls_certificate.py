"""
TLS certificates that were uploaded or declared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ngrok_twisted.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSCertificate(Record):
    """
    :ivar certificate_pem: the bundle: leaf first, then each issuer in order; possibly one such chain a type of key.
    :ivar private_key_pem: the key of each leaf, not encrypted; sealed by the store.
    """

    family: ClassVar[str] = "tls_certificates"
    prefix: ClassVar[str] = "cert"

    certificate_pem: str
    private_key_pem: str = field(repr=False)
