"""
Tests of `ngrok_twisted.draining`; those of `ngrok_twisted.server` show how it is used.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.draining import GREETING, Draining
from ngrok_twisted.edge.visitors import Visitors


class Visitor:
    """A visitor, who says when it leaves."""

    lingering = False
    transport = None

    def __init__(self, visitors: Visitors, arriving: bool = False) -> None:
        self.arriving = arriving
        self.events: list[str] = []
        visitors.arrived(self)

    def shut_down(self) -> None:
        self.events.append("asked")

    def abort(self) -> None:
        self.events.append("sent away")


class Plane:
    """An edge."""

    def __init__(self) -> None:
        self.visitors = Visitors()


class DrainingTests(SynchronousTestCase):
    """`Draining`."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.plane = Plane()
        self.draining = Draining(self.reactor, self.plane)

    def start(self, work: Any) -> Deferred[None]:
        """Begin something."""
        return Deferred.fromCoroutine(work)

    def test_greeting(self) -> None:
        """Whoever has just come may say what it wants, for a moment; the others are asked to leave."""
        new, old = Visitor(self.plane.visitors, True), Visitor(self.plane.visitors)
        done = self.start(self.draining.greet())
        self.reactor.advance(GREETING / 2)
        self.assertNoResult(done)
        self.assertEqual((new.events, old.events), ([], ["asked"]))
        self.reactor.advance(GREETING)
        self.successResultOf(done)

    def test_drain(self) -> None:
        """Visitors are waited for, and then sent away."""
        visitor = Visitor(self.plane.visitors)
        done = self.start(self.draining.drain(lambda: not self.plane.visitors, 3.0, 0.1))
        self.reactor.pump([0.1] * 29)
        self.assertNoResult(done)
        self.assertEqual(visitor.events, ["asked"])
        self.reactor.pump([0.1] * 2)
        self.successResultOf(done)
        self.assertEqual(visitor.events, ["asked", "sent away"])

    def test_until(self) -> None:
        """What is true is not waited for."""
        self.successResultOf(self.start(self.draining.until(lambda: True, 3.0, 0.1)))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
