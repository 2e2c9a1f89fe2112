"""
Vaults and the secrets in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ngrok_twisted.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Vault(Record):
    """
    :ivar name: letters, digits, ``_``, ``/`` and ``.``; unique in the account.
    :ivar created_by: the id of the user or service user who made it.
    :ivar last_updated_by: likewise, who changed it last.
    :ivar updated_at: seconds since the epoch of the last change.
    """

    family: ClassVar[str] = "vaults"
    prefix: ClassVar[str] = "vault"

    name: str
    created_by: str = ""
    last_updated_by: str = ""
    updated_at: float = 0.0
