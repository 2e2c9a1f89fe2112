"""
SSH user certificates: an authority's word that a key may log in under these names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Mapping

from ngrok_twisted.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class SSHUserCertificate(Record):
    """
    :ivar ssh_certificate_authority_id: who signed it.
    :ivar public_key: the user's key, as it was sent.
    :ivar key_type: ``rsa``, ``ecdsa`` or ``ed25519``.
    :ivar principals: login names; empty for any.
    :ivar critical_options: what a server must enforce, such as ``source-address``, or else refuse the login.
    :ivar extensions: what the user may do, such as ``permit-pty``.
    :ivar valid_after: its first second, since the epoch.
    :ivar valid_until: the second at which it is not valid any more, since the epoch.
    :ivar certificate: what was signed, ``<type> <base64>``: a line of a ``-cert.pub`` file.
    """

    family: ClassVar[str] = "ssh_user_certificates"
    prefix: ClassVar[str] = "sucrt"

    ssh_certificate_authority_id: str
    public_key: str
    key_type: str
    principals: tuple[str, ...] = ()
    critical_options: Mapping[str, str] = field(default_factory=dict)
    extensions: Mapping[str, str] = field(default_factory=dict)
    valid_after: int
    valid_until: int
    certificate: str
