"""
Tests for `ngrok_twisted.transports.ssh.hints`.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.transports.ssh import hints


class HintsTests(SynchronousTestCase):
    """`Hints`."""

    def test_once_a_day(self) -> None:
        """Each credential is told once a day."""
        clock = Clock()
        memory = hints.Hints(clock)
        self.assertEqual([memory.wanted("a"), memory.wanted("b"), memory.wanted("a")], [True, True, False])
        clock.advance(hints.PAUSE)
        self.assertTrue(memory.wanted("a"))

    def test_bound(self) -> None:
        """The oldest is forgotten when there are too many."""
        self.patch(hints, "MAX_REMEMBERED", 2)
        memory = hints.Hints(Clock())
        for name in "abc":
            memory.wanted(name)
        self.assertEqual([memory.wanted("b"), memory.wanted("c"), memory.wanted("a")], [False, False, True])
