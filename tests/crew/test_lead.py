"""
Tests of `ngrok_twisted.crew.lead`.
"""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.config import Config, Timeouts
from ngrok_twisted.crew.boot import PING, READY
from ngrok_twisted.crew.lead import NUMBERS_WAIT, Alone, Lead
from ngrok_twisted.crew.sessions import ToldSessions
from ngrok_twisted.iam.sessions import Sessions
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.runtime import Runtime
from ngrok_twisted.tunnels import Tunnels
from tests.crew.agents import Session
from tests.crew.test_crew import Process, Reactor
from tests.crew.tunnels import Tunnel


class Plane:
    """An edge."""

    secure_front = "secure front"
    plain_front = "plain front"

    def __init__(self) -> None:
        self.served: list[Snapshot] = []
        self.expected: list[Any] = []

    def front_ports(self) -> list[int | None]:
        return [443, None, 80]

    def apply(self, snapshot: Snapshot) -> None:
        self.served.append(snapshot)

    def expect(self, tunnels: Any, seconds: float) -> None:
        self.expected.append((list(tunnels), seconds))


class AloneTests(SynchronousTestCase):
    """A server of one process."""

    def test_nothing(self) -> None:
        """Nothing stands in between."""
        alone, plane, factory = Alone(), Plane(), object()
        self.assertIsNone(alone.crew)
        self.assertIsNone(alone.numbers)
        self.assertEqual(alone.tickets, b"")
        self.assertIs(alone.around_port(factory), factory)
        self.assertIs(alone.around_agents("ssh", factory), factory)
        self.assertEqual((alone.secure_front(plane), alone.plain_front(plane)), ("secure front", "plain front"))
        self.assertIs(alone.published(plane), plane)
        self.assertIsNone(self.successResultOf(alone.in_force()))
        alone.govern(None, Sessions(), None, lambda id, seconds: None, lambda: None)


class LeadTests(SynchronousTestCase):
    """A server of three processes."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.tunnels = Tunnels()
        config = Config(workers=3, timeouts=Timeouts(restart=2.0, restart_return=4.0))
        self.lead = Lead(config, self.tunnels, Runtime(reactor=self.reactor, random=Random(1)))
        self.plane = Plane()
        self.control = self.lead.published(self.plane)  # type: ignore[arg-type]
        self.sessions = Sessions()
        self.lead.govern(None, self.sessions, self, lambda id, seconds: None, lambda: None)
        self.control.apply(Snapshot(5))
        self.lead.crew.start()
        self.reactor.turns()
        self.workers = self.reactor.processes
        self.there = [self.serve(process) for process in self.workers]
        self.reactor.turns()
        self.addCleanup(lambda: [process.end() for process in self.workers if process.runs])

    def serve(self, process: Process) -> ToldSessions:
        """A worker is ready."""
        sessions = ToldSessions(process.wire)
        process.wire.handlers.update(sessions.handlers())
        process.wire.send(READY)
        return sessions

    def test_boot(self) -> None:
        """Workers are told the ports on which visitors arrive, and one key for the tickets of all."""
        boots = [process.boots[0] for process in self.workers]
        self.assertEqual([boot.ports for boot in boots], [(443, 80)] * 2)
        self.assertEqual({boot.tickets for boot in boots}, {self.lead.tickets})
        self.assertGreater(len(self.lead.tickets), 16)

    def test_counts(self) -> None:
        """Each process knows how many sessions a credential has in the others, and the main one who has the fewest."""
        self.sessions.track(Session("ts_0"))
        forget = self.there[0].track(Session("ts_1"))
        self.there[0].track(Session("ts_2"))
        self.reactor.turns()
        self.assertEqual([sessions.count("c1") for sessions in (self.sessions, *self.there)], [3, 3, 3])
        self.assertEqual([self.lead._sessions_at(place) for place in (0, 1, 2, 3)], [1, 2, 0, 0])
        forget()
        self.reactor.turns()
        self.assertEqual([sessions.count("c1") for sessions in (self.sessions, *self.there)], [2, 2, 2])
        self.workers[0].wire.close()
        self.reactor.turns()
        self.assertEqual([sessions.count("c1") for sessions in (self.sessions, self.there[1])], [1, 1])

    def test_newcomer(self) -> None:
        """A worker that comes later is told of those who are there."""
        self.sessions.track(Session("ts_0"))
        self.workers[0].end()
        self.reactor.advance(1)
        self.reactor.turns()
        late = self.serve(self.workers[-1])
        self.reactor.turns()
        self.assertEqual(late.count("c1"), 1)

    def test_in_force(self) -> None:
        """Whoever changes records waits until every worker serves them."""
        done = self.lead.in_force()
        self.assertNoResult(done)
        self.reactor.turns()
        self.successResultOf(done)

    def test_numbers(self) -> None:
        """Workers are asked for their numbers; those that do not answer are left out."""
        self.workers[0].wire.handlers["numbers"] = lambda value, _: 7
        assert self.lead.numbers is not None
        asked = self.lead.numbers()
        self.reactor.turns()
        self.reactor.advance(NUMBERS_WAIT)
        self.assertEqual(self.successResultOf(asked), [7])
        self.assertIn(PING, self.workers[0].wire.handlers)

    def test_expected(self) -> None:
        """When a worker is replaced, visitors wait for the agents that are there, and for nobody else."""
        here, there = Tunnel("tn_1"), Tunnel("tn_2")
        there.place = 1  # type: ignore[attr-defined]
        self.tunnels.online(here)
        self.tunnels.online(there)
        self.lead._expect(1)
        self.assertEqual(self.plane.expected, [([there], 6.0)])
