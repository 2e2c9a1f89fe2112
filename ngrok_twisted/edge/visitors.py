"""
`Visitors`: who is connected right now, so that a shutdown can let them finish.
"""

from __future__ import annotations

from typing import Any


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
