"""
`Rest`: the buffers of TLS connections that rest are given back.

A memory BIO keeps the largest buffer that it ever had, 22 KiB after a record of 16, which is more than all else that an idle
connection takes. To give one back at once would cost a busy connection five microseconds for each answer, for it grows again;
so they are looked at every few seconds.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

SECONDS = 1.0

# How often those that have grown are looked at. A busy connection loses its buffers so often, which is nothing.
PAUSE = 4 * SECONDS

# Connections that are looked at in one go, at two or three microseconds each; the others follow soon.
AT_ONCE = 500
SOON = 0.05 * SECONDS


class Rest:
    """Those of one clock."""

    __slots__ = ("_clock", "_pause", "_grown", "_call")

    def __init__(self, clock: Any, pause: float = PAUSE) -> None:
        """:param pause: seconds until those that have grown are looked at."""
        self._clock = clock
        self._pause = pause
        self._grown: dict[Any, None] = {}
        self._call: Any = None

    def note(self, connection: Any) -> None:
        """
        Buffers have grown.

        :param connection: its ``shrink`` is called later, once.
        """
        self._grown[connection] = None
        if self._call is None:
            self._call = self._clock.callLater(self._pause, self._look)

    def forget(self, connection: Any) -> None:
        """It is gone, and its memory with it."""
        if connection in self._grown:
            del self._grown[connection]
            if not self._grown:
                self._call.cancel()
                self._call = None

    def _look(self) -> None:
        self._call = None
        some = tuple(islice(self._grown, AT_ONCE))
        for connection in some:
            del self._grown[connection]
            connection.shrink()
        if self._grown and self._call is None:
            self._call = self._clock.callLater(SOON, self._look)


_rests: dict[Any, Rest] = {}


def rest_of(clock: Any) -> Rest:
    """:return: that of an `IReactorTime`."""
    rest = _rests.get(clock)
    if rest is None:
        _rests.clear()  # in a process there is one; in tests there is one after the other
        rest = _rests[clock] = Rest(clock)
    return rest
