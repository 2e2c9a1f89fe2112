"""
Tests of `ngrok_twisted.observability.ended`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.flow import Flow
from ngrok_twisted.observability.ended import Ended


class EndedTests(SynchronousTestCase):
    """`Ended`."""

    def setUp(self) -> None:
        """Two observers."""
        self.clock = Clock()
        self.told: list[tuple[str, int]] = []
        self.ended = Ended((self.observer("log"), self.observer("count")), self.clock)
        self.ended.startService()

    def observer(self, name: str) -> Any:
        """One that notes what it is told."""
        return lambda flow: self.told.append((name, flow.peer_port))

    def end(self, *ports: int) -> None:
        """Flows of these visitors end."""
        for port in ports:
            Flow("192.0.2.1", port, "https", 0.0, (self.ended,)).finish(1.0)

    def test_together(self) -> None:
        """What ended in one turn is told at its end, to one observer after the other; and so it is in the next."""
        self.end(1, 2)
        self.assertEqual(self.told, [])
        self.clock.advance(0)
        self.assertEqual(self.told, [("log", 1), ("log", 2), ("count", 1), ("count", 2)])
        self.end(3)
        self.clock.advance(0)
        self.assertEqual(self.told[4:], [("log", 3), ("count", 3)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failure(self) -> None:
        """What an observer raises is logged; it is told of the other flows, and so are the others."""

        def failing(flow: Flow) -> None:
            self.told.append(("failing", flow.peer_port))
            raise ValueError("broken")

        self.ended = Ended((failing, self.observer("count")), self.clock)
        self.end(1, 2)
        self.clock.advance(0)
        self.assertEqual(self.told, [("failing", 1), ("failing", 2), ("count", 1), ("count", 2)])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)

    def test_stop(self) -> None:
        """When it is stopped it tells what is left, and from then on each flow at once."""
        self.end(1)
        self.ended.stopService()
        self.assertEqual(self.told, [("log", 1), ("count", 1)])
        self.end(2)
        self.assertEqual(self.told[2:], [("log", 2), ("count", 2)])
        self.clock.advance(0)
        self.assertEqual(len(self.told), 4)
