"""
`ConnectionFacts`: what a request may ask of the connection that it came by.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.edge.bodies import RequestBodies
from ngrok_twisted.edge.site import Site


class ConnectionFacts:
    """
    The part of `ngrok_twisted.edge.channel.IRequestChannel` that only tells something.

    :ivar site: the `Site` the connection arrived at.
    :ivar transport: the visitor's.
    """

    __slots__ = ()

    site: Site
    transport: Any
    _opened: float

    def clock(self) -> Any:
        """IRequestChannel."""
        return self.site.clock

    def opened(self) -> float:
        """IRequestChannel."""
        return self._opened

    def is_secure(self) -> bool:
        """IRequestChannel."""
        return self.site.proto == "https"

    def server_name(self) -> str:
        """IRequestChannel."""
        return self.site.server_name or ""

    def get_tls(self) -> Any:
        """IRequestChannel."""
        return self.transport if hasattr(self.transport, "cipher") else None

    def get_host(self) -> Any:
        """IRequestChannel."""
        return self.transport.getHost()

    def get_peer(self) -> Any:
        """IRequestChannel."""
        return self.transport.getPeer()

    def get_peer_certificate(self) -> bytes | None:
        """IRequestChannel."""
        get = getattr(self.transport, "getPeerCertificate", None)
        return None if get is None else get()


class VisitorConnection(RequestBodies, ConnectionFacts):
    """
    A connection that is the channel of its requests.
    """

    __slots__ = ("_opened",)
