"""
`Pauses`: long answers take turns, so that visitors are served in between.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.defer import Deferred


class Pauses:
    """
    Of all the calls that pause, one goes on in each turn of the reactor: however many want a long list at the same moment,
    nobody else waits longer than for a part of one of them.
    """

    def __init__(self, clock: Any) -> None:
        """
        :param clock: an ``IReactorTime``.
        """
        self._clock = clock
        self._waiting: deque[Deferred[None]] = deque()

    def __call__(self) -> Deferred[None]:
        """
        :return: a Deferred that fires with ``None`` when it is the caller's turn.
        """
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        if len(self._waiting) == 1:
            self._clock.callLater(0, self._go_on)
        return waiting

    def _go_on(self) -> None:
        waiting = self._waiting[0]
        try:
            if not waiting.called:
                waiting.callback(None)
        finally:
            self._waiting.popleft()
            if self._waiting:
                self._clock.callLater(0, self._go_on)
