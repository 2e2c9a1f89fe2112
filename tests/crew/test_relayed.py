"""
Tests of `ngrok_twisted.crew.relayed`.
"""

from __future__ import annotations

import pickle
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from zope.interface.verify import verifyObject

from ngrok_twisted.crew.frames import NO_DESCRIPTOR
from ngrok_twisted.crew.relay import dial
from ngrok_twisted.crew.relayed import Call, Relays, Visitor
from ngrok_twisted.errors import Overloaded, TunnelLost, UpstreamUnreachable
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IFlowFactory
from ngrok_twisted.tunnels import Tunnels
from tests.crew.test_relay import Building
from tests.crew.tunnels import Tunnel
from tests.net.loop import LoopCase
from tests.net.test_eager import BIG, HalfCloseable, Pushing

VISITOR = Visitor("192.0.2.1", 50000, "tcp", "app.example.com", True)


class RelaysTests(LoopCase):
    """Another process, ``self.near``, calls a tunnel of this one, behind which is ``self.service``."""

    def setUp(self) -> None:
        super().setUp()
        self.tunnels = Tunnels()
        self.tunnel = Tunnel()
        self.tunnels.online(self.tunnel)
        self.relays = Relays(self.tunnels, self.reactor)
        self.near, self.service = HalfCloseable(), HalfCloseable()

    def call(self, tunnel_id: str = "tn_1", visitor: Visitor | None = VISITOR) -> Any:
        """Dial as the other process does."""
        return dial(Building(self.near), self.reactor, lambda end: self.relays.answer(Call(tunnel_id, visitor), end))

    def joined(self) -> Any:
        """A call that was connected; gives the side of the tunnel."""
        opening = self.call()
        side = self.tunnel.succeed(self.service, self.reactor)
        self.until(lambda: self.near.transport)
        self.successResultOf(opening)
        return side

    def test_visitor(self) -> None:
        """The tunnel is told of the visitor all that the other process knows."""
        self.call(visitor=pickle.loads(pickle.dumps(VISITOR)))
        (flow,) = self.tunnel.dialled
        assert flow is not None
        self.assertEqual(
            (flow.peer_host, flow.peer_port, flow.proto, flow.host, flow.edge.terminates),
            ("192.0.2.1", 50000, "tcp", "app.example.com", True),
        )
        verifyObject(IFlowFactory, self.tunnel.factories[0])

    def test_of_a_flow(self) -> None:
        """What is told comes from the flow."""
        flow = Flow("192.0.2.1", 50000, "tcp", 0.0)
        flow.host = "app.example.com"
        self.assertEqual(Visitor.of(flow), VISITOR._replace(terminates=False))

    def test_no_visitor(self) -> None:
        """Where there is none, as for a health check, the tunnel is told of none."""
        self.call(visitor=None)
        self.assertEqual(self.tunnel.dialled, [None])

    def test_bytes(self) -> None:
        """Bytes go both ways."""
        self.joined()
        self.near.transport.write(b"question" + BIG)  # type: ignore[union-attr]
        self.until(lambda: len(self.service.received) == 8 + len(BIG))
        self.service.transport.write(b"answer")  # type: ignore[union-attr]
        self.until(lambda: self.near.received == b"answer")

    def test_service_speaks_first(self) -> None:
        """What the service says before anybody asks is not lost."""
        opening = self.call()
        self.tunnel.succeed(self.service, self.reactor)
        self.service.transport.write(b"220 ready")  # type: ignore[union-attr]
        self.until(lambda: self.near.received == b"220 ready")
        self.successResultOf(opening)

    def test_refused(self) -> None:
        """The tunnel's error is the caller's, and nothing is left of the call."""
        opening = self.call()
        self.assertEqual(len(self.relays), 1)
        self.tunnel.results[0].errback(Overloaded("Full."))
        self.until(lambda: not len(self.relays))
        self.assertEqual(self.failureResultOf(opening, Overloaded).value.sentence, "Full.")

    def test_foreign_error(self) -> None:
        """Any other error is one of the house when it arrives."""
        opening = self.call()
        self.tunnel.results[0].errback(ConnectionRefusedError())
        self.until(lambda: opening.called)
        self.failureResultOf(opening, UpstreamUnreachable)

    def test_unknown(self) -> None:
        """A tunnel that has just gone is lost to the caller too."""
        opening = self.call("tn_2")
        self.until(lambda: opening.called)
        self.failureResultOf(opening, TunnelLost)
        self.assertEqual(len(self.relays), 0)

    def test_not_passed_on(self) -> None:
        """A call for a tunnel that is elsewhere is not sent there: it would go round in circles."""
        self.tunnel.place = 2  # type: ignore[attr-defined]
        opening = self.call()
        self.until(lambda: opening.called)
        self.failureResultOf(opening, TunnelLost)
        self.assertEqual(self.tunnel.dialled, [])

    def test_no_room(self) -> None:
        """A call whose descriptor this process had no room for has ended already."""
        self.relays.answer(Call("tn_1", None), NO_DESCRIPTOR)
        self.assertEqual((len(self.relays), self.tunnel.dialled), (0, []))

    def test_caller_gives_up(self) -> None:
        """If the caller is tired of waiting, the dial is cancelled."""
        opening = self.call()
        opening.cancel()
        self.failureResultOf(opening)
        self.until(lambda: self.tunnel.cancelled)
        self.assertEqual(len(self.relays), 0)

    def test_connected_too_late(self) -> None:
        """A stream that comes when nobody waits any more is closed."""
        opening = self.call()
        opening.cancel()
        self.failureResultOf(opening)
        self.tunnel.succeed(self.service, self.reactor)
        self.until(lambda: self.service.lost or self.service.read_ended)
        self.until(lambda: not len(self.relays))

    def test_ends(self) -> None:
        """A FIN is passed on as a FIN; when both have said theirs, nothing is left."""
        self.joined()
        self.near.transport.loseWriteConnection()  # type: ignore[union-attr]
        self.until(lambda: self.service.read_ended)
        self.service.transport.write(b"last words")  # type: ignore[union-attr]
        self.service.transport.loseConnection()  # type: ignore[union-attr]
        self.until(lambda: self.near.read_ended)
        self.assertEqual(bytes(self.near.received), b"last words")
        self.near.transport.loseConnection()  # type: ignore[union-attr]
        self.until(lambda: not len(self.relays))
        self.assertTrue(self.near.lost.check(ConnectionDone))

    def test_reset_by_the_service(self) -> None:
        """What breaks behind the tunnel breaks for the caller."""
        side = self.joined()
        self.service.transport.write(b"half")  # type: ignore[union-attr]
        self.until(lambda: self.near.received == b"half")
        side.transport.abortConnection()
        self.until(lambda: self.near.lost)
        self.assertFalse(self.near.read_ended)
        self.assertFalse(self.near.lost.check(ConnectionDone))
        self.until(lambda: not len(self.relays))

    def test_reset_by_the_caller(self) -> None:
        """And the other way round."""
        side = self.joined()
        self.near.transport.abortConnection()  # type: ignore[union-attr]
        self.until(lambda: side.lost)
        self.until(lambda: not len(self.relays))

    def test_back_pressure(self) -> None:
        """A service that does not read keeps the caller from writing."""
        self.joined()
        producer = Pushing()
        transport: Any = self.near.transport
        transport.registerProducer(producer, True)
        self.service.transport.pauseProducing()  # type: ignore[union-attr]
        transport.write(BIG)
        self.turn(50)
        self.assertEqual(producer.calls, ["pause"])
        self.service.transport.resumeProducing()  # type: ignore[union-attr]
        self.until(lambda: len(self.service.received) == len(BIG))
        self.assertEqual(producer.calls[-1], "resume")
