"""
`Roster`: who is here, for transports, which count their agents, and wait at the end until the last one has left.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Hashable, Iterator

from twisted.internet.defer import Deferred, TimeoutError


class Roster:
    """
    Those who have come and not left, in the order of their coming. It can be changed while one goes through it.
    """

    def __init__(self, clock: Any) -> None:
        """
        :param clock: an `IReactorTime`.
        """
        self._clock = clock
        self._here: dict[Hashable, str] = {}
        self._counts: Counter[str] = Counter()
        self._empty: Deferred[None] | None = None

    def __len__(self) -> int:
        return len(self._here)

    def __iter__(self) -> Iterator[Any]:
        return iter(tuple(self._here))

    def count(self, credential_id: str) -> int:
        """How many of them came with this credential."""
        return self._counts[credential_id]

    def arrived(self, one: Hashable, credential_id: str = "") -> None:
        """
        Somebody new is here.

        :param credential_id: what let it in; empty if nothing has yet.
        """
        self._here[one] = credential_id
        self._counts[credential_id] += 1

    def left(self, one: Hashable) -> None:
        """It has gone. Harmless when repeated."""
        credential_id = self._here.pop(one, None)
        if credential_id is None:
            return
        self._counts[credential_id] -= 1
        if not self._counts[credential_id]:
            del self._counts[credential_id]
        empty = self._empty
        if empty is not None and not self._here:
            self._empty = None
            empty.callback(None)

    async def emptied(self, seconds: float) -> int:
        """
        Wait until all have left.

        :param seconds: and no longer than this.
        :return: how many have not.
        """
        if self._here:
            self._empty = Deferred()
            try:
                await self._empty.addTimeout(seconds, self._clock)
            except TimeoutError:
                self._empty = None
        return len(self._here)
