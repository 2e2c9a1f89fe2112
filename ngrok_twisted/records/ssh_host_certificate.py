"""
SSH host certificates: an authority's word that a host key belongs to these names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ngrok_twisted.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class SSHHostCertificate(Record):
    """
    :ivar ssh_certificate_authority_id: who signed it.
    :ivar public_key: the host's key, as it was sent.
    :ivar key_type: ``rsa``, ``ecdsa`` or ``ed25519``.
    :ivar principals: names and addresses of the host; empty for any.
    :ivar valid_after: its first second, since the epoch.
    :ivar valid_until: the second at which it is not valid any more, since the epoch.
    :ivar certificate: what was signed, ``<type> <base64>``: a line of a ``-cert.pub`` file.
    """

    family: ClassVar[str] = "ssh_host_certificates"
    prefix: ClassVar[str] = "shcrt"

    ssh_certificate_authority_id: str
    public_key: str
    key_type: str
    principals: tuple[str, ...] = ()
    valid_after: int
    valid_until: int
    certificate: str
