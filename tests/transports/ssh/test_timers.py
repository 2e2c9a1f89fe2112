"""
Tests for `ngrok_twisted.transports.ssh.timers`.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.transports.ssh.timers import Timers


class TimersTests(SynchronousTestCase):
    """`Timers`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.timers = Timers(self.clock)
        self.called: list[str] = []

    def start(self, name: str, seconds: float, what: str, restart: bool = True) -> None:
        """Start a call that notes what it is."""
        self.timers.start(name, seconds, lambda: self.called.append(what), restart)

    def test_restart(self) -> None:
        """A name has one call: a new one replaces it, or is passed over."""
        self.start("a", 1, "first")
        self.start("a", 2, "second")
        self.start("a", 1, "third", restart=False)
        self.clock.advance(2)
        self.assertEqual(self.called, ["second"])

    def test_again_from_within(self) -> None:
        """A call may start the next one of its name."""
        self.timers.start("a", 1, lambda: self.start("a", 1, "again"))
        self.clock.advance(1)
        self.clock.advance(1)
        self.assertEqual(self.called, ["again"])

    def test_stop(self) -> None:
        """What was stopped is not called; stopping twice does nothing."""
        for name in "abc":
            self.start(name, 1, name)
        self.timers.stop("a", "a", "unknown")
        self.timers.stop_all()
        self.assertEqual((self.clock.getDelayedCalls(), self.called), ([], []))
