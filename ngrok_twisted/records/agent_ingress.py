"""
Agent ingresses: names of an account's own under which its agents reach the server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ngrok_twisted.records.base import Record

#: What agents dial below an ingress's domain, as they do below the server's own.
CONNECT_LABEL = "connect"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentIngress(Record):
    """
    :ivar domain: lower-case A-label form; agents dial ``connect.`` below it.
    """

    family: ClassVar[str] = "agent_ingresses"
    prefix: ClassVar[str] = "agin"

    domain: str
