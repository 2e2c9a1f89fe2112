"""
Reserved addresses: a public TCP ``host:port`` that belongs to an account.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ngrok_twisted.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedAddr(Record):
    """
    :ivar host: the TCP host's name.
    :ivar port: the public port.
    """

    family: ClassVar[str] = "reserved_addrs"
    prefix: ClassVar[str] = "ra"

    host: str
    port: int

    @property
    def addr(self) -> str:
        """``host:port``, as agents and edges write it."""
        return f"{self.host}:{self.port}"
