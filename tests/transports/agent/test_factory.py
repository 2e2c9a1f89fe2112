"""Tests of `ngrok_twisted.transports.agent.factory`."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted.internet.interfaces import IProtocolFactory

from ngrok_twisted.transports.agent.factory import AgentConnectionFactory
from ngrok_twisted.transports.agent.limits import AgentLimits
from tests.transports.agent.client import FakeAgent, NotingOwner

ADDRESS = IPv4Address("TCP", "192.0.2.1", 1)
NEIGHBOUR = IPv4Address("TCP", "192.0.2.2", 1)
OTHER = IPv4Address("TCP", "198.51.100.1", 1)


class FactoryTests(SynchronousTestCase):
    """Strangers."""

    def factory(self, **limits: Any) -> AgentConnectionFactory:
        """A server."""
        self.clock = Clock()
        return AgentConnectionFactory(NotingOwner, self.clock, AgentLimits(**limits))

    def test_interface(self) -> None:
        """It is a factory as any other."""
        verifyObject(IProtocolFactory, self.factory())

    def test_network(self) -> None:
        """One network has so many connections that have not logged in; a login, or an end, makes room for another."""
        factory = self.factory(unauthenticated_per_network=1)
        agent = FakeAgent(factory, self.clock, ADDRESS)
        self.assertIsNone(factory.buildProtocol(NEIGHBOUR))
        agent.connection.logged_in(10, 15)
        again = FakeAgent(factory, self.clock, NEIGHBOUR)
        self.assertIsNone(factory.buildProtocol(ADDRESS))
        agent.lose()
        self.assertIsNone(factory.buildProtocol(ADDRESS))
        again.lose()
        self.assertIsNotNone(factory.buildProtocol(ADDRESS))

    def test_total(self) -> None:
        """So have all networks together."""
        factory = self.factory(unauthenticated_total=1)
        FakeAgent(factory, self.clock, ADDRESS)
        self.assertIsNone(factory.buildProtocol(OTHER))

    def test_shared_turn(self) -> None:
        """Connections that send in the same turn share one timed call for its end."""
        factory = self.factory()
        agents = [FakeAgent(factory, self.clock, address) for address in (ADDRESS, NEIGHBOUR, OTHER)]
        before = len(self.clock.getDelayedCalls())
        for agent in agents:
            agent.connection.probe()
        self.assertEqual(len(self.clock.getDelayedCalls()), before + 1)
