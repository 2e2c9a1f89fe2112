"""
`Principal`: who an agent session or an API call acts for; the avatar of the cred portal.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """
    :ivar account_id: the account that everything it makes belongs to.
    :ivar account_name: for consoles.
    :ivar credential_id: the credential it showed, ``sshcr_…``, ``cr_…`` or ``ak_…``.
    :ivar acl: the credential's rules; empty is unrestricted.
    :ivar owner_id: the user or service user that the credential belongs to, ``usr_…`` or ``service_…``; may be empty.
    :ivar command: what runs in place of every command it asks for, as a certificate may say; else ``None``.
    :ivar proof: a hash of the token it showed, to tell whether the credential has another one by now; empty for none.
    """

    account_id: str
    account_name: str
    credential_id: str
    acl: tuple[str, ...] = ()
    owner_id: str = ""
    command: str | None = None
    proof: str = field(default="", repr=False, compare=False)
