"""
`RemoteReservations`: the reservations of the main process, as a worker asks them.
"""

from __future__ import annotations

from typing import Any, Mapping

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.claim import Claim, Grant
from ngrok_twisted.crew.wire import Handler, Wire, WireLost
from ngrok_twisted.errors import Refused
from ngrok_twisted.interfaces import IReservations

CLAIM, RELEASE, AMEND, REVOKE = "claim", "release", "amend", "revoke"

#: ngrok's number for an endpoint that is not there.
GONE = 333


@implementer(IReservations)
class RemoteReservations:
    """
    A grant is known by a number on both sides, since it is one thing in each process.
    """

    _log = Logger()

    def __init__(self, wire: Wire, sessions: Any) -> None:
        """
        :param wire: to the main process.
        :param sessions: the `ngrok_twisted.crew.sessions.ToldSessions`.
        """
        self._wire = wire
        self._sessions = sessions
        self._numbers: dict[Grant, int] = {}
        self._grants: dict[int, Grant] = {}

    def claim(self, session: Any, claim: Claim) -> Deferred[Grant]:
        """
        IReservations.

        A session that ends meanwhile cancels the Deferred; what is granted all the same is given back at once.
        """
        said = (self._sessions.number(session), session.metadata, claim)
        asked = self._wire.ask(CLAIM, said, late=lambda answer: self._wire.send(RELEASE, answer[0]))
        return asked.addCallbacks(self._note, _refused)

    def release(self, grant: Grant) -> Deferred[None]:
        """IReservations."""
        number = self._forget(grant)
        if number is None:
            return succeed(None)
        return self._wire.ask(RELEASE, number).addErrback(
            lambda failure: self._log.debug("nobody took a grant back: {reason}", reason=failure.getErrorMessage())
        )

    def amend(self, grant: Grant, claim: Claim) -> Deferred[Grant]:
        """IReservations."""
        return Deferred.fromCoroutine(self._amend(grant, claim))

    async def _amend(self, grant: Grant, claim: Claim) -> Grant:
        number = self._numbers.get(grant)
        if number is None:
            raise Refused(GONE, "There is no such endpoint any more.")
        after = await self._wire.ask(AMEND, (number, claim)).addErrback(_refused)
        if self._forget(grant) is None:  # it was taken away meanwhile
            raise Refused(GONE, "There is no such endpoint any more.")
        return self._note(after)

    def handlers(self) -> Mapping[str, Handler]:
        """What the wire to the main process needs."""
        return {REVOKE: self._revoked}

    def _revoked(self, said: tuple[int, int, str], _: int) -> None:
        session_number, number, reason = said
        grant = self._grants.get(number)
        session = self._sessions.numbered(session_number)
        if grant is not None and session is not None:
            self._forget(grant)
            session.revoke(grant, reason)

    def _note(self, answer: tuple[int, Grant]) -> Grant:
        number, grant = answer
        self._numbers[grant] = number
        self._grants[number] = grant
        return grant

    def _forget(self, grant: Grant) -> int | None:
        number = self._numbers.pop(grant, None)
        if number is not None:
            del self._grants[number]
        return number


def _refused(failure: Failure) -> Failure:
    """An agent is told of a main process that is gone as of anything else that it cannot have."""
    if failure.check(WireLost):
        raise Refused(None, "The server is being restarted. Please try again in a moment.")
    return failure
