"""
Tests of `ngrok_twisted.transports.agent.session`.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.errors import TunnelLost
from ngrok_twisted.interfaces import IAgentSession
from tests.transports.agent.world import GONE, NOW, TOKEN, World, visit


class SessionTests(SynchronousTestCase):
    """`AgentSession`."""

    def setUp(self) -> None:
        """A server with an agent."""
        self.world = World()
        self.agent = self.world.agent()

    def test_values(self) -> None:
        """It tells what the agent said of itself."""
        session = self.agent.session
        self.assertTrue(verifyObject(IAgentSession, session))
        self.assertEqual((session.id[:3], session.id), ("ts_", self.agent.welcome["ClientId"]))
        self.assertEqual((session.transport, session.agent_version), ("ngrok/3", "ngrok-python 1.7.0"))
        self.assertEqual((session.os, session.metadata, session.started_at), ("linux", "mine", NOW))
        self.assertEqual((session.peer_host, session.principal.credential_id), ("192.0.2.7", "cr_1"))

    def test_probe(self) -> None:
        """One connection answers for itself."""
        self.successResultOf(self.agent.session.probe())
        self.agent.connection.alive = False
        asked = self.agent.session.probe()
        self.assertNoResult(asked)
        self.agent.connection.probes[-1].errback(TunnelLost())
        self.failureResultOf(asked, TunnelLost)

    def test_probe_legs(self) -> None:
        """An agent is alive if one of its connections is; the others are then not waited for."""
        other = self.agent.back(leg=1)
        self.agent.connection.alive = False
        self.successResultOf(self.agent.session.probe())
        self.assertTrue(self.agent.connection.probes[-1].called)
        other.connection.alive = False
        asked = self.agent.session.probe()
        for agent in (self.agent, other):
            self.assertNoResult(asked)
            agent.connection.probes[-1].errback(TunnelLost())
        self.failureResultOf(asked, TunnelLost)

    def test_probe_gone(self) -> None:
        """An agent without a connection is not alive."""
        session = self.agent.session
        self.agent.lose()
        self.failureResultOf(session.probe(), TunnelLost)

    def test_probe_given_up(self) -> None:
        """Nobody asks on when the answer is no longer wanted."""
        other = self.agent.back(leg=1)
        self.agent.connection.alive = other.connection.alive = False
        asked = self.agent.session.probe()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertTrue(all(agent.connection.probes[-1].called for agent in (self.agent, other)))

    def test_close(self) -> None:
        """A session that is closed is over at once: nobody comes any more, and its connections are told why."""
        self.agent.bind()
        other = self.agent.back(leg=1)
        self.agent.session.close("enough")
        self.assertEqual((len(self.world.clients), len(self.world.sessions)), (0, 0))
        self.assertEqual((list(self.world.tunnels), self.world.edge.live), ([], {}))
        for agent in (self.agent, other):
            self.assertEqual(agent.connection.closed, "enough")
            agent.gateway.lost(GONE)

    def test_revoked(self) -> None:
        """What is taken away from an agent is gone, and the agent is told; its other endpoints stay."""
        lost, kept = self.agent.bind(), self.agent.bind()
        grant = self.world.reservations.holder(lost["URL"])
        assert grant is not None
        self.world.reservations.revoke(grant, "not yours any more")
        self.assertEqual([tunnel.url for tunnel in self.world.tunnels], [kept["URL"]])
        ((kind, message),) = self.agent.connection.told
        self.assertEqual((kind, message["Id"], message["Message"]), (9, lost["Id"], "not yours any more"))

    def test_full(self) -> None:
        """Where there is no room for a visitor, a stream that is only kept for later goes, of whatever tunnel."""
        self.agent.bind()
        self.agent.bind()
        first, second = self.world.tunnels
        self.agent.connection.room, self.agent.connection.full = 0, True
        self.assertNoResult(second.connect(visit()))
        self.assertEqual(self.world.spared, [first])

    def test_last_connection(self) -> None:
        """It lasts as long as one of its connections."""
        other = self.agent.back(leg=1)
        session = self.agent.session
        self.agent.lose()
        self.assertEqual(list(self.world.clients), [session])
        other.lose()
        self.assertEqual(list(self.world.clients), [])

    def test_taken_over(self) -> None:
        """A name of a session that does not answer goes to another one of the same credential."""
        wish = {"opts": {"Hostname": "app.base.example"}}
        old = self.agent.bind(**wish)
        self.agent.connection.alive = False
        newer = self.world.agent(token=TOKEN)
        answer = newer.ask(1, {"Proto": "https", "Opts": wish["opts"]})
        self.assertNoResult(answer)
        self.world.clock.advance(3)
        self.assertEqual(newer.told(answer, True)["URL"], old["URL"])
        self.assertEqual([tunnel.session_id for tunnel in self.world.tunnels], [newer.session.id])
        self.assertEqual(self.agent.connection.told[-1][1]["Id"], old["Id"])
