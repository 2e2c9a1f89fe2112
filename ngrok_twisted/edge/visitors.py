"""
`Visitors`: who is connected right now, so that a shutdown can let them finish.
"""

from __future__ import annotations

from typing import Any

from twisted.python.failure import Failure

from ngrok_twisted.edge.http1 import HTTPChannel
from ngrok_twisted.edge.site import Site


class Visitors:
    """
    The open connections of visitors. Each is a protocol with ``drain()``, which ends it as soon as nothing is in flight,
    and ``abort()``, which ends it now.
    """

    def __init__(self) -> None:
        self._open: set[Any] = set()

    def __len__(self) -> int:
        return len(self._open)

    def arrived(self, protocol: Any) -> None:
        """A visitor is here."""
        self._open.add(protocol)

    def left(self, protocol: Any) -> None:
        """A visitor is gone."""
        self._open.discard(protocol)

    def drain(self) -> None:
        """Ask everyone to finish what is in flight and to leave."""
        for protocol in tuple(self._open):
            protocol.drain()

    def abort(self) -> None:
        """Send everyone away."""
        for protocol in tuple(self._open):
            protocol.abort()


class VisitorChannel(HTTPChannel):
    """An HTTP connection that is counted among the visitors."""

    __slots__ = ("_visitors",)

    def __init__(self, site: Site, visitors: Visitors) -> None:
        super().__init__(site)
        self._visitors = visitors

    def connectionMade(self) -> None:
        """IProtocol."""
        self._visitors.arrived(self)
        super().connectionMade()

    def connectionLost(self, reason: Failure) -> None:
        """IProtocol."""
        self._visitors.left(self)
        super().connectionLost(reason)

    def drain(self) -> None:
        """Finish the request in flight, then close."""
        self.shut_down()

    def abort(self) -> None:
        """Close now."""
        self.transport.abortConnection()
