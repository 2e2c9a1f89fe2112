"""
`GatewaySettings`: what the operator's configuration says that the SSH gateway needs to know.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """
    :ivar base_domain: random names and short names are made under it.
    :ivar connect_host: the host name users give to ``ssh``; printed in hints.
    :ivar connect_port: the port they reach it on; printed in hints.
    :ivar server_name: the product line of the banner.
    :ivar version: of this server, for the command ``version``.
    :ivar region: shown in the banner.
    :ivar dashboard_url: where keys are managed, or empty.
    :ivar public_ports: scheme to the port that URLs show, where it is not the usual one.
    :ivar tcp_host: the host of public TCP addresses.
    :ivar tcp_ports: the first and the last port of the TCP pool.
    :ivar allow_requested_ports: ``-R 20022:…`` may ask for a free port of the pool without a reservation.
    :ivar module_kinds: the module kinds of the edge by name. The flags of others are refused.
    :ivar require_command: refuse a forward without a command, as ngrok does.
    :ivar max_forwards: forwards of one connection at a time.
    :ivar max_sessions_per_credential: connections of one key at a time.
    """

    base_domain: str = "ngrok.localhost"
    connect_host: str = "localhost"
    connect_port: int = 22
    server_name: str = "ngrok_twisted"
    version: str = ""
    region: str = "local"
    dashboard_url: str = ""
    public_ports: Mapping[str, int] = field(default_factory=dict)
    tcp_host: str = "localhost"
    tcp_ports: tuple[int, int] = (20000, 29999)
    allow_requested_ports: bool = False
    module_kinds: Mapping[str, Any] = field(default_factory=dict)
    require_command: bool = False
    max_forwards: int = 10
    max_sessions_per_credential: int = 20
