"""
IP restrictions: who may reach a whole account, by IP policies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ngrok_twisted.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class IPRestriction(Record):
    """
    At most one of each type in an account.

    :ivar type: what is restricted: ``endpoints`` (every public endpoint and edge), ``api`` (the management API), ``agent``
        (the sessions of agents) or ``dashboard`` (kept, and without effect while this server has no dashboard).
    :ivar ip_policy_ids: the policies whose rules count together.
    :ivar enforced: whoever is not admitted is turned away; otherwise it is only logged.
    """

    family: ClassVar[str] = "ip_restrictions"
    prefix: ClassVar[str] = "ipx"

    type: Literal["dashboard", "api", "agent", "endpoints"]
    ip_policy_ids: tuple[str, ...]
    enforced: bool = False
