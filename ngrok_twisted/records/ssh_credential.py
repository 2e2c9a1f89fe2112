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
    :ivar written: the same key as its owner wrote it, to be shown again byte for byte; empty if it was ``public_key``.
    :ivar acl: rules such as ``bind:*.example.com``; empty is unrestricted.
    :ivar owner_id: the user or service user it belongs to, as it was written (``usr_…``, ``service_…`` or ``bot_…``);
        empty for the account's default user.
    :ivar last_used_at: seconds since the epoch, to the minute; 0 for never.
    """

    family: ClassVar[str] = "ssh_credentials"
    prefix: ClassVar[str] = "sshcr"

    public_key: str
    written: str = ""
    acl: tuple[str, ...] = ()
    owner_id: str = ""
    last_used_at: float = 0.0
