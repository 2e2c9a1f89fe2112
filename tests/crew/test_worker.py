"""
Tests of `ngrok_twisted.crew.worker`: one in this process, whose main process the test plays.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from ngrok_twisted.control.config import Config, Listen
from ngrok_twisted.crew.boot import DRAIN, LEAVE, PART, READY, boot_of
from ngrok_twisted.crew.records import Published
from ngrok_twisted.crew.worker import LAST_WORDS, Worker, _InMain
from ngrok_twisted.errors import Misdirected
from ngrok_twisted.net.stalls import Stalls
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.base import Put, Snapshot
from tests.crew.test_records import Plane
from tests.crew.wires import FakeReactor, PairCase
from tests.test_draining import Visitor


class Reactor(FakeReactor):
    """One that can be stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.stops = 0
        self.stalls = Stalls()

    def stop(self) -> None:
        self.stops += 1

    def getReaders(self) -> list[Any]:
        return self.readers


class WorkerTests(PairCase):
    """`Worker`."""

    def setUp(self) -> None:
        super().setUp()
        self.reactor = self.to_main._reactor = self.to_worker._reactor = Reactor()
        self.to_main.start()
        self.to_worker.start()
        self.said: list[Any] = []
        for kind in (READY, LEAVE):
            self.to_worker.handlers[kind] = lambda value, _, kind=kind: self.said.append(kind)  # type: ignore[misc]
        config = Config(state=self.mktemp(), workers=2, listen=Listen(https=("tcp:443",), metrics=("tcp:9090",)))
        self.worker = Worker(boot_of(1, config, (443,), b"k" * 32), self.to_main, self.reactor)
        self.published = Published(Plane(), self.reactor)
        self.published.tell(self.to_worker)

    def serve(self) -> None:
        """The records are there."""
        self.published.apply(Snapshot().with_changes([Put(Account(id="ac_1"))]))
        self.turns()

    def ask(self, kind: str, seconds: float) -> Deferred[Any]:
        """The main process asks."""
        asked = self.to_worker.ask(kind, seconds)
        self.turns()
        return asked

    def test_ready(self) -> None:
        """It is ready when it serves the records, and says so once."""
        self.turns()
        self.assertEqual(self.said, [])
        self.serve()
        self.published.apply(Snapshot(7))
        self.turns()
        self.assertEqual(self.said, [READY])
        self.assertTrue(self.worker._plane.is_own_port(443))
        self.assertFalse(self.worker._plane.is_own_port(80))

    def test_leave(self) -> None:
        """Who wants it to go is told to the main process, which says when."""
        self.serve()
        self.worker.leave()
        self.turns()
        self.assertEqual((self.said, self.reactor.stops), ([READY, LEAVE], 0))

    def test_way_down(self) -> None:
        """First its visitors go, in the time that they have; then its agents, and then it ends."""
        self.serve()
        visitor = Visitor(self.worker._plane.visitors)
        drained = self.ask(DRAIN, 3.0)
        self.assertEqual(visitor.events, ["asked"])
        self.reactor.pump([0.1] * 20)
        self.turns()
        self.assertNoResult(drained)
        self.reactor.pump([0.1] * 20)
        self.turns()
        self.successResultOf(drained)
        self.assertEqual(visitor.events, ["asked", "sent away"])
        parted = self.ask(PART, 3.0)
        self.reactor.pump([0.1] * 5)
        self.turns()
        self.successResultOf(parted)
        self.assertEqual(self.reactor.stops, 0)
        self.reactor.advance(LAST_WORDS)
        self.assertEqual(self.reactor.stops, 1)

    def test_abandoned(self) -> None:
        """When the main process is gone, what was logged is written; where it has ended already, nothing is done twice."""
        stopped: list[Any] = []
        for part in self.worker._serving.parts:
            self.patch(part, "stopService", lambda part=part: stopped.append(part))
        self.serve()
        self.to_worker.close()
        self.turns()
        self.assertEqual(stopped, self.worker._serving.parts)
        self.worker._is_ended = True
        self.worker._abandoned()
        self.assertEqual(len(stopped), len(self.worker._serving.parts))

    def test_numbers(self) -> None:
        """It tells its numbers."""
        self.serve()
        asked = self.to_worker.ask("numbers")
        self.turns()
        self.assertEqual(self.successResultOf(asked).place, 1)

    def test_own_names(self) -> None:
        """Whoever asks it for one of the server's own names asks again, on another connection."""
        self.assertRaises(Misdirected, _InMain().render, None)
