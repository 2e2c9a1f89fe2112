"""
Tests of `ngrok_twisted.transports.agent.kind`.
"""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.errors import InvalidConfig, Refused
from ngrok_twisted.interfaces import ITransportKind
from ngrok_twisted.runtime import Runtime
from ngrok_twisted.transports.agent import kind
from ngrok_twisted.transports.agent.seals import Seals
from ngrok_twisted.transports.agent.typed import StreamType
from tests.transports.agent.world import World, auth, bind

ADDRESS = IPv4Address("TCP", "192.0.2.7", 50022)


class Case(SynchronousTestCase):
    """A service, and connections to it in memory."""

    def setUp(self) -> None:
        """It runs."""
        self.world = World()
        self.service = kind.agent_service(
            kind.Config(
                max_streams=7, login_grace_seconds=11.0, max_request_bytes=5000, connect_addresses=("a.b:1", "c.d:2")
            ),
            self.world.settings,
            self.world.portal,
            self.world.reservations,
            self.world.tunnels,
            self.world.sessions,
            Runtime(reactor=self.world.clock, random=Random(1)),
            self.world.seals,
        )
        self.service.startService()

    def connect(self) -> Any:
        """An agent connects: the connection, with its owner."""
        connection: Any = self.service.factory.buildProtocol(ADDRESS)
        connection.makeConnection(StringTransport(peerAddress=ADDRESS))
        return connection

    def log_in(self, connection: Any) -> dict[str, Any]:
        """It logs in; it succeeds."""
        reply = self.successResultOf(connection._owner.request(StreamType.AUTH, auth()))
        return dict(reply.message)

    def lose(self, connection: Any) -> None:
        """The connection ends."""
        connection.connectionLost(Failure(ConnectionDone()))


class ServiceTests(Case):
    """`AgentService`."""

    def test_interface(self) -> None:
        """It is a transport kind."""
        verifyObject(ITransportKind, kind.agent)
        self.assertEqual(kind.agent.name, "agent")

    def test_alone(self) -> None:
        """It can be had with nothing but what every kind gets; then nothing is ever proven."""
        world = self.world
        service = kind.agent(
            kind.Config(),
            world.portal,
            world.reservations,
            world.tunnels,
            Runtime(reactor=world.clock, random=Random(1)),
        )
        self.service = service
        connection = self.connect()
        welcome = self.log_in(connection)
        self.assertEqual(welcome["Extra"]["Cookie"], "")
        answer = self.successResultOf(connection._owner.request(StreamType.BIND, bind())).message
        self.assertEqual(answer["Extra"]["Token"], "")
        self.assertFalse(Seals(kind._NoKeys()).knows("x", client_id="y", account_id="z"))

    def test_sessions(self) -> None:
        """It counts the agents that have logged in, as long as they are there."""
        connection, stranger = self.connect(), self.connect()
        self.assertEqual(len(self.service), 0)
        self.log_in(connection)
        self.assertEqual((len(self.service), len(self.world.sessions)), (1, 1))
        for one in (connection, stranger):
            self.lose(one)
        self.assertEqual((len(self.service), len(self.world.sessions)), (0, 0))

    def test_limits(self) -> None:
        """What the configuration bounds is bounded."""
        limits = self.connect().limits
        self.assertEqual((limits.max_streams, limits.login_grace, limits.max_request_bytes), (7, 11.0, 5000))

    def test_addresses(self) -> None:
        """Agents are told where they may open further connections."""
        told = self.log_in(self.connect())["Extra"]["ConnectAddresses"]
        self.assertEqual([address["ServerAddr"] for address in told], ["a.b:1", "c.d:2"])

    def test_drain(self) -> None:
        """While it drains, agents stay and nobody comes."""
        connection, late = self.connect(), self.connect()
        self.log_in(connection)
        self.service.drain()
        self.assertFalse(connection.transport.disconnecting)
        refused = self.failureResultOf(late._owner.request(StreamType.AUTH, auth()), Refused).value
        self.assertEqual(refused.code, 803)
        self.successResultOf(connection._owner.request(StreamType.BIND, bind()))

    def test_stop(self) -> None:
        """Stopping ends every connection, logged in or not, and waits for them."""
        connections = [self.connect(), self.connect()]
        self.log_in(connections[0])
        stopped: Deferred[Any] = self.service.stopService()
        self.assertEqual(len(self.world.sessions), 1)  # not all in this turn of the reactor
        self.world.clock.advance(0)
        self.assertEqual(len(self.world.sessions), 0)
        for connection in connections:
            self.assertNoResult(stopped)
            self.assertTrue(connection.transport.disconnecting)
            self.lose(connection)
        self.successResultOf(stopped)
        self.assertFalse(self.service.running)

    def test_stop_in_time(self) -> None:
        """An agent that does not go is not waited for without end."""
        self.connect()
        stopped = self.service.stopService()
        self.world.clock.advance(0)
        self.world.clock.advance(kind.CLOSE_TIMEOUT)
        self.successResultOf(stopped)

    def test_stop_empty(self) -> None:
        """Without agents it stops with the reactor's next turn."""
        stopped = self.service.stopService()
        self.world.clock.advance(0)
        self.successResultOf(stopped)


class ConfigTests(SynchronousTestCase):
    """`Config`."""

    def test_streams(self) -> None:
        """More streams than agents survive cannot be configured."""
        for count in (0, kind.STREAMS_MAX + 1):
            error = self.assertRaises(InvalidConfig, kind.Config, max_streams=count)
            self.assertEqual([problem.path for problem in error.problems], ["max_streams"])
        self.assertEqual(kind.Config(max_streams=kind.STREAMS_MAX).max_streams, kind.STREAMS_MAX)

    def test_binds(self) -> None:
        """An agent can be let ask for all the endpoints that it may have, whenever it comes back."""
        error = self.assertRaises(InvalidConfig, kind.Config, max_endpoints_per_session=1000, max_binds_per_minute=999)
        self.assertEqual([problem.path for problem in error.problems], ["max_binds_per_minute"])
        kind.Config(max_endpoints_per_session=1000, max_binds_per_minute=1000)

    def test_addresses(self) -> None:
        """The addresses that agents are told have a port each."""
        addresses = ("connect.example:443", "connect.example")
        error = self.assertRaises(InvalidConfig, kind.Config, connect_addresses=addresses)
        self.assertEqual([problem.path for problem in error.problems], ["connect_addresses[1]"])
