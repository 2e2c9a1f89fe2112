"""
Tests of `ngrok_twisted.transports.agent.allowance`.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.transports.agent.allowance import Allowance
from ngrok_twisted.transports.agent.limits import AgentLimits


class AllowanceTests(SynchronousTestCase):
    """What one connection may do."""

    def setUp(self) -> None:
        """A stranger with small limits."""
        self.clock = Clock()
        limits = AgentLimits(
            strangers_opened=3, strangers_bytes=100, strangers_requests=2, opened_at_once=10, opened_per_second=1
        )
        self.allowance = Allowance(self.clock, limits)

    def test_strangers_bytes(self) -> None:
        """A stranger may send so many bytes; an agent as many as it likes."""
        self.assertTrue(self.allowance.may_send(60))
        self.assertTrue(self.allowance.may_send(40))
        self.assertFalse(self.allowance.may_send(1))
        self.allowance.let_in()
        self.assertTrue(self.allowance.may_send(10**9))

    def test_strangers_requests(self) -> None:
        """A stranger may ask so often, all in all; an agent as often as it likes."""
        self.assertEqual([self.allowance.may_ask() for _ in range(4)], [True, True, False, False])
        self.allowance.let_in()
        self.assertTrue(self.allowance.may_ask())

    def test_strangers_streams(self) -> None:
        """A stranger may open so many streams, and gets no more by waiting."""
        self.assertTrue(self.allowance.may_open(3))
        self.assertTrue(self.allowance.may_open(3))
        self.clock.advance(1000)
        self.assertFalse(self.allowance.may_open(4))

    def test_streams(self) -> None:
        """An agent may open many in one go, and later as many as the time allows; those before its login are forgotten."""
        self.allowance.may_open(2)
        self.allowance.let_in()
        self.assertTrue(self.allowance.may_open(12))
        self.assertFalse(self.allowance.may_open(13))
        self.clock.advance(4)
        self.assertTrue(self.allowance.may_open(17))
        self.assertFalse(self.allowance.may_open(18))
