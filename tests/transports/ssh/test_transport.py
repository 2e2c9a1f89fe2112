"""Tests of `ngrok_twisted.transports.ssh.transport`."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.transports.ssh.transport import IDENTIFICATION, SSHLimits, SSHServerFactory
from tests.transports.ssh.client import ScriptedClient, key
from tests.transports.ssh.gateways import RecordingGateway, portal_for


class FactoryTests(SynchronousTestCase):
    """Strangers."""

    def factory(self, **limits: Any) -> SSHServerFactory:
        """A server."""
        return SSHServerFactory(
            portal_for(key("user")), [key("host")], RecordingGateway, SSHLimits(**limits), Clock(), lambda *_: ""
        )

    def test_identification(self) -> None:
        """It is what RFC 4253 section 4.2 allows."""
        self.assertRegex(IDENTIFICATION, rb"\ASSH-2\.0-[!-,.-~]+\Z")

    def test_total(self) -> None:
        """So many connections may be without a login; a later one is let in when one of them ends."""
        factory = self.factory(unauthenticated_total=2)
        first = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        self.assertIsNotNone(factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 2)))
        self.assertIsNone(factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 3)))
        assert first is not None
        first.makeConnection(StringTransport())
        first.connectionLost()
        self.assertIsNotNone(factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 4)))

    def test_network(self) -> None:
        """One network cannot take all the places."""
        factory = self.factory(unauthenticated_per_network=2)
        for family, hosts, other in (
            (IPv4Address, ("192.0.2.1", "192.0.2.200", "192.0.2.9"), "198.51.100.1"),
            (IPv6Address, ("2001:db8:1::1", "2001:db8:1:2::1", "2001:db8:1:3::"), "2001:db8:2::1"),
        ):
            built = [factory.buildProtocol(family("TCP", host, 1)) is not None for host in hosts]
            self.assertEqual(built, [True, True, False])
            self.assertIsNotNone(factory.buildProtocol(family("TCP", other, 1)))

    def test_logged_in(self) -> None:
        """A client that has logged in is no stranger, and its end counts nobody twice."""
        client = ScriptedClient(unauthenticated_per_network=1).login()
        address = IPv4Address("TCP", "192.0.2.8", 1)
        self.assertIsNotNone(client.factory.buildProtocol(address))
        client.lose()
        self.assertIsNone(client.factory.buildProtocol(address))
