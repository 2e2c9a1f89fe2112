"""
Secrets: texts in vaults, which traffic policies name and nobody reads back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ngrok_twisted.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret(Record):
    """
    :ivar vault_id: the vault it is in.
    :ivar name: letters, digits, ``_``, ``/`` and ``.``; unique in the vault.
    :ivar value: the text; sealed in stores and never shown.
    :ivar created_by: the id of the user or service user who made it.
    :ivar last_updated_by: likewise, who changed it last.
    :ivar updated_at: seconds since the epoch of the last change.
    """

    family: ClassVar[str] = "vault_secrets"
    prefix: ClassVar[str] = "secret"

    vault_id: str
    name: str
    value: str = field(repr=False)
    created_by: str = ""
    last_updated_by: str = ""
    updated_at: float = 0.0
