"""
`Turns`: one after the other, for each thing that several may want at the same time.
"""

from __future__ import annotations

from typing import Any, Hashable

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

    def at(self, thing: Hashable) -> Visit:
        """
        :return: to be used in ``async with``: wait for one's turn, and have it until the block ends. Entering raises
            `Refused`, 334, when the turn does not come in time.
        """
        return Visit(self, thing)

    async def enter(self, thing: Hashable) -> None:
        """Wait for one's turn; who got it calls `leave`."""
        turn = self._turns.setdefault(thing, _Turn())
        turn.users += 1
        try:
            acquired = turn.lock.acquire()
            if not acquired.called:  # most are alone
                await acquired.addTimeout(TURN_TIMEOUT, self._clock)
        except TimeoutError:
            self._count_out(thing, turn)
            raise Refused(334, "Too many want this at the same time. Please try again later.") from None
        except BaseException:
            self._count_out(thing, turn)
            raise

    def leave(self, thing: Hashable) -> None:
        """
        Let the next one begin: not now, but when whoever had this turn has heard how it went.
        """
        turn = self._turns[thing]
        if turn.users > 1:
            self._clock.callLater(0, self._release, thing, turn)
        else:
            self._release(thing, turn)

    def _release(self, thing: Hashable, turn: _Turn) -> None:
        self._count_out(thing, turn)
        turn.lock.release()

    def _count_out(self, thing: Hashable, turn: _Turn) -> None:
        turn.users -= 1
        if not turn.users:
            del self._turns[thing]


class Visit:
    """
    One turn. (Not a generator: one of those that is dropped in mid-wait, as at the end of the process, complains.)
    """

    __slots__ = ("_turns", "_thing")

    def __init__(self, turns: Turns, thing: Hashable) -> None:
        self._turns = turns
        self._thing = thing

    async def __aenter__(self) -> None:
        await self._turns.enter(self._thing)

    async def __aexit__(self, *reason: object) -> None:
        self._turns.leave(self._thing)
