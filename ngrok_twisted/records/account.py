"""
Accounts: who owns what. A self-hosted server has one by default; more can be declared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ngrok_twisted.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Account(Record):
    """
    :ivar name: shown in consoles and listings.
    :ivar suspended: none of its credentials lets anybody in; what is configured is served all the same.
    """

    family: ClassVar[str] = "accounts"
    prefix: ClassVar[str] = "ac"

    name: str = ""
    suspended: bool = False
