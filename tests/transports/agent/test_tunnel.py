"""
Tests of `ngrok_twisted.transports.agent.tunnel`.
"""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.errors import EdgeError, Overloaded, TunnelLost
from ngrok_twisted.flow import Flow
from ngrok_twisted.granted import FINISH_STREAMS
from ngrok_twisted.interfaces import ITunnel
from tests.transports.agent.world import NOW, World, visit


def told(header: bytes) -> dict[str, Any]:
    """What an agent reads of a visitor."""
    found: dict[str, Any] = json.loads(header[12:])
    return found


class TunnelTests(SynchronousTestCase):
    """`AgentTunnel`."""

    def setUp(self) -> None:
        """A server with an agent."""
        self.world = World()
        self.agent = self.world.agent()

    def tunnel(self, **wish: Any) -> Any:
        """A tunnel that is online."""
        self.answer = self.agent.bind(**wish)
        return self.world.tunnels.get(self.answer["Id"])

    def header(self, tunnel: Any, *visitor: Any, **more: Any) -> dict[str, Any]:
        """What the agent reads of a visitor who comes."""
        self.successResultOf(tunnel.connect(visit(*visitor, **more)))
        return told(self.agent.connection.opened[-1])

    def test_values(self) -> None:
        """It tells whose it is and what it serves."""
        tunnel = self.tunnel(opts={"Hostname": "app.base.example", "ProxyProto": 2})
        self.assertTrue(verifyObject(ITunnel, tunnel))
        self.assertEqual((tunnel.account_id, tunnel.url, tunnel.labels), ("ac_1", "https://app.base.example", {}))
        self.assertEqual((tunnel.session_id, tunnel.started_at), (self.agent.welcome["ClientId"], NOW))
        self.assertEqual((tunnel.metadata, tunnel.forwards_to), ("m", "http://127.0.0.1:8000/"))
        self.assertEqual(tunnel.upstream.proxy_protocol, 2)
        self.assertEqual(tunnel.id.removeprefix("tn_"), tunnel.endpoint_id.removeprefix("ep_"))

    def test_endpoint(self) -> None:
        """The agent reads which endpoint is meant, who visits it, and the protocol of its bind."""
        tunnel = self.tunnel()
        self.assertEqual(
            self.header(tunnel, "2001:db8::7", 5),
            {
                "Id": self.answer["Id"],
                "ClientAddr": "[2001:db8::7]:5",
                "Proto": "https",
                "EdgeType": "0",
                "PassthroughTLS": False,
            },
        )

    def test_tls(self) -> None:
        """The agent reads whether it gets the visitor's own TLS."""
        self.assertTrue(self.header(self.tunnel(proto="tls"))["PassthroughTLS"])
        self.assertFalse(self.header(self.tunnel(proto="tcp"))["PassthroughTLS"])

    def test_labelled(self) -> None:
        """Of a labelled tunnel the agent reads through which edge the visitor comes."""
        tunnel = self.world.tunnels.get(self.agent.label()["Id"])
        self.assertEqual((tunnel.endpoint_id, tunnel.url, tunnel.labels), (None, "", {"a": "b"}))
        header = self.header(tunnel, proto="tls", edge=SimpleNamespace(terminates=False))
        self.assertEqual((header["Proto"], header["EdgeType"], header["PassthroughTLS"]), ("tls", "2", True))
        header = self.header(tunnel, proto="https", edge=SimpleNamespace())
        self.assertEqual((header["Proto"], header["EdgeType"], header["PassthroughTLS"]), ("https", "3", False))

    def test_nobody(self) -> None:
        """Without a visitor, as for a check, nobody visits."""
        self.successResultOf(self.tunnel().connect(Factory.forProtocol(Protocol)))
        self.assertEqual(told(self.agent.connection.opened[-1])["ClientAddr"], "0.0.0.0:0")

    def test_watched(self) -> None:
        """Streams that begin, flows that end and dials that fail are told of."""
        tunnel, seen = self.tunnel(proto="tcp"), []
        tunnel.when_opened = lambda tunnel, flow: seen.append("opened")
        tunnel.when_ended = lambda tunnel, flow: seen.append("ended")
        tunnel.when_failed = lambda tunnel, error: seen.append(type(error))
        self.header(tunnel, proto="tcp")
        tunnel.observe(Flow("192.0.2.1", 1, "tcp", 0))
        self.agent.connection.room = 0
        waiting = tunnel.connect(visit(proto="tcp"))
        self.world.clock.advance(60)
        self.failureResultOf(waiting, EdgeError)
        self.assertEqual(seen, ["opened", "ended", Overloaded])

    def test_crowded(self) -> None:
        """It is crowded while somebody waits, be it for another tunnel of the same agent."""
        one, other = self.tunnel(), self.tunnel()
        self.agent.connection.room, self.agent.connection.full = 0, True
        waiting = one.connect(visit())
        self.assertEqual((one.crowded, other.crowded), (True, True))
        self.agent.connection.room = 1
        self.agent.gateway.room_made()
        self.successResultOf(waiting)
        self.assertEqual((one.crowded, other.crowded), (False, False))

    def test_over(self) -> None:
        """After its end it opens no stream, and those who wait for one hear of it."""
        tunnel = self.tunnel()
        self.agent.connection.room = 0
        waiting = tunnel.connect(visit())
        self.agent.unbind(self.answer["Id"])
        self.failureResultOf(waiting, TunnelLost)
        self.failureResultOf(tunnel.connect(visit()), TunnelLost)

    def test_last_streams(self) -> None:
        """Streams that are open at its end may go on for a while."""
        tunnel = self.tunnel()
        protocol = self.successResultOf(tunnel.connect(visit()))
        protocol.makeConnection(StringTransport())
        self.agent.unbind(self.answer["Id"])
        self.world.clock.advance(FINISH_STREAMS - 1)
        self.assertFalse(protocol.transport.disconnecting)
        self.world.clock.advance(1)
        self.assertTrue(protocol.transport.disconnecting)

    def test_close(self) -> None:
        """Whoever takes it away from the agent has the agent told why."""
        self.tunnel().close("because")
        self.assertEqual((list(self.world.tunnels), self.world.edge.live), ([], {}))
        ((kind, message),) = self.agent.connection.told
        self.assertEqual((kind, message["Id"], message["Message"]), (9, self.answer["Id"], "because"))
