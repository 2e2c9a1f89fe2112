"""
Tests of `ngrok_twisted.transports.agent.gateway`.
"""

from __future__ import annotations

from typing import Any

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.authtoken_login import Authtoken
from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.transports.agent.typed import StreamType
from tests.transports.agent.world import TOKEN, World, auth, bind, visit


class SlowPortal:
    """A portal whose answer is waited for."""

    def __init__(self) -> None:
        self.asked: list[Deferred[Any]] = []

    def login(self, *arguments: Any) -> Deferred[Any]:
        """`Portal`."""
        self.asked.append(Deferred())
        return self.asked[-1]


class LoginTests(SynchronousTestCase):
    """Logins, and what goes without one."""

    def setUp(self) -> None:
        """A connection."""
        self.world = World()
        self.agent = self.world.agent(connect=False)

    def refused(self, answer: Deferred[Any]) -> Refused:
        """Why a login is refused."""
        refused: Refused = self.failureResultOf(answer, Refused).value
        return refused

    def test_welcome(self) -> None:
        """Who is let in hears so, and has to send heartbeats from now on."""
        welcome = self.agent.login()
        self.assertEqual((welcome["Version"], welcome["Error"]), ("3", ""))
        self.assertEqual((welcome["Extra"]["AccountName"], welcome["Extra"]["Region"]), ("Ann", "us"))
        self.assertEqual(welcome["Extra"]["AgentSessionID"], welcome["ClientId"])
        self.assertEqual(self.agent.connection.known, (10.0, 15.0))
        self.assertEqual(self.agent.connection.party, "ac_1")

    def test_breaks_off(self) -> None:
        """Streams to agents that are not known to tell on that a visitor has said everything are ended with care."""
        for name, late in (("a/1 ngrok-python/1.7.0 ngrok-rust/0.18.0", False), ("ngrok-go/2.1.1", True), ("", True)):
            agent = self.world.agent(connect=False)
            agent.told(agent.ask(StreamType.AUTH, auth(UserAgent=name)), True)
            self.assertEqual(agent.connection.late_fin, late, name)

    def test_former_version(self) -> None:
        """Agents of ngrok 2 are listed as such."""
        self.agent.told(self.agent.ask(StreamType.AUTH, {**auth(), "Version": ["2"]}), True)
        (session,) = self.world.clients
        self.assertEqual(session.transport, "ngrok/2")

    def test_refused(self) -> None:
        """Who is not let in hears why, and may try again."""
        for login, code in (
            (auth(token=""), 4018),
            (auth(token="x"), 105),
            ({"Version": ["1"]}, 811),
            (auth(HeartbeatInterval=1), 111),
            ({"Version": "3"}, 109),
        ):
            self.assertEqual(self.refused(self.agent.ask(StreamType.AUTH, login)).code, code)
        self.assertEqual((len(self.world.clients), self.agent.connection.known), (0, None))
        self.agent.login()

    def test_any_portal(self) -> None:
        """A portal that does not say why has its refusal passed on all the same."""
        self.patch(self.world.portal, "login", lambda *arguments: fail(UnauthorizedLogin()))
        self.assertEqual(self.refused(self.agent.ask(StreamType.AUTH, auth())).code, 107)

    def test_first(self) -> None:
        """Without a login nothing is served but the question where the server is."""
        for kind in (StreamType.BIND, StreamType.UNBIND, StreamType.START_TUNNEL_WITH_LABEL):
            self.assertRaises(Refused, self.agent.ask, kind, bind())
        self.assertEqual(self.agent.told(self.agent.ask(StreamType.SRV_INFO, {}), True), {"Region": "us"})

    def test_once(self) -> None:
        """A connection is one agent's."""
        self.agent.login()
        self.assertEqual(self.assertRaises(Refused, self.agent.ask, StreamType.AUTH, auth()).code, 109)

    def test_one_at_a_time(self) -> None:
        """Two logins at the same time are one too many."""
        self.world.portal = SlowPortal()  # type: ignore[assignment]
        agent = self.world.agent(connect=False)
        agent.ask(StreamType.AUTH, auth())
        self.assertEqual(self.assertRaises(Refused, agent.ask, StreamType.AUTH, auth()).code, 109)

    def test_lost_meanwhile(self) -> None:
        """Who leaves before the portal has spoken has no session."""
        self.world.portal = portal = SlowPortal()  # type: ignore[assignment]
        agent = self.world.agent(connect=False)
        answer = agent.ask(StreamType.AUTH, auth())
        agent.lose()
        self.refused(answer)
        self.assertTrue(portal.asked[0].called)
        self.assertEqual((len(self.world.clients), agent.gone), (0, [agent.gateway]))

    def test_going_down(self) -> None:
        """A server that is going down lets nobody in."""
        self.agent.refusal = Refused(803, "later")
        self.assertEqual(self.refused(self.agent.ask(StreamType.AUTH, auth())).code, 803)

    def test_going_down_meanwhile(self) -> None:
        """Nor does a server that began to go down while the portal was asked."""
        portal, self.world.portal = self.world.portal, SlowPortal()  # type: ignore[assignment]
        agent = self.world.agent(connect=False)
        answer = agent.ask(StreamType.AUTH, auth())
        agent.refusal = Refused(803, "later")
        let_in = self.successResultOf(portal.login(Authtoken(TOKEN), None, Principal))
        self.world.portal.asked[0].callback(let_in)  # type: ignore[attr-defined]
        self.assertEqual((self.refused(answer).code, len(self.world.clients)), (803, 0))


class ConnectionTests(SynchronousTestCase):
    """What the connection tells."""

    def setUp(self) -> None:
        """An agent that is logged in."""
        self.world = World()
        self.agent = self.world.agent()

    def test_lost(self) -> None:
        """With its connection an agent leaves."""
        self.agent.bind()
        self.agent.lose()
        self.assertEqual((len(self.world.clients), list(self.world.tunnels)), (0, []))
        self.assertEqual(self.agent.gone, [self.agent.gateway])

    def test_room(self) -> None:
        """A stream that ends makes room for a visitor who waits."""
        self.agent.bind()
        (tunnel,) = self.world.tunnels
        self.agent.connection.room = 0
        waiting = tunnel.connect(visit())
        self.assertNoResult(waiting)
        self.agent.connection.room = 1
        self.agent.gateway.room_made()
        self.successResultOf(waiting)

    def test_room_before_login(self) -> None:
        """Before the login there is nobody who could wait."""
        self.world.agent(connect=False).gateway.room_made()

    def test_unknown(self) -> None:
        """A request of a type that agents have no business with is refused."""
        self.failureResultOf(self.agent.ask(StreamType.PROXY, {}), Refused)

    def test_work_ends(self) -> None:
        """What was done is not remembered."""
        self.agent.bind()
        self.assertEqual(self.agent.leg.work, set())
