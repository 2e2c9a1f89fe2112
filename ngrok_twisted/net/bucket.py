"""
`Bucket`: how much of something a peer may have at once, and how much in the long run.
"""

from __future__ import annotations

from typing import Any


class Bucket:
    """
    It begins full, is emptied by what is spent, and fills by the clock.

    :ivar left: how much there was when it was last asked.
    """

    __slots__ = ("left", "_most", "_per_second", "_clock", "_then")

    def __init__(self, clock: Any, most: float, per_second: float) -> None:
        """
        :param clock: an `IReactorTime`.
        :param most: what it begins with, and never exceeds.
        :param per_second: what comes back each second.
        """
        self.left = float(most)
        self._most = most
        self._per_second = per_second
        self._clock = clock
        self._then = clock.seconds()

    def spend(self, cost: float) -> bool:
        """
        :return: whether there was enough left. Nothing is taken otherwise.
        """
        now = self._clock.seconds()
        self.earn((now - self._then) * self._per_second)
        self._then = now
        if cost > self.left:
            return False
        self.left -= cost
        return True

    def earn(self, amount: float) -> None:
        """Something useful has happened."""
        left = self.left + amount
        self.left = left if left < self._most else self._most
