"""
`AgentSettings`: what the operator's configuration says that the agent protocol needs to know, beside its own block.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """
    :ivar base_domain: random names and short names are made under it.
    :ivar region: what agents are told of where the server is.
    :ivar version: of this server, told to agents.
    :ivar tcp_host: the host of public TCP addresses.
    :ivar module_kinds: the module kinds of the edge by name. Options that need others are refused.
    """

    base_domain: str = "ngrok.localhost"
    region: str = "us"
    version: str = ""
    tcp_host: str = "localhost"
    module_kinds: Mapping[str, Any] = field(default_factory=dict)
