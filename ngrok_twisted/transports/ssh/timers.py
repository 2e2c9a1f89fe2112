"""
`Timers`: named delayed calls that all end with their owner.
"""

from __future__ import annotations

from typing import Any, Callable


class Timers:
    """At most one delayed call a name."""

    __slots__ = ("_clock", "_calls")

    def __init__(self, clock: Any) -> None:
        """
        :param clock: an `IReactorTime`.
        """
        self._clock = clock
        self._calls: dict[str, Any] = {}

    @property
    def now(self) -> float:
        """Seconds on the clock."""
        return float(self._clock.seconds())

    def start(self, name: str, seconds: float, function: Callable[[], None], restart: bool = True) -> None:
        """
        Call ``function`` after some seconds.

        :param restart: whether a call of this name that is already on its way is replaced.
        """
        if name in self._calls and not restart:
            return
        self.stop(name)

        def run() -> None:
            self._forget(name)
            function()

        self._calls[name] = self._clock.callLater(seconds, run)

    def stop(self, *names: str) -> None:
        """Forget these calls."""
        for name in names:
            call = self._calls.get(name)
            if call is not None:
                self._forget(name)
                call.cancel()

    def _forget(self, name: str) -> None:
        del self._calls[name]
        if not self._calls:
            self._calls = {}  # one that has held something keeps room for more

    def stop_all(self) -> None:
        """Forget every call."""
        self.stop(*self._calls)
