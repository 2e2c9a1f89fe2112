"""
What visitors have left behind goes back to the system.
"""

from __future__ import annotations

from ctypes import CDLL
from typing import Any, Callable

from twisted.application.internet import TimerService

SECONDS = 1.0

# How often it is looked whether many have left.
TRIM_INTERVAL = 5 * SECONDS

# Connections: those over TLS take 17 KiB each, so that this is worth some milliseconds.
TRIM_AFTER = 500


class Trimming(TimerService):
    """
    Gives memory back to the system after a rush. The C library keeps what was freed between what is still in use: all of the 50
    MB that three thousand visitors over TLS took, although next to none of them is left. To return it takes a millisecond for
    each 20 MB, so that it is done when many have left, and not while as many come as go.
    """

    def __init__(self, reactor: Any, trim: Callable[[], object] | None = None) -> None:
        """
        :param reactor: an `IReactorTime` and `IReactorFDSet`.
        :param trim: gives back what is free; by default that of the C library, if it has one (malloc_trim(3)).
        """
        super().__init__(TRIM_INTERVAL, self._look)
        self.clock = reactor
        self._reactor = reactor
        self._trim = trim or _malloc_trim()
        self._most = 0

    def _look(self) -> None:
        connections = len(self._reactor.getReaders())
        self._most = max(self._most, connections)
        if self._most - connections >= TRIM_AFTER:
            self._most = connections
            self._trim()


def _malloc_trim() -> Callable[[], object]:
    try:
        trim = CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # another C library than GNU's
        return lambda: None
    return lambda: trim(0)
