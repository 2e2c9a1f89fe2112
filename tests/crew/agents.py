"""
A worker and its main process, with the real reservations.
"""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.defer import Deferred, succeed

from ngrok_twisted.claim import Claim, Grant
from ngrok_twisted.control.reservations import Reservations
from ngrok_twisted.crew.agents import RemoteAgents
from ngrok_twisted.crew.reservations import RemoteReservations
from ngrok_twisted.crew.sessions import ToldSessions
from ngrok_twisted.iam.sessions import Sessions
from ngrok_twisted.records.base import Snapshot
from tests.control.agents import FakeEdge, FakeSession
from tests.control.test_reservations import APP, SETTINGS
from tests.crew.wires import PairCase


class Session(FakeSession):
    """An agent session in a worker."""

    transport = "ssh"
    agent_version = "OpenSSH_9.9"
    os = "linux"
    metadata = ""
    started_at = 5.0

    def __init__(self, id: str, *more: Any) -> None:
        super().__init__(id, *more)
        self.closed: list[str] = []
        self.orders: list[tuple[str, str]] = []
        self.obeys: Any = succeed

    def close(self, reason: str) -> None:
        """IAgentSession."""
        self.closed.append(reason)

    def order(self, command: str, version: str) -> Deferred[None]:
        """IAgentSession."""
        self.orders.append((command, version))
        result: Deferred[None] = self.obeys(None)
        return result


class AgentsCase(PairCase):
    """One worker."""

    def setUp(self) -> None:
        super().setUp()
        self.reactor.advance(1_700_000_000)
        self.edge = FakeEdge()
        self.all = Sessions()
        self.reservations = Reservations(
            SETTINGS, Snapshot, self.edge.publish, self.reactor, Random(7), Random(8).randbytes
        )
        self.agents = RemoteAgents(self.to_worker, self.reservations, self.all)
        self.to_worker.handlers.update(self.agents.handlers())
        self.sessions = ToldSessions(self.to_main)
        self.remote = RemoteReservations(self.to_main, self.sessions)
        self.to_main.handlers.update({**self.sessions.handlers(), **self.remote.handlers()})

    def come(self, id: str = "ts_a", *more: Any) -> tuple[Session, Any]:
        """An agent comes; it, and what to call when it goes."""
        session = Session(id, *more)
        forget = self.sessions.track(session)
        self.turns()
        return session, forget

    def granted(self, session: Session, claim: Claim = APP) -> Grant:
        """A claim is granted."""
        asked = self.remote.claim(session, claim)
        self.turns()
        return self.successResultOf(asked)

    def seen(self) -> list[Any]:
        """The sessions of the account, as the API has them."""
        return [*self.all.of("ac_1")]
