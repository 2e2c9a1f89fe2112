"""
`Site`: what an HTTP connection is told about the place it arrived at, and `HTTPLimits`, what a visitor may cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SECONDS = 1.0
MINUTES = 60 * SECONDS
KILOBYTE = 1024
MEGABYTE = 1024 * KILOBYTE


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPLimits:
    """
    Bounds and timeouts for one HTTP connection. Sizes are in bytes, times in seconds.

    :ivar head_bytes: request line and fields together; more is answered 431 (ngrok's documented 1 MB).
    :ivar fields: how many fields a request may have; more is answered 431. Twisted's and Apache's limits are lower.
    :ivar first_head: until the first request's head is complete, so that open connections are not free.
    :ivar idle: without a byte in either direction: between requests, in a body, while a response is not taken (ngrok's
        five minutes). A visitor that stops in the middle of a request is answered 408.
    :ivar backlog_bytes: pipelined requests and body bytes that nobody asked for yet; then reading stops.
    :ivar drain_bytes: what is read and thrown away of a request body that was answered early. Reading a little is cheaper
        than a new connection; above it the connection is closed.
    :ivar linger: how long a closing connection waits for the visitor to have read the last response (RFC 9112
        section 9.6: closing at once could make the visitor's system throw it away).
    :ivar linger_bytes: what is thrown away meanwhile.
    :ivar streams: requests that one HTTP/2 connection may have open at once, as many as RFC 9113 section 6.5.2 wants at
        least; 0: HTTP/2 is not spoken.
    """

    head_bytes: int = 1 * MEGABYTE
    fields: int = 1000
    first_head: float = 60 * SECONDS
    idle: float = 5 * MINUTES
    backlog_bytes: int = 64 * KILOBYTE
    drain_bytes: int = 256 * KILOBYTE
    linger: float = 2 * SECONDS
    linger_bytes: int = 16 * MEGABYTE
    streams: int = 100


DEFAULT_LIMITS = HTTPLimits()


class Site:
    """
    What a connection needs from whoever accepted its connection. Subclasses answer `resource_for`.

    :ivar proto: ``https`` or ``http``: how the visitor speaks.
    :ivar clock: an `IReactorTime`.
    :ivar limits: the `HTTPLimits`.
    :ivar observers: callables that get each request's `Flow` when it ends.
    :ivar random: randomness that is not for secrets; ``None`` where no HTTP/2 is spoken.
    :cvar server_name: the name in the connection's ClientHello, where there was one.
    """

    server_name: str | None = None

    __slots__ = ("proto", "clock", "limits", "observers", "random")

    def __init__(
        self,
        proto: str,
        clock: Any,
        limits: HTTPLimits = DEFAULT_LIMITS,
        observers: tuple[Any, ...] = (),
        random: Any = None,
    ) -> None:
        self.proto = proto
        self.clock = clock
        self.limits = limits
        self.observers = observers
        self.random = random

    def resource_for(self, request: Any) -> Any:
        """
        :param request: an `ngrok_twisted.edge.request.EdgeRequest` whose head is complete.
        :return: the `IResource` that answers it.
        :raises ngrok_twisted.errors.EdgeError: nobody does.
        """
        raise NotImplementedError("a Site finds resources")
