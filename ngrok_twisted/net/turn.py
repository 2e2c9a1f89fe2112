"""
`Turn`: what is to be done once at the end of this turn of the reactor.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable

from twisted.logger import Logger


class Turn:
    """
    One timed call serves all connections that share a turn, so that what they send in small pieces leaves in one write each.
    """

    _log = Logger()
    __slots__ = ("_soon", "_due")

    def __init__(self, clock: Any) -> None:
        """:param clock: an `IReactorTime`."""
        self._soon = soon_of(clock)
        self._due: list[Callable[[], object]] = []

    def later(self, call: Callable[[], object]) -> None:
        """Call ``call`` at the end of the turn. What it raises is logged."""
        if not self._due:
            self._soon(self._run)
        self._due.append(call)

    def _run(self) -> None:
        due, self._due = self._due, []
        for call in due:
            try:
                call()
            except Exception:
                self._log.failure("a connection failed at the end of the turn")


def soon_of(clock: Any) -> Callable[[Callable[[], object]], object]:
    """
    :param clock: an `IReactorTime`.
    :return: has something called when what happens now is over: `ngrok_twisted.net.reactor.LeanEPollReactor.soon`, or a
        timed call where the reactor is another one.
    """
    soon: Callable[[Callable[[], object]], object] | None = getattr(clock, "soon", None)
    return partial(clock.callLater, 0) if soon is None else soon
