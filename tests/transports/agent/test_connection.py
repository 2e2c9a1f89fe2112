"""Tests of `ngrok_twisted.transports.agent.connection`."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from twisted.internet.address import IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.errors import Overloaded, TunnelLost
from ngrok_twisted.interfaces import IBatchReceiver
from ngrok_twisted.net.shares import SHARE
from ngrok_twisted.net.tls import TLSConnection, TLSServer
from ngrok_twisted.transports.agent.factory import AgentConnectionFactory
from ngrok_twisted.transports.agent.frames import DATA, WINDOW, ErrorCode, pack_header
from ngrok_twisted.transports.agent.limits import AgentLimits
from ngrok_twisted.transports.agent.requests import Reply
from ngrok_twisted.transports.agent.typed import ControlStream, Conversation, StreamType
from tests.net.certificates import NAME, client_context, server_context
from tests.net.loop import Recorder
from tests.net.wire import Wire as TLSWire
from tests.transports.agent.client import FakeAgent, Meeting, NotingOwner

HEARTBEAT, BIND = StreamType.HEARTBEAT, StreamType.BIND


class Visitor(Protocol):
    """The protocol of a proxied stream."""

    def __init__(self) -> None:
        self.data = b""
        self.lost = False

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = True


VISITORS = Factory.forProtocol(Visitor)


class Case(SynchronousTestCase):
    """Has an agent that is let in."""

    def setUp(self) -> None:
        self.meet()

    def meet(self, **options: Any) -> FakeAgent:
        """Another agent."""
        self.meeting = Meeting(**options)
        self.agent = self.meeting.agent
        self.wire = self.agent.wire
        self.connection = self.agent.connection
        self.owner = self.meeting.owner
        return self.agent

    def control(self) -> ControlStream:
        """A stream that the server opens."""
        stream = ControlStream(self.connection.mux, self.meeting.clock, Conversation())
        self.connection.mux.open(stream)
        return stream


class WritingTests(Case):
    """Frames out."""

    def test_read(self) -> None:
        """What one read is answered with leaves in one write, at its end."""
        self.agent.raw(
            b"".join(
                pack_header(size << 8 | DATA | flags, id) + data
                for id, flags, data in (
                    (3, 2, HEARTBEAT.word + b"abcd"),
                    (5, 2, BIND.word + b"{}"),
                    (7, 2, BIND.word + b"{}"),
                )
                for size in (len(data),)
            )
        )
        self.assertEqual(len(self.wire.writes), 1)
        self.agent.turn()
        self.assertEqual([self.agent.seen[id].data for id in (3, 5, 7)], [b"abcd", b"{}", b"{}"])

    def test_full(self) -> None:
        """While the socket is full, streams for visitors hold their bytes back; they go on when it has drained."""
        visitor = self.connection.open_proxied(b"HEADER", VISITORS)
        self.agent.turn()
        self.connection.pauseProducing()
        visitor.transport.write(b"held")
        self.agent.turn()
        self.assertEqual(self.agent.seen[2].data, b"HEADER")
        self.connection.resumeProducing()
        self.agent.turn()
        self.assertEqual(self.agent.seen[2].data, b"HEADERheld")

    def test_does_not_read(self) -> None:
        """An agent that asks on and on and reads nothing is dropped; one that reads now and then is not."""
        self.meet(max_unread=10_000)
        id = self.agent.open(HEARTBEAT)
        for _ in range(10):
            self.connection.pauseProducing()
            for _ in range(100):
                self.agent.frame(id, b"word" * 5)
            self.connection.resumeProducing()
        self.assertFalse(self.wire.aborted)
        self.connection.pauseProducing()
        for _ in range(400):
            self.agent.frame(id, b"word" * 5)
        self.assertTrue(self.wire.aborted)
        self.assertEqual(self.owner.reasons, [])
        self.agent.lose()
        self.assertEqual(len(self.owner.reasons), 1)


class ReadingTests(Case):
    """Frames in."""

    def test_batch(self) -> None:
        """Several buffers of one read are taken together."""
        verifyObject(IBatchReceiver, self.connection)
        data = pack_header(6 << 8 | DATA | 2, 3) + BIND.word + b"{}"
        self.connection.batchReceived([data[:3], data[3:9], data[9:]])
        self.assertEqual(self.owner.asked, [(BIND, {})])

    def test_broken(self) -> None:
        """Who breaks the protocol is told how, and the connection ends; nothing that follows is served."""
        for frame, code in (
            (b"\0\0\0\x12\0\0\0\4", ErrorCode.PROTOCOL_ERROR),
            (b"\0\0\5\0\0\0\0\3", ErrorCode.FRAME_SIZE_ERROR),
        ):
            agent = self.meet()
            agent.raw(frame + pack_header(6 << 8 | DATA | 2, 7) + BIND.word + b"{}")
            agent.turn()
            assert agent.farewell is not None
            self.assertEqual(agent.farewell[0], code)
            self.assertTrue(self.wire.disconnecting)
            agent.request(BIND, {})
            self.assertEqual(self.owner.asked, [])

    def test_fault(self) -> None:
        """A fault of ours ends the connection, not the process, and is logged."""
        self.connection.mux.receive_batch = lambda buffers: 1 // 0  # type: ignore[assignment, return-value]
        self.agent.raw(b"x")
        self.agent.turn()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.agent.farewell, (ErrorCode.INTERNAL_ERROR, "internal error"))

    def test_owners_fault(self) -> None:
        """A fault of the owner costs a request, not the connection."""
        self.owner.answer = lambda kind, message: 1 // 0
        self.assertIn("Error", self.agent.ask(BIND, {}))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertFalse(self.wire.disconnecting)

    def test_other_types(self) -> None:
        """Streams of types that nobody knows, or that only the server opens, are refused; the connection goes on."""
        for kind in (3, 4, 5, 6, 9, 11, 0x80000000, 0xFFFFFFFE):
            id = self.agent.open(kind, b"whatever")
            self.agent.turn()
            self.assertEqual(self.agent.seen[id].reset, ErrorCode.STREAM_REFUSED)
        self.assertEqual(self.agent.ask(BIND, {}), {})
        self.assertEqual(self.connection.mux.streams, {})

    @settings(deadline=None, max_examples=150)
    @given(
        st.lists(
            st.binary(max_size=30)
            | st.builds(
                lambda kind, flags, id, body: pack_header(len(body) << 8 | kind | flags, id) + body,
                st.sampled_from([0, 0x10, 0x10, 0x10, 0x20, 0x30, 0x40]),
                st.integers(0, 3),
                st.sampled_from([0, 2, 3, 5, 7, 9, 0xFFFFFFFF]),
                st.sampled_from([b"", bytes(4), b"\0\0\0\1", b"\0\0\0\1{}", b"\xff\xff\xff\xffab", b"cdef", b'{"a":1}'])
                | st.binary(max_size=20),
            ),
            max_size=20,
        ),
        st.booleans(),
    )
    def test_any_bytes(self, reads: list[bytes], login: bool) -> None:
        """No bytes raise an error of ours, and when the agent is gone nothing stays behind."""
        agent = self.meet(login=login)
        for data in reads:
            agent.raw(data)
        agent.clock.advance(1)
        agent.lose()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual((self.connection.held, len(self.owner.reasons)), (0, 1))
        self.assertEqual(agent.clock.getDelayedCalls(), [])


class EndingTests(Case):
    """The ways in which a connection ends."""

    def test_close(self) -> None:
        """It says farewell and closes at once; a paused producer does not hold that up. Nothing is sent afterwards."""
        stream = self.control()
        stream.send((b"before",))
        self.connection.pauseProducing()
        self.connection.close("maintenance")
        self.assertTrue(self.wire.disconnecting)
        self.assertIsNone(self.wire.producer)
        stream.send((b"after",))
        self.connection.close("again")
        self.agent.turn()
        self.assertEqual((self.agent.seen[2].data, self.agent.farewell), (b"before", (0, "maintenance")))
        self.assertEqual(self.owner.reasons, [])

    def test_linger(self) -> None:
        """If the farewell does not get through in a second, the connection is cut."""
        self.meet(close_linger=1.0)
        self.connection.close("maintenance")
        self.agent.turn(0.9)
        self.assertFalse(self.wire.aborted)
        self.agent.turn(0.2)
        self.assertTrue(self.wire.aborted)

    def test_farewell(self) -> None:
        """An agent that says farewell is left alone: the connection closes, and what it sends is not served."""
        self.agent.go_away()
        self.assertTrue(self.wire.disconnecting)
        self.agent.request(BIND, {})
        self.assertEqual(self.owner.asked, [])

    def test_visitors_last_bytes(self) -> None:
        """What came before a farewell reaches the visitors, even in the same read."""
        visitor = self.connection.open_proxied(b"HEADER", VISITORS)
        self.agent.turn()
        self.agent.raw(pack_header(4 << 8 | DATA, 2) + b"last" + b"\0\0\x08\x30" + bytes(12))
        self.assertEqual(visitor.data, b"last")

    def test_lost(self) -> None:
        """A bare close is a normal end: streams end, then the owner is told, once, and no timed call is left."""
        visitor = self.connection.open_proxied(b"HEADER", VISITORS)
        answers: list[Deferred[Reply]] = []
        self.owner.answer = lambda kind, message: answers.append(Deferred(lambda d: None)) or answers[-1]  # type: ignore[func-returns-value]
        self.agent.request(BIND, {})
        probe = self.connection.probe()
        self.agent.lose(ConnectionLost())
        self.assertTrue(visitor.lost)
        self.failureResultOf(probe, TunnelLost)
        self.assertTrue(answers[0].called)
        self.assertEqual([reason.type for reason in self.owner.reasons], [ConnectionLost])
        self.agent.turn()
        self.assertEqual(self.agent.clock.getDelayedCalls(), [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_login_grace(self) -> None:
        """Who does not log in is dropped after the grace time."""
        self.meet(login=False, login_grace=30.0)
        self.agent.clock.pump([1] * 29)
        self.assertFalse(self.wire.disconnecting)
        self.agent.clock.pump([1] * 4)
        self.agent.turn()
        self.assertEqual(self.agent.farewell, (0, "no login in time"))

    def test_refused_at_once(self) -> None:
        """An owner may end the connection while it is being made."""
        clock = Clock()

        def make_owner(connection: Any) -> NotingOwner:
            connection.close("full")
            return NotingOwner(connection)

        agent = FakeAgent(AgentConnectionFactory(make_owner, clock, AgentLimits()), clock)
        agent.turn()
        self.assertEqual(agent.farewell, (0, "full"))
        self.assertTrue(agent.wire.disconnecting)
        agent.raw(b"whatever")
        agent.lose()
        self.assertEqual(clock.getDelayedCalls(), [])


class OwnerTests(Case):
    """What the owner sees."""

    def test_peer(self) -> None:
        """Whose connection it is."""
        self.assertEqual((self.connection.peer_host, self.connection.peer_port), ("192.0.2.7", 50022))
        agent = FakeAgent(self.meeting.factory, self.meeting.clock, IPv6Address("TCP", "2001:db8::7", 1))
        self.assertEqual(agent.connection.peer_host, "2001:db8::7")

    def test_room(self) -> None:
        """Visitors have so much room, less what the agent itself uses; the owner hears when there is more of it."""
        self.meet(max_streams=4)
        self.agent.open(HEARTBEAT)
        self.assertEqual(self.connection.room, 3)
        for _ in range(3):
            self.connection.open_proxied(b"HEADER", VISITORS)
        self.assertEqual(self.connection.room, 0)
        self.assertRaises(Overloaded, self.connection.open_proxied, b"HEADER", VISITORS)
        self.agent.turn()
        self.assertEqual(self.owner.rooms, 0)
        self.agent.drop(4)
        self.assertEqual((self.owner.rooms, self.connection.room), (1, 1))
        self.connection.open_proxied(b"HEADER", VISITORS)

    def test_room_for_the_agent(self) -> None:
        """There is none while the agent has so many to come to, without the connection's being full; it may be eased."""
        self.meet(max_unanswered=2)
        for _ in range(2):
            self.connection.open_proxied(b"HEADER", VISITORS)
        self.agent.turn()
        self.assertEqual((self.connection.room, self.connection.full, self.owner.rooms), (0, False, 0))
        self.agent.grow(2, 4)
        self.assertEqual((self.connection.room, self.owner.rooms), (1, 1))
        self.connection.open_proxied(b"HEADER", VISITORS)
        for _ in range(2):
            self.connection.ease()
        self.assertEqual((self.connection.room, self.owner.rooms), (2, 2))

    def test_full(self) -> None:
        """It is full when a stream has to end before there is room."""
        self.meet(max_streams=1)
        self.assertFalse(self.connection.full)
        self.connection.open_proxied(b"HEADER", VISITORS)
        self.assertTrue(self.connection.full)

    def test_no_room_at_the_end(self) -> None:
        """There is none on a connection that is closing, or gone."""
        for end in (lambda: self.connection.close("enough"), lambda: self.agent.lose(), lambda: self.agent.go_away()):
            self.meet()
            end()
            self.assertEqual(self.connection.room, 0)
            self.assertRaises(TunnelLost, self.connection.open_proxied, b"HEADER", VISITORS)
            self.assertEqual(self.owner.rooms, 0)

    def test_proxied(self) -> None:
        """Bytes go both ways, and the header leaves with the first of them."""
        visitor = self.connection.open_proxied(b"HEADER", VISITORS)
        visitor.transport.write(b"GET /")
        seen = self.agent.last()
        self.assertEqual((seen.data, seen.frames), (b"HEADERGET /", 1))
        self.agent.frame(seen.id, b"200 OK")
        self.assertEqual(visitor.data, b"200 OK")

    def test_late_fin(self) -> None:
        """An agent that breaks off a stream at our end of it is told of that end later."""
        for late in (False, True):
            self.meet(login=False)
            self.connection.logged_in(10, 15, late_fin=late)
            visitor = self.connection.open_proxied(b"HEADER", VISITORS)
            visitor.transport.loseWriteConnection()
            self.assertEqual(self.agent.last().fin, not late)


class LoginTests(Case):
    """From a stranger to an agent."""

    def test_watch(self) -> None:
        """The login ends its grace time, and begins the watch for heartbeats with the agent's own times."""
        self.meet(login=False, login_grace=30.0, heartbeat_slack=5.0)
        self.agent.clock.pump([1] * 25)
        self.connection.logged_in(60, 30)
        self.agent.clock.pump([1] * 94)
        self.assertFalse(self.wire.disconnecting)
        self.agent.clock.pump([1] * 5)
        self.assertTrue(self.wire.disconnecting)

    def test_window(self) -> None:
        """A stranger cannot make us keep more than its bounds: what it sends beyond them costs it the stream."""
        self.meet(login=False, strangers_request_bytes=1000, strangers_bytes=5 * WINDOW)
        ids = [self.agent.open(StreamType.AUTH, b'{"a":"') for _ in range(4)]
        for id in ids:
            for _ in range(WINDOW // 8192 + 2):
                self.agent.frame(id, b"x" * 8192)
        self.agent.turn()
        self.assertLessEqual(self.connection.held, 4 * 1000)
        self.assertEqual({self.agent.seen[id].reset for id in ids}, {ErrorCode.FLOW_CONTROL_ERROR})

    def test_stranger_that_sends(self) -> None:
        """A stranger may send what a login needs; more of it, whatever it is, ends the connection."""
        self.meet(login=False, strangers_bytes=1000)
        for _ in range(20):
            self.agent.frame(3, b"x" * 42)
        self.assertFalse(self.wire.disconnecting)
        self.agent.frame(3, b"x")
        self.agent.turn()
        self.assertTrue(self.wire.disconnecting)
        self.assertEqual(self.agent.farewell, (ErrorCode.ENHANCE_YOUR_CALM, "too much was sent before the login"))

    def test_stranger_that_opens(self) -> None:
        """A stranger that opens streams and leaves them, one after the other, is sent away."""
        self.meet(login=False, strangers_opened=16)
        for _ in range(16):
            self.agent.drop(self.agent.open(StreamType.AUTH))
        self.assertFalse(self.wire.disconnecting)
        self.agent.open(StreamType.AUTH)
        self.agent.turn()
        self.assertEqual(self.agent.farewell, (ErrorCode.ENHANCE_YOUR_CALM, "too many streams were opened"))

    def test_agent_that_opens(self) -> None:
        """So is an agent that opens many more than it needs, but not one that takes its time."""
        self.meet(login=False, opened_at_once=100, opened_per_second=20)
        for _ in range(10):
            self.agent.drop(self.agent.open(StreamType.AUTH))
        self.connection.logged_in(10, 15)
        for _ in range(100):
            self.agent.drop(self.agent.open(StreamType.UNBIND))
        self.agent.clock.advance(2)
        for _ in range(40):
            self.agent.drop(self.agent.open(StreamType.UNBIND))
        self.assertFalse(self.wire.disconnecting)
        self.agent.drop(self.agent.open(StreamType.UNBIND))
        self.assertTrue(self.wire.disconnecting)

    def test_refused_streams_count(self) -> None:
        """Streams that are refused, because too many are open, count as well."""
        self.meet(opened_at_once=30, max_requests=5)
        for _ in range(31):
            self.agent.open(StreamType.BIND)
        self.assertTrue(self.wire.disconnecting)


class ShareTests(Case):
    """What takes long to read."""

    def setUp(self) -> None:
        """Ten requests arrive in one read, and each piece of it takes more than a share."""
        super().setUp()
        self.meet()
        times = count(0, SHARE)
        self.connection._reading._clock = SimpleNamespace(seconds=lambda: next(times))
        self.requests = [pack_header(6 << 8 | DATA | 2, id) + BIND.word + b"{}" for id in range(3, 23, 2)]

    def test_turns(self) -> None:
        """It is read in turns, in order; meanwhile the socket is left alone."""
        self.connection.batchReceived(self.requests)
        self.assertLess(len(self.owner.asked), 3)
        self.assertEqual(self.wire.producerState, "paused")
        for _ in range(12):
            self.agent.turn()
        self.assertEqual((len(self.owner.asked), self.wire.producerState), (10, "producing"))
        self.assertTrue(all(self.agent.seen[id].fin for id in range(3, 23, 2)))

    def test_lost(self) -> None:
        """What had arrived reaches the visitor, although the connection is lost now."""
        visitor = self.connection.open_proxied(b"HEADER", VISITORS)
        self.agent.turn()
        self.connection.batchReceived([pack_header(4 << 8 | DATA, 2) + b"word" for _ in range(10)])
        self.assertLess(len(visitor.data), 40)
        self.agent.lose()
        self.assertEqual((visitor.data, visitor.lost), (b"word" * 10, True))

    def test_closed(self) -> None:
        """Behind a farewell nothing is read any more."""
        self.connection.batchReceived(self.requests)
        self.connection.close("enough")
        for _ in range(12):
            self.agent.turn()
        self.agent.lose()
        self.assertLess(len(self.owner.asked), 3)


class TLSTests(SynchronousTestCase):
    """Inside TLS, as it is served."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.owners: list[NotingOwner] = []
        factory = AgentConnectionFactory(self.own, self.clock, AgentLimits())
        self.server = TLSServer(server_context(), lambda transport: factory.buildProtocol(None), clock=self.clock)
        self.client = TLSConnection(
            client_context(), Recorder(), clock=self.clock, server_side=False, server_hostname=NAME
        )
        self.wire = TLSWire(self.client, self.server)
        self.wire.run()

    def own(self, connection: Any) -> NotingOwner:
        """Note the connection."""
        self.owners.append(NotingOwner(connection))
        return self.owners[0]

    def test_request(self) -> None:
        """Requests come in, and replies go out in one write of the socket, without a turn of the reactor between."""
        before = len(self.wire.server.writes)
        self.client.write(pack_header(6 << 8 | DATA | 2, 3) + StreamType.SRV_INFO.word + b"{}")
        self.wire.run()
        self.assertEqual(bytes(self.client.protocol.received), pack_header(2 << 8 | DATA | 1, 3) + b"{}")
        self.assertEqual(len(self.wire.server.writes), before + 1)

    def test_acknowledged(self) -> None:
        """Each read of the socket is acknowledged at once (spec 2.1)."""
        calls: list[int] = []
        self.assertIsNotNone(self.server._acknowledge)
        self.server._acknowledge = lambda: calls.append(1)
        self.client.write(b"x")
        self.wire.run()
        self.assertEqual(len(calls), 1)

    def test_much_at_once(self) -> None:
        """More is read at once of an agent that has proved who it is, and of no one else."""
        size = len(self.server.fillable())
        self.assertEqual(size, len(self.client.fillable()))
        self.owners[0].connection.logged_in(10, 15)
        self.assertEqual(len(self.server.fillable()), 2 * size)

    def test_end_of_tls(self) -> None:
        """An agent that ends TLS has ended the session."""
        self.client.loseConnection()
        self.wire.run()
        self.assertEqual(len(self.owners[0].reasons), 1)

    def test_full_socket(self) -> None:
        """A socket that takes no more holds visitors' bytes back, and a farewell does not wait for it."""
        connection = self.owners[0].connection
        connection.logged_in(10, 15)
        self.wire.server.stuck = True
        visitors = [connection.open_proxied(b"HEADER", VISITORS) for _ in range(4)]
        for visitor in visitors:
            visitor.transport.write(b"x" * 60_000)
        self.assertTrue(connection.mux.blocked)
        self.assertLess(len(self.wire.server.outbox), 130_000)
        self.wire.server.stuck = False
        self.wire.run()
        self.assertFalse(connection.mux.blocked)
        self.assertGreater(len(self.client.protocol.received), 240_000)
        self.wire.server.stuck = True
        for visitor in visitors:
            visitor.transport.write(b"x" * 60_000)
        connection.close("enough")
        self.wire.run()
        self.clock.advance(1)
        self.wire.run()
        self.assertTrue(all(visitor.lost for visitor in visitors))
        self.assertEqual(len(self.owners[0].reasons), 1)
