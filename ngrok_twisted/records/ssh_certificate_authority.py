"""
SSH certificate authorities: keys that sign SSH certificates of hosts and users.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ngrok_twisted.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class SSHCertificateAuthority(Record):
    """
    :ivar private_key: in OpenSSH's or PEM form, without a passphrase. It never leaves the server.
    :ivar public_key: its public half, ``<type> <base64>``.
    :ivar key_type: ``rsa``, ``ecdsa`` or ``ed25519``.
    """

    family: ClassVar[str] = "ssh_certificate_authorities"
    prefix: ClassVar[str] = "sshca"

    private_key: str = field(repr=False)
    public_key: str
    key_type: str
