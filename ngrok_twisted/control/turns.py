"""
`Turns`: one after the other, for each thing that several may want at the same time.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import Any, AsyncIterator, Hashable

from twisted.internet.defer import DeferredLock, TimeoutError

from ngrok_twisted.errors import Refused

SECONDS = 1.0

#: How long a turn is waited for: a few take-overs in a row.
TURN_TIMEOUT = 30 * SECONDS


class _Turn:
    """The queue for one thing, and how many are in it."""

    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = DeferredLock()
        self.users = 0


class Turns:
    """
    Queues that exist only while somebody is in them. ``thing in turns`` tells whether somebody is.
    """

    def __init__(self, clock: Any) -> None:
        """
        :param clock: an `IReactorTime`.
        """
        self._clock = clock
        self._turns: dict[Hashable, _Turn] = {}

    def __contains__(self, thing: Hashable) -> bool:
        return thing in self._turns

    @asynccontextmanager
    async def at(self, thing: Hashable) -> AsyncIterator[None]:
        """
        Wait for one's turn, and have it until the block ends.

        :raises Refused: 334, the turn did not come in time.
        """
        turn = self._turns.setdefault(thing, _Turn())
        turn.users += 1
        try:
            await turn.lock.acquire().addTimeout(TURN_TIMEOUT, self._clock)
        except BaseException as error:
            self._leave(thing, turn)
            if isinstance(error, TimeoutError):
                raise Refused(334, "Too many want this at the same time. Please try again later.") from None
            raise
        try:
            yield
        finally:
            self._pass_on(thing, turn)

    def _pass_on(self, thing: Hashable, turn: _Turn) -> None:
        """
        Let the next one begin: not now, but when whoever had this turn has heard how it went.
        """
        if turn.users > 1:
            self._clock.callLater(0, self._release, thing, turn)
        else:
            self._release(thing, turn)

    def _release(self, thing: Hashable, turn: _Turn) -> None:
        self._leave(thing, turn)
        turn.lock.release()

    def _leave(self, thing: Hashable, turn: _Turn) -> None:
        turn.users -= 1
        if not turn.users:
            del self._turns[thing]
