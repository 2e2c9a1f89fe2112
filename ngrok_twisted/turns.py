"""
`Turns`: one after the other, for each thing that several may want at the same time.
"""

from __future__ import annotations

from typing import Any, Hashable

from twisted.internet.defer import Deferred, TimeoutError

from ngrok_twisted.errors import Refused

SECONDS = 1.0

#: How long a turn is waited for: a few take-overs in a row.
TURN_TIMEOUT = 30 * SECONDS


class Turns:
    """
    Queues that exist only while somebody is in them. ``thing in turns`` tells whether somebody is.
    """

    def __init__(self, clock: Any) -> None:
        """
        :param clock: an `IReactorTime`.
        """
        self._clock = clock
        # Who waits behind the one who has the turn.
        self._turns: dict[Hashable, list[Deferred[None]]] = {}

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
        waiting = self._turns.get(thing)
        if waiting is None:
            self._turns[thing] = []  # as most are alone
            return
        turn: Deferred[None] = Deferred(waiting.remove)
        waiting.append(turn)
        try:
            await turn.addTimeout(TURN_TIMEOUT, self._clock)
        except TimeoutError:
            raise Refused(334, "Too many want this at the same time. Please try again later.") from None

    def leave(self, thing: Hashable) -> None:
        """
        Let the next one begin: not now, but when whoever had this turn has heard how it went.
        """
        if self._turns[thing]:
            self._clock.callLater(0, self._next, thing)
        else:
            del self._turns[thing]

    def _next(self, thing: Hashable) -> None:
        if self._turns[thing]:
            self._turns[thing].pop(0).callback(None)
        else:
            del self._turns[thing]  # all have given up meanwhile


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
