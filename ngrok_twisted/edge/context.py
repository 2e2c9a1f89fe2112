"""
`EdgeContext`: what every edge stands on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Hashable, Mapping, MutableMapping
from weakref import WeakValueDictionary

from ngrok_twisted.collect import Room
from ngrok_twisted.edge.site import HTTPLimits
from ngrok_twisted.flow import Flow
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.module import Webhooks
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
    :ivar room: where request bodies are held that a module must see as a whole.
    :ivar webhooks: what modules do for providers of webhooks, beside verifying.
    :ivar kept: state of modules that outlives their edges; see `ngrok_twisted.module.ModuleContext.keep`.
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
    room: Room = field(default_factory=Room)
    webhooks: Webhooks = Webhooks()
    kept: MutableMapping[Hashable, Any] = field(default_factory=WeakValueDictionary)


def inside_of(snapshot: Snapshot, plane: Any, context: EdgeContext) -> ModuleContext:
    """
    What modules are given, but for whose they are and where they stand.

    :param plane: the `ngrok_twisted.edge.plane.EdgePlane`.
    """
    return ModuleContext(
        runtime=context.runtime,
        records=snapshot,
        internal=plane.internal_endpoint,
        room=context.room,
        webhooks=context.webhooks,
        kept=context.kept,
    )
