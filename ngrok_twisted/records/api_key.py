"""
API keys: who may call the management API.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ngrok_twisted.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class APIKey(Record):
    """
    :ivar token_hash: what `ngrok_twisted.iam.tokens.token_hash` makes of the token; the token itself is kept nowhere.
    :ivar owner_id: the user or service user it belongs to, as it was written (``usr_…``, ``service_…`` or ``bot_…``);
        empty for the account's default user.
    :ivar last_used_at: seconds since the epoch, to the minute; 0 for never.
    """

    family: ClassVar[str] = "api_keys"
    prefix: ClassVar[str] = "ak"

    token_hash: str = field(repr=False)
    owner_id: str = ""
    last_used_at: float = 0.0
