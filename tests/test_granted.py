"""
Tests of `ngrok_twisted.granted`.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import Deferred, fail
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.claim import Claim, Grant
from ngrok_twisted.flow import Flow
from ngrok_twisted.granted import FINISH_STREAMS, Endings, GrantedTunnel
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.records.endpoint import Endpoint, Upstream
from ngrok_twisted.tunnels import Tunnels

PRINCIPAL = Principal(account_id="ac_1", account_name="Ann", credential_id="cr_1")
CLAIM = Claim(proto="tcp", metadata="m", forwards_to="f", upstream=Upstream(proxy_protocol=1))
GRANT = Grant(
    endpoint=Endpoint(id="ep_1", proto="tcp", host="h", port=5), url="tcp://h:5", session_id="ts_1", claim=CLAIM
)


class GrantedTunnelTests(SynchronousTestCase):
    """`GrantedTunnel`."""

    def setUp(self) -> None:
        """A tunnel."""
        self.tunnel = GrantedTunnel(id="tn_1", principal=PRINCIPAL, grant=GRANT, started_at=7.0)

    def test_values(self) -> None:
        """It is what its grant says."""
        tunnel = self.tunnel
        self.assertEqual((tunnel.endpoint_id, tunnel.url, tunnel.session_id), ("ep_1", "tcp://h:5", "ts_1"))
        self.assertEqual((tunnel.metadata, tunnel.forwards_to, tunnel.upstream.proxy_protocol), ("m", "f", 1))
        self.assertEqual((tunnel.account_id, tunnel.principal, tunnel.started_at), ("ac_1", PRINCIPAL, 7.0))

    def test_another_grant(self) -> None:
        """It goes on with the grant that stands in the place of its own."""
        self.tunnel.stand_on(replace(GRANT, claim=replace(CLAIM, metadata="new")))
        self.assertEqual((self.tunnel.metadata, self.tunnel.endpoint_id), ("new", "ep_1"))

    def test_labels(self) -> None:
        """Labels cannot be changed behind the back of those who found it by them."""
        labels = {"a": "b"}
        self.tunnel.stand_on(
            Grant(endpoint=None, url="", session_id="ts_1", claim=Claim(proto="labels", labels=labels))
        )
        labels["c"] = "d"
        self.assertEqual((dict(self.tunnel.labels), self.tunnel.endpoint_id), ({"a": "b"}, None))

    def test_observe(self) -> None:
        """Whoever watches hears of a flow's end; if that fails, it is logged and the flow ends all the same."""
        seen = []
        self.tunnel.when_ended = lambda tunnel, flow: seen.append(flow)
        flow = Flow("192.0.2.1", 1, "tcp", 0)
        self.tunnel.observe(flow)
        self.tunnel.when_ended = lambda tunnel, flow: 1 / 0
        self.tunnel.observe(flow)
        self.assertEqual((seen, len(self.flushLoggedErrors(ZeroDivisionError))), ([flow], 1))

    def test_streams(self) -> None:
        """Streams that are left at its end are closed, those that cannot be remembered excepted."""
        left, over = (Factory.forProtocol(Protocol).buildProtocol(None) for _ in range(2))
        assert left is not None and over is not None
        left.makeConnection(StringTransport())
        for protocol in (left, over):
            self.tunnel.remember_stream(protocol)
        self.tunnel.remember_stream(object())
        self.tunnel.abort_streams()
        self.assertTrue(left.transport.disconnecting)  # type: ignore[union-attr]

    def test_close(self) -> None:
        """To close it is for whoever made it."""
        reasons = []
        self.tunnel.when_closed = lambda tunnel, reason: reasons.append(reason)
        self.tunnel.close("because")
        self.assertEqual(reasons, ["because"])


class EndingsTests(SynchronousTestCase):
    """`Endings`."""

    def setUp(self) -> None:
        """A tunnel that is online, with a stream."""
        self.clock, self.tunnels = Clock(), Tunnels()
        self.answer: Deferred[None] = Deferred()
        self.given_back: list[Grant] = []
        self.endings = Endings(self.tunnels, self, self.clock)
        self.tunnel = GrantedTunnel(id="tn_1", principal=PRINCIPAL, grant=GRANT, started_at=7.0)
        self.tunnels.online(self.tunnel)
        stream = Protocol()
        stream.makeConnection(StringTransport())
        self.transport = stream.transport
        self.stream = stream
        self.tunnel.remember_stream(stream)

    def release(self, grant: Grant) -> Deferred[None]:
        """`IReservations`."""
        self.given_back.append(grant)
        return self.answer

    def test_take_down(self) -> None:
        """A tunnel is offline at once; its streams are closed later."""
        self.endings.take_down(self.tunnel)
        self.assertEqual(list(self.tunnels), [])
        self.clock.advance(FINISH_STREAMS - 1)
        self.assertFalse(self.transport.disconnecting)  # type: ignore[union-attr]
        self.clock.advance(1)
        self.assertTrue(self.transport.disconnecting)  # type: ignore[union-attr]
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.endings.settle()

    def test_settle(self) -> None:
        """When the connections are gone nothing is waited for."""
        self.endings.take_down(self.tunnel)
        self.endings.settle()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_give_back(self) -> None:
        """A grant is given back; where that fails, the log has it."""
        self.endings.give_back(GRANT)
        self.answer = fail(ZeroDivisionError())
        self.endings.give_back(GRANT)
        self.assertEqual((self.given_back, len(self.flushLoggedErrors(ZeroDivisionError))), ([GRANT, GRANT], 1))
