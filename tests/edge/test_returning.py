"""
Tests for `ngrok_twisted.edge.returning`.
"""

from __future__ import annotations

import json
from typing import Any, Mapping

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.returning import HeldRequest, Returning, leaving, online
from ngrok_twisted.errors import EndpointOffline
from ngrok_twisted.tunnels import Tunnels
from tests.edge.doubles import Edge, endpoint, get
from tests.edge.wire import Wire, statuses


class Tunnel:
    """What is known of a tunnel."""

    session_id = "ts_1"
    endpoint_id = None
    numbers = iter(range(1000))

    def __init__(self, url: str | None = None, account_id: str = "ac_1", labels: Mapping[str, str] = {}) -> None:
        self.id = f"tn_{next(self.numbers)}"
        self.url, self.account_id, self.labels = url, account_id, labels


class Owner:
    """An edge."""

    def __init__(self, account_id: str) -> None:
        self.account_id = account_id


class OnlineTests(SynchronousTestCase):
    """What agents have online."""

    def test_all(self) -> None:
        """Names and ports, and how many tunnels each account has; it can be written down."""
        tunnels = [
            Tunnel("https://a.example.com:8443"),
            Tunnel("http://a.example.com"),
            Tunnel("tls://*.b.example.com", "ac_2"),
            Tunnel("tcp://tcp.example.com:20001"),
            Tunnel("https://x.internal"),
            Tunnel(None, "ac_2", {"app": "x"}),
        ]
        found = online(tunnels)
        self.assertEqual(found["urls"], ["*.b.example.com", 20001, "a.example.com", "x.internal"])
        self.assertEqual(found["accounts"], {"ac_1": 4, "ac_2": 2})
        self.assertEqual(json.loads(json.dumps(found)), found)
        self.assertEqual(online([]), {"urls": [], "accounts": {}})


class LeavingTests(SynchronousTestCase):
    """Some agents, which are about to go and to come back."""

    def test_leaving(self) -> None:
        """Visitors of theirs wait until they have come back, though they are still online; others do not."""
        tunnels, clock, gone_on = Tunnels(), Clock(), list[str]()
        mine, member = Tunnel("https://a.example.com"), Tunnel(None, "ac_2", {"app": "x"})
        for tunnel in (mine, member, Tunnel("https://b.example.com")):
            tunnels.online(tunnel)
        returning = Returning(leaving([mine, member]), tunnels, clock)
        returning.begin(5, lambda: gone_on.append("end"))
        self.assertTrue(returning.hold_name("a.example.com", Owner("ac_1"), lambda: gone_on.append("a")))
        self.assertTrue(returning.hold_name("edge.example.com", Owner("ac_2"), lambda: gone_on.append("edge")))
        self.assertFalse(returning.hold_name("b.example.com", Owner("ac_1"), lambda: gone_on.append("b")))
        for tunnel in (mine, member):
            tunnels.offline(tunnel)
        self.assertEqual(gone_on, [])
        tunnels.online(Tunnel(None, "ac_2", {"app": "x"}))
        self.assertEqual(gone_on, ["edge"])
        tunnels.online(Tunnel("https://a.example.com"))
        self.assertEqual(gone_on, ["edge", "a", "end"])


class ReturningTests(SynchronousTestCase):
    """Who is expected."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.tunnels = Tunnels()
        self.gone_on: list[str] = []
        self.ended: list[bool] = []

    def returning(self, *before: Tunnel) -> Returning:
        """After these were online."""
        made = Returning(json.loads(json.dumps(online(before))), self.tunnels, self.clock)
        made.begin(5, lambda: self.ended.append(True))
        return made

    def hold(self, returning: Returning, name: str | None, owner: Any = None) -> bool:
        """Whether somebody waits for a name; ``self.gone_on`` says when no longer."""
        return returning.hold_name(name, owner, lambda: self.gone_on.append(str(name)))

    def test_name(self) -> None:
        """Visitors of a name wait until its tunnel is there, whatever else is; others do not wait."""
        returning = self.returning(Tunnel("https://a.example.com"), Tunnel("https://b.example.com"))
        self.assertTrue(self.hold(returning, "a.example.com"))
        self.assertTrue(self.hold(returning, "a.example.com", Owner("ac_1")))
        for name in ("c.example.com", None):
            self.assertFalse(self.hold(returning, name))
        self.tunnels.online(Tunnel("https://c.example.com"))
        self.assertEqual(self.gone_on, [])
        self.tunnels.online(Tunnel("https://a.example.com:8443"))
        self.assertEqual(self.gone_on, ["a.example.com"] * 2)
        self.assertFalse(self.hold(returning, "a.example.com"))

    def test_wildcard(self) -> None:
        """A tunnel for many names is expected by visitors of each."""
        returning = self.returning(Tunnel("https://*.example.com"))
        self.assertTrue(self.hold(returning, "x.y.example.com"))
        self.assertFalse(self.hold(returning, "example.com"))
        self.tunnels.online(Tunnel("https://*.example.com"))
        self.assertEqual(self.gone_on, ["x.y.example.com"])

    def test_port(self) -> None:
        """Visitors of a port wait, too."""
        returning = self.returning(Tunnel("tcp://tcp.example.com:20001"))
        go_on = lambda: self.gone_on.append("port")
        self.assertTrue(returning.hold_port(20001, None, go_on))
        self.assertFalse(returning.hold_port(20002, None, go_on))
        self.tunnels.online(Tunnel("tcp://tcp.example.com:20001"))
        self.assertEqual(self.gone_on, ["port"])

    def test_account(self) -> None:
        """Visitors of edges and cloud endpoints wait until the account has as many tunnels as it had."""
        returning = self.returning(*(Tunnel(None, "ac_2", {"app": "x"}) for _ in range(2)), Tunnel("https://a.example"))
        self.assertTrue(self.hold(returning, "edge.example.com", Owner("ac_2")))
        self.assertTrue(returning.hold_port(20001, Owner("ac_2"), lambda: self.gone_on.append("port")))
        self.assertFalse(self.hold(returning, "edge.example.com", Owner("ac_3")))
        self.assertFalse(self.hold(returning, "api.example.com", Owner("")))
        first = Tunnel(None, "ac_2", {"app": "x"})
        self.tunnels.online(first)
        self.tunnels.offline(first)
        self.tunnels.online(first)
        self.assertEqual(self.gone_on, [])
        self.tunnels.online(Tunnel(None, "ac_2", {"app": "x"}))
        self.assertEqual(self.gone_on, ["edge.example.com", "port"])
        self.assertFalse(self.hold(returning, "edge.example.com", Owner("ac_2")))

    def test_end(self) -> None:
        """After some seconds nobody is expected any more, and everyone goes on."""
        returning = self.returning(Tunnel("https://a.example.com"))
        self.hold(returning, "a.example.com")
        self.clock.advance(4.9)
        self.assertEqual((self.gone_on, self.ended), ([], []))
        self.clock.advance(0.1)
        self.assertEqual((self.gone_on, self.ended), (["a.example.com"], [True]))
        self.assertFalse(self.hold(returning, "a.example.com"))
        self.assertEqual(self.tunnels._listeners, [])

    def test_all_back(self) -> None:
        """It is over as soon as all are back."""
        self.returning(Tunnel("https://a.example.com"), Tunnel("tcp://tcp.example.com:20001"))
        self.tunnels.online(Tunnel("tcp://tcp.example.com:20001"))
        self.assertEqual(self.ended, [])
        self.tunnels.online(Tunnel("https://a.example.com"))
        self.assertEqual((self.ended, self.clock.getDelayedCalls()), ([True], []))
        self.tunnels.online(Tunnel("https://b.example.com"))
        self.assertEqual(self.ended, [True])

    def test_broken(self) -> None:
        """One that cannot go on is logged, and does not hold up the others."""
        returning = self.returning(Tunnel("https://a.example.com"))
        returning.hold_name("a.example.com", None, lambda: 1 / 0)
        self.hold(returning, "a.example.com")
        returning.end()
        self.assertEqual(self.gone_on, ["a.example.com"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class HeldRequestTests(SynchronousTestCase):
    """Requests that wait."""

    def test_answered(self) -> None:
        """It is answered with what is found in the end, or with what is wrong."""
        events: list[Any] = []

        class Request:
            def answer_with(self, resource: Any) -> None:
                events.append(resource)

            def fail(self, failure: Any) -> None:
                events.append(type(failure.value))

        class Site:
            def resource_for(self, request: Any) -> Any:
                if not events:
                    raise EndpointOffline()
                return "resource"

        held = HeldRequest(Site(), Request())
        held.render(None)
        self.assertEqual(events, [])
        held.go_on()
        held.go_on()
        self.assertEqual(events, [EndpointOffline, "resource"])


class EdgeTests(SynchronousTestCase):
    """On the whole edge, whose visitors arrive before the agent does."""

    before = {"urls": ["app.example.com"], "accounts": {"ac_1": 1}}

    def setUp(self) -> None:
        self.edge = Edge(before=self.before)
        self.edge.serve()
        self.edge.plane.await_agents(5)

    def come_back(self) -> Any:
        """The agent is here."""
        self.edge.serve(endpoint("ep_1"), endpoint("ep_2", "http", port=80))
        self.edge.online("ep_2", url="http://other.example.com")
        return self.edge.online("ep_1", url="https://app.example.com")

    def test_https(self) -> None:
        """A visitor waits from its ClientHello on, is not read meanwhile, and is served by the agent."""
        visitor = self.edge.visit("app.example.com")
        self.assertTrue(visitor.wire.server.paused)
        self.assertFalse(visitor.inner.connected_times)
        tunnel = self.come_back()
        visitor.take()
        visitor.send(get("app.example.com", "/x"))
        self.assertIn(b"GET /x HTTP/1.1", tunnel.connection.take())

    def test_other_names(self) -> None:
        """Nobody waits for other names, nor when it is over."""
        self.assertEqual(self.edge.visit("b.example.com").ask("b.example.com"), 404)
        self.edge.reactor.advance(5)
        self.assertIsNone(self.edge.plane.returning)
        self.assertEqual(self.edge.visit("app.example.com").ask("app.example.com"), 404)

    def test_gives_up(self) -> None:
        """A visitor that has waited in vain is told so."""
        visitor = self.edge.visit("app.example.com")
        self.edge.reactor.advance(5)
        visitor.take()
        self.assertEqual(visitor.ask("app.example.com"), 404)

    def test_leaves(self) -> None:
        """A visitor that is gone by then is nobody's."""
        visitor = self.edge.visit("app.example.com")
        visitor.wire.server.lost(ConnectionDone())
        self.come_back()
        self.assertTrue(visitor.wire.server.paused)
        self.assertEqual((visitor.wire.server.writes, len(self.edge.plane.visitors)), ([], 0))

    def plain(self, host: str) -> Wire:
        """A visitor on the plain front, who asks for a name."""
        wire, channel = Wire(), self.edge.plane.plain_front.buildProtocol(None)
        channel.makeConnection(wire)
        self.addCleanup(channel.connectionLost, Failure(ConnectionDone()))
        channel.dataReceived(get(host))
        return wire

    def test_http(self) -> None:
        """A request in plain HTTP waits, too; what is asked for under another name does not."""
        wire = self.plain("app.example.com")
        self.assertEqual(statuses(self.plain("b.example.com").value()), [404])
        self.assertEqual(wire.value(), b"")
        self.edge.serve(endpoint("ep_1", "http", port=80))
        tunnel = self.edge.online("ep_1", url="http://app.example.com")
        self.assertIn(b"GET / HTTP/1.1", tunnel.connection.take())

    def test_http_in_vain(self) -> None:
        """It is answered when it has waited long enough."""
        wire = self.plain("app.example.com")
        self.edge.reactor.advance(5)
        self.assertEqual(statuses(wire.value()), [404])

    def test_stopped(self) -> None:
        """Whoever waits when the server stops is let go."""
        visitor = self.edge.visit("app.example.com")
        self.edge.plane.startService()
        self.successResultOf(self.edge.plane.stopService())
        visitor.take()
        self.assertEqual(visitor.ask("app.example.com"), 404)
        self.assertEqual([call for call in self.edge.reactor.getDelayedCalls() if call.getTime() == 5], [])

    def test_nobody(self) -> None:
        """Where nobody was online, what was open and nobody wants is closed at once."""
        closed: list[bool] = []

        class Inherited:
            def close(self) -> None:
                closed.append(True)

        edge = Edge(inherited=Inherited())
        edge.plane.await_agents(5)
        self.assertEqual((closed, edge.reactor.getDelayedCalls()), ([True], []))

    def test_online(self) -> None:
        """What is online now is what the next program is told."""
        self.come_back()
        urls = ["app.example.com", "other.example.com"]
        self.assertEqual(self.edge.plane.online(), {"urls": urls, "accounts": {"ac_1": 2}})
