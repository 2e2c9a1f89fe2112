"""
`EdgeContext`: what every edge stands on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping

from ngrok_twisted.edge.site import HTTPLimits
from ngrok_twisted.flow import Flow
from ngrok_twisted.runtime import Runtime
from ngrok_twisted.tunnels import Tunnels


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeContext:
    """
    :ivar runtime: reactor, randomness and events.
    :ivar tunnels: the live table.
    :ivar certificates: `ngrok_twisted.tls.certificates.Certificates`.
    :ivar pool: the `ngrok_twisted.upstream.pool.Pool` of all https and http edges.
    :ivar limits: bounds and timeouts of HTTP visitors.
    :ivar stream_idle: seconds without a byte after which a TLS or TCP stream is closed.
    :ivar observers: callables that get each `Flow` when it ends.
    :ivar public_ports: ``https`` and ``http`` to the port printed in URLs.
    :ivar module_kinds: module kinds by name.
    :ivar backend_kinds: backend kinds by name.
    """

    runtime: Runtime
    tunnels: Tunnels
    certificates: Any
    pool: Any
    limits: HTTPLimits
    stream_idle: float
    observers: tuple[Callable[[Flow], None], ...]
    public_ports: Mapping[str, int]
    module_kinds: Mapping[str, Any]
    backend_kinds: Mapping[str, Any]
