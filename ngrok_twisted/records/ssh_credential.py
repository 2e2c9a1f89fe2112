"""
SSH credentials: a public key that may connect, and what it may bind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ngrok_twisted.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class SSHCredential(Record):
    """
    :ivar public_key: an OpenSSH ``authorized_keys`` line without options or comment: ``<type> <base64>``.
    :ivar acl: rules such as ``bind:*.example.com``; empty is unrestricted.
    :ivar owner_id: the user or bot it belongs to, possibly empty.
    """

    family: ClassVar[str] = "ssh_credentials"
    prefix: ClassVar[str] = "sshcr"

    public_key: str
    acl: tuple[str, ...] = ()
    owner_id: str = ""
