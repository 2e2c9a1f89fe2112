"""
Agents that are connected to a worker: `ToldSessions` in the worker tells the main process of them.

A session is known by a number that its worker has given it, since an agent may come back under the same id before the old
session is gone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import count
from typing import Any, Callable, Mapping

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.python.failure import Failure

from ngrok_twisted.crew.wire import Handler, Wire
from ngrok_twisted.errors import TunnelLost
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.iam.sessions import Sessions

BEGUN, OVER = "session", "session over"
PROBE, CLOSE, ORDER, ELSEWHERE = "probe", "close session", "order", "sessions elsewhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCard:
    """
    What another process knows of a session: see `ngrok_twisted.interfaces.IAgentSession`.

    :ivar number: what its worker calls it.
    """

    number: int
    id: str
    principal: Principal
    peer_host: str
    transport: str
    agent_version: str
    os: str
    metadata: str
    started_at: float


class ToldSessions(Sessions):
    """
    The sessions of this worker. What is decided about them is decided in the main process, but for what the records say,
    which both know.
    """

    def __init__(self, wire: Wire) -> None:
        """
        :param wire: to the main process.
        """
        super().__init__()
        self._wire = wire
        self._next = count(1)
        self._numbered: dict[int, Any] = {}
        self._numbers: dict[Any, int] = {}
        self._elsewhere: Counter[str] = Counter()

    def count(self, credential_id: str) -> int:
        """Sessions."""
        return super().count(credential_id) + self._elsewhere[credential_id]

    def number(self, session: Any) -> int:
        """
        What the main process calls a session.

        :raises KeyError: it is over.
        """
        return self._numbers[session]

    def numbered(self, number: int) -> Any:
        """The session with this number, or ``None`` if it is over."""
        return self._numbered.get(number)

    def track(self, session: Any) -> Callable[[], None]:
        """Sessions."""
        number = next(self._next)
        self._numbered[number] = session
        self._numbers[session] = number
        forget = super().track(session)
        self._wire.send(BEGUN, _card(number, session))

        def over() -> None:
            if self._numbered.pop(number, None) is not None:
                del self._numbers[session]
                self._wire.send(OVER, number)
            forget()

        return over

    def handlers(self) -> Mapping[str, Handler]:
        """What the wire to the main process needs."""
        return {PROBE: self._probe, CLOSE: self._close_numbered, ORDER: self._order, ELSEWHERE: self._count_elsewhere}

    def _probe(self, number: int, _: int) -> Deferred[None]:
        session = self._numbered.get(number)
        if session is None:
            return fail(TunnelLost())
        probed: Deferred[None] = session.probe()
        return probed.addErrback(_gone)

    def _close_numbered(self, said: tuple[int, str], _: int) -> None:
        number, reason = said
        session = self._numbered.get(number)
        if session is not None:
            self._close(session, reason)

    def _order(self, said: tuple[int, str, str], _: int) -> Deferred[None]:
        number, command, version = said
        session = self._numbered.get(number)
        return fail(TunnelLost()) if session is None else session.order(command, version)

    def _count_elsewhere(self, counts: Mapping[str, int], _: int) -> None:
        for credential_id, number in counts.items():
            self._elsewhere[credential_id] = number
            if not number:
                del self._elsewhere[credential_id]


def _gone(failure: Failure) -> Failure:
    """However a transport says that an agent is gone, it is no defect."""
    if failure.check(CancelledError):
        return failure
    raise TunnelLost()


def _card(number: int, session: Any) -> SessionCard:
    return SessionCard(
        number=number,
        id=session.id,
        principal=session.principal,
        peer_host=session.peer_host,
        transport=session.transport,
        agent_version=session.agent_version,
        os=session.os,
        metadata=session.metadata,
        started_at=session.started_at,
    )
