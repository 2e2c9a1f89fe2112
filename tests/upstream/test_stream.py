"""Tests of the stream relay."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.interfaces import IPushProducer, IProtocol, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ngrok_twisted.byte_transports import ILanding
from ngrok_twisted.choosing import Load
from ngrok_twisted.errors import EdgeError, EndpointOffline, TunnelLost, UpstreamTimeout, UpstreamUnreachable
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IBatchReceiver, IBatchTransport, IFillable, IFlowFactory, ITunnel
from ngrok_twisted.net.tls import TLSServer
from ngrok_twisted.records.endpoint import Upstream
from ngrok_twisted.tls.contexts import make_context
from ngrok_twisted.tls.options import TLSOptions
from ngrok_twisted.upstream.side import EARLY_BYTES, EARLY_LIMIT, MUCH
from ngrok_twisted.upstream.stream import StreamFactory, Visitor
from tests.net.certificates import pem_file
from tests.net.loop import Recorder
from tests.net.test_eager import HalfCloseable
from tests.net.wire import Wire

PEER = IPv4Address("TCP", "192.0.2.1", 50000)
BIG = os.urandom(4 << 20)


class Backend:
    """Yields what it was given."""

    def __init__(self, *targets: Any) -> None:
        self.targets = targets
        self.asked: list[Flow] = []

    def candidates(self, flow: Flow) -> Any:
        self.asked.append(flow)
        yield from self.targets


@implementer(IStreamClientEndpoint)
class Endpoint:
    """Connects when the test says so, over a `Wire` to ``service``."""

    def __init__(self, service: Any = None) -> None:
        self.service = service
        self.upstream = Upstream()
        self.cancelled = 0
        self.attempts: list[Any] = []

    def connect(self, factory: Any) -> Deferred[Any]:
        self.factory = factory
        self.result: Deferred[Any] = Deferred(self._cancel)
        self.attempts.append(self.result)
        return self.result

    def _cancel(self, result: Any) -> None:
        self.cancelled += 1

    def succeed(self) -> Wire:
        self.side = self.factory.buildProtocol(None)
        self.wire = Wire(self.side, self.service)
        self.result.callback(self.side)
        return self.wire


@implementer(ITunnel)
class Tunnel(Endpoint):
    """An endpoint that is a tunnel."""

    id = "tn_1"
    endpoint_id = account_id = principal = session_id = started_at = None
    labels: dict[str, str] = {}
    url = ""

    def __init__(self, service: Any = None) -> None:
        super().__init__(service)
        self.observed: list[Flow] = []

    def close(self, reason: str) -> None:
        pass

    def observe(self, flow: Flow) -> None:
        self.observed.append(flow)


class StreamCase(SynchronousTestCase):
    """One visitor, ``self.visitor``, at the client end of ``self.wire``."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.over: list[Flow] = []
        self.visitor = HalfCloseable()
        self.service = HalfCloseable()

    def visit(self, *targets: Any, **options: Any) -> Visitor:
        self.backend = Backend(*targets)
        self.factory = StreamFactory(self.backend, "tcp", self.clock, [self.over.append], **options)
        self.side = self.factory.buildProtocol(PEER)
        self.wire = Wire(self.visitor, self.side)
        return self.side

    def say(self, data: bytes) -> None:
        self.wire.client.write(data)
        self.wire.run()

    def joined(self, target: Any = None) -> Endpoint:
        """A stream that is joined to `self.service`."""
        endpoint = Endpoint(self.service) if target is None else target
        endpoint.service = self.service
        self.visit(endpoint)
        endpoint.succeed()
        self.run_all(endpoint)
        return endpoint

    def run_all(self, endpoint: Any) -> None:
        for _ in range(12):
            self.wire.run()
            endpoint.wire.run()

    def assertOver(self) -> None:
        self.assertEqual(len(self.over), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class DialTests(StreamCase):
    """Finding a target."""

    def test_flow(self) -> None:
        """The flow names visitor, protocol and edge, and the backend is asked with it."""
        edge = object()
        self.visit(edge=edge)
        flow = self.backend.asked[0]
        self.assertEqual((flow.peer_host, flow.peer_port, flow.proto), ("192.0.2.1", 50000, "tcp"))
        self.assertIs(flow.edge, edge)
        self.assertEqual(flow.started, 1000)
        self.assertEqual(flow.host, "")

    def test_host(self) -> None:
        """The name of a TLS visitor is the flow's host."""

        class Named:
            host, port, server_name = "192.0.2.1", 1, "a.example"

        factory = StreamFactory(Backend(), "tls", self.clock)
        visitor = factory.buildProtocol(Named())
        self.assertEqual(visitor.flow.host, "a.example")
        self.assertIs(visitor.flow.edge, factory)

    def test_the_target_learns_the_flow(self) -> None:
        """The factory that a target is dialled with carries the flow."""
        endpoint = Endpoint()
        self.visit(endpoint)
        verifyObject(IFlowFactory, endpoint.factory)
        self.assertIs(endpoint.factory.flow, self.backend.asked[0])
        self.wire.client.abortConnection()
        self.wire.run()

    def test_nobody(self) -> None:
        """Without a candidate the visitor is reset and the flow ends with the reason."""
        self.visit()
        self.wire.run()
        self.assertTrue(self.wire.server.aborted)
        self.assertOver()
        self.assertIsInstance(self.over[0].error, EndpointOffline)

    def test_next_one(self) -> None:
        """A target that fails is noted, and the next one is tried."""
        first, second, third = Endpoint(), Tunnel(self.service), Endpoint()
        self.visit(first, Resource(), second, third)
        first.result.errback(Failure(TunnelLost()))
        second.succeed()
        flow = self.backend.asked[0]
        self.assertEqual(flow.tried, (first,))
        self.assertIs(flow.tunnel, second)
        self.assertEqual(third.attempts, [])
        self.say(b"hello")
        second.wire.run()
        self.assertEqual(bytes(self.service.received), b"hello")

    def test_load(self) -> None:
        """A stream counts with the target that has it until it is over; one that did not connect rests, one that did does not."""
        first, second = Endpoint(), Tunnel(self.service)
        one, two = Load(first), Load(second)
        two.missed_at = 990.0

        def candidates(flow: Flow) -> Any:
            for load in (one, two):
                flow.go_to(load)
                yield load.target

        self.visit()
        self.wire.client.abortConnection()
        self.wire.run()
        self.backend.candidates = candidates  # type: ignore[method-assign]
        self.side = self.factory.buildProtocol(PEER)
        self.wire = Wire(self.visitor, self.side)
        self.clock.advance(3)
        first.result.errback(Failure(TunnelLost()))
        second.succeed()
        self.assertEqual((one.flows, one.missed_at, two.flows, two.rests(1003.0)), (0, 1003.0, 1, False))
        self.wire.client.abortConnection()
        self.wire.run()
        self.assertEqual(two.flows, 0)

    def test_all_fail(self) -> None:
        """When the last one fails the visitor is reset; the last error is the flow's, in our vocabulary."""
        for error, expected in (
            (TunnelLost(), TunnelLost),
            (ConnectionRefusedError(), UpstreamUnreachable),
            (ValueError("a bug"), UpstreamUnreachable),
        ):
            self.over.clear()
            first, second = Endpoint(), Endpoint()
            self.visit(first, second)
            first.result.errback(Failure(ConnectionLost()))
            second.result.errback(Failure(error))
            self.wire.run()
            self.assertTrue(self.wire.server.aborted)
            self.assertOver()
            self.assertIsInstance(self.over[0].error, expected)
            self.assertEqual(self.over[0].tried, (first, second))

    def test_synchronous_answers(self) -> None:
        """Targets that raise, fail or are gone at once are as good as any."""

        class Raising(Endpoint):
            def connect(self, factory: Any) -> Any:
                raise ValueError("no")

        class Failing(Endpoint):
            def connect(self, factory: Any) -> Any:
                return fail(ConnectionRefusedError())

        class Gone(Endpoint):
            def connect(self, factory: Any) -> Any:
                result = super().connect(factory)
                wire = self.succeed()
                wire.client.lost(ConnectionLost())
                return result

        class Leaving(Endpoint):
            def connect(self, factory: Any) -> Any:
                side = factory.buildProtocol(None)
                wire = Wire(side, Recorder())
                wire.client.lost(ConnectionLost())
                result: Deferred[Any] = Deferred()
                result.callback(side)
                return result

        targets = [Raising(), Failing(), Leaving()]
        last = Endpoint(self.service)
        self.visit(*targets, last)
        last.succeed()
        self.assertEqual(self.over, [])
        self.assertEqual(self.backend.asked[0].tried, tuple(targets))

    def test_dial_timeout(self) -> None:
        """A target that does not answer in time is cancelled, and the next one is tried."""
        first, second = Endpoint(), Endpoint()
        self.visit(first, second, dial_timeout=10)
        self.clock.pump([1] * 9)
        self.say(b"still here")
        self.assertEqual(second.attempts, [])
        self.clock.pump([1] * 4)
        self.assertEqual(first.cancelled, 1)
        self.assertEqual(len(second.attempts), 1)
        self.clock.pump([1] * 9)
        self.assertEqual(self.over, [])
        self.clock.pump([1] * 4)
        self.wire.run()
        self.assertOver()
        self.assertIsInstance(self.over[0].error, UpstreamTimeout)

    def test_a_late_connection_is_reset(self) -> None:
        """A connection that comes after its attempt was given up is reset."""
        first, second = Endpoint(Recorder()), Endpoint()
        self.visit(first, second)
        self.clock.advance(11)
        wire = Wire(first.factory.buildProtocol(None), Recorder())
        wire.run()
        self.assertTrue(wire.client.aborted)
        self.assertEqual(self.over, [])
        self.wire.client.abortConnection()
        self.wire.run()

    def test_visitor_leaves_first(self) -> None:
        """A visitor who is lost cancels the pending attempt, and nobody else is tried."""
        first, second = Endpoint(), Endpoint()
        self.visit(first, second)
        self.wire.client.abortConnection()
        self.wire.run()
        self.assertEqual(first.cancelled, 1)
        self.assertEqual(second.attempts, [])
        self.assertOver()

    def test_visitor_leaves_while_connecting(self) -> None:
        """A connection that was made but not yet announced when the visitor left is reset."""
        endpoint = Endpoint()
        self.visit(endpoint)
        wire = Wire(endpoint.factory.buildProtocol(None), Recorder())
        self.wire.client.abortConnection()
        self.wire.run()
        wire.run()
        self.assertTrue(wire.client.aborted)
        self.assertOver()

    def test_broken_backend(self) -> None:
        """A backend that raises is our fault: logged, and the visitor reset."""

        class Broken:
            def candidates(self, flow: Flow) -> Any:
                raise ValueError("a bug")

        factory = StreamFactory(Broken(), "tcp", self.clock, [self.over.append])
        self.wire = Wire(self.visitor, factory.buildProtocol(PEER))
        self.wire.run()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertOver()
        self.assertIsInstance(self.over[0].error, EdgeError)

    def test_early_bytes(self) -> None:
        """What the visitor says before there is a target arrives first, and reading pauses when it is much."""
        endpoint = Endpoint(self.service)
        self.visit(endpoint)
        self.say(b"hello ")
        self.assertFalse(self.wire.server.paused)
        self.say(bytes(EARLY_BYTES))
        self.assertTrue(self.wire.server.paused)
        self.wire.client.write(b"world")
        self.wire.run()
        endpoint.succeed()
        self.assertFalse(self.wire.server.paused)
        self.run_all(endpoint)
        self.assertEqual(bytes(self.service.received), b"hello " + bytes(EARLY_BYTES) + b"world")

    def test_early_flood(self) -> None:
        """A transport that does not stop is cut."""
        self.visit(Endpoint())
        self.side.dataReceived(bytes(EARLY_LIMIT + 1))
        self.wire.run()
        self.assertOver()

    def test_handed_over(self) -> None:
        """After a peek the first bytes come right after makeConnection, in the same breath."""
        endpoint = Endpoint(self.service)

        class Synchronous(Endpoint):
            def connect(self, factory: Any) -> Any:
                result = super().connect(factory)
                self.succeed()
                return result

        endpoint = Synchronous(self.service)
        self.visit(endpoint)
        self.side.dataReceived(b"\x16\3\1")
        endpoint.wire.run()
        self.assertEqual(bytes(self.service.received), b"\x16\3\1")

    def test_early_end(self) -> None:
        """A FIN that comes before there is a target follows what was said."""
        endpoint = Endpoint(self.service)
        self.visit(endpoint)
        self.wire.client.write(b"question")
        self.wire.client.loseWriteConnection()
        self.wire.run()
        endpoint.succeed()
        endpoint.wire.run()
        self.assertEqual(bytes(self.service.received), b"question")
        self.assertTrue(self.service.read_ended)
        endpoint.wire.server.write(b"answer")
        self.run_all(endpoint)
        self.assertEqual(bytes(self.visitor.received), b"answer")

    def test_greeting(self) -> None:
        """What the target says before it is announced reaches the visitor."""
        endpoint = Endpoint(self.service)
        self.visit(endpoint)
        side = endpoint.factory.buildProtocol(None)
        endpoint.wire = Wire(side, self.service)
        endpoint.wire.server.write(b"220 welcome")
        endpoint.wire.run()
        endpoint.result.callback(side)
        self.run_all(endpoint)
        self.assertEqual(bytes(self.visitor.received), b"220 welcome")

    def test_proxy_protocol(self) -> None:
        """A target that wants the PROXY header gets it before everything else."""
        for version, start in ((1, b"PROXY TCP4 192.0.2.1 192.0.2.2 50000 1000\r\n"), (2, b"\r\n\r\n\0\r\nQUIT\n")):
            self.visitor, self.service = HalfCloseable(), HalfCloseable()
            endpoint = Endpoint(self.service)
            endpoint.upstream = Upstream(proxy_protocol=version)
            self.visit(endpoint)
            self.say(b"hello")
            endpoint.succeed()
            self.run_all(endpoint)
            self.assertTrue(self.service.received.startswith(start))
            self.assertTrue(self.service.received.endswith(b"hello"))
            self.assertEqual(self.side.received, 5)

    def test_tls(self) -> None:
        """A target whose service speaks TLS is spoken to in TLS, and no protocol is named inside."""
        context = make_context(Path(pem_file()).read_text(), "", TLSOptions(alpn=(b"http/1.1",)))
        secure = TLSServer(context, self.service, clock=self.clock)
        endpoint = Endpoint(secure)
        endpoint.upstream = Upstream(tls=True)
        self.visit(endpoint)
        self.say(b"hello")
        endpoint.succeed()
        self.run_all(endpoint)
        self.assertEqual(bytes(self.service.received), b"hello")
        self.assertIsNone(secure.negotiatedProtocol)
        self.service.transport.write(b"answer")
        self.run_all(endpoint)
        self.assertEqual(bytes(self.visitor.received), b"answer")

    def test_proxy_protocol_before_tls(self) -> None:
        """The PROXY header comes before the handshake, once."""
        endpoint = Endpoint(self.service)
        endpoint.upstream = Upstream(tls=True, proxy_protocol=1)
        self.visit(endpoint)
        endpoint.succeed()
        self.run_all(endpoint)
        header, end, rest = bytes(self.service.received).partition(b"\r\n")
        self.assertEqual(header, b"PROXY TCP4 192.0.2.1 192.0.2.2 50000 1000")
        self.assertEqual(rest[:2], b"\x16\x03")
        self.assertNotIn(b"PROXY", rest)
        self.wire.client.loseConnection()
        self.run_all(endpoint)

    def test_unknown_proxy_version(self) -> None:
        """A version we do not speak is our fault: both connections are reset."""
        endpoint = Endpoint(self.service)
        endpoint.upstream = Upstream(proxy_protocol=9)
        self.visit(endpoint)
        endpoint.succeed()
        self.run_all(endpoint)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertTrue(endpoint.wire.client.aborted)
        self.assertOver()


class RelayTests(StreamCase):
    """Bytes and ends of a joined stream."""

    def test_interfaces(self) -> None:
        """Both sides take batches and own the buffer they are read into."""
        endpoint = self.joined()
        for side in (self.side, endpoint.side):
            for interface in (IProtocol, IBatchReceiver, IFillable, IPushProducer):
                verifyObject(interface, side)

    def test_both_ways(self) -> None:
        """Bytes go both ways and are counted."""
        tunnel = Tunnel()
        self.joined(tunnel)
        self.wire.client.write(BIG)
        tunnel.wire.server.write(b"answer")
        self.run_all(tunnel)
        self.assertEqual(bytes(self.service.received), BIG)
        self.assertEqual(bytes(self.visitor.received), b"answer")
        self.wire.client.loseConnection()
        tunnel.wire.server.loseConnection()
        self.run_all(tunnel)
        self.assertOver()
        self.assertEqual((self.over[0].bytes_in, self.over[0].bytes_out), (len(BIG), 6))
        self.assertEqual(tunnel.observed, self.over)
        self.assertEqual(self.over[0].ended, 1000)

    def test_batches(self) -> None:
        """Batches and filled buffers go on as batches where the other transport takes them, else joined."""
        endpoint = self.joined()
        self.side.batchReceived([b"a", memoryview(b"b")])
        self.side.fillable()[:1] = b"c"
        self.side.filled(1)
        endpoint.wire.run()
        self.assertEqual(bytes(self.service.received), b"abc")
        batches: list[Any] = []

        @implementer(IBatchTransport)
        class Batching:
            def writeBatch(self, buffers: Any) -> None:
                batches.append([bytes(buffer) for buffer in buffers])

        self.side._sink, self.side._batch = Batching(), True
        self.side.batchReceived([b"a", memoryview(b"b")])
        self.side.fillable()[:1] = b"c"
        self.side.filled(1)
        self.assertEqual(batches, [[b"a", b"b"], [b"c"]])
        self.assertEqual(self.side.received, 6)

    def test_landing(self) -> None:
        """Where much comes, the next bytes are read to where the other transport sends them from, if it has room there."""
        self.joined()
        place, taken = memoryview(bytearray(2 * MUCH)), []
        rooms: list[Any] = [[place], None, [place]]

        @implementer(ILanding)
        class Landing:
            def landing(self) -> Any:
                return rooms.pop(0)

            def landed(self, count: int) -> None:
                taken.append(("landed", count))

            def writeBatch(self, buffers: Any) -> None:
                taken.append(("written", sum(map(len, buffers))))

        self.side.other.transport = Landing()  # type: ignore[union-attr]
        self.side.join(self.side.other)  # type: ignore[arg-type]
        for count in (MUCH - 1, MUCH, MUCH, MUCH, MUCH - 1, 1):
            self.side.fillable()
            self.side.filled(count)
        ways = ["written", "written", "landed", "written", "landed", "written"]
        self.assertEqual([way for way, _ in taken], ways)
        self.assertEqual(sum(count for _, count in taken), self.side.received)
        self.assertEqual(rooms, [])

    def test_back_pressure(self) -> None:
        """A side that is full pauses the other one, and lets it go on afterwards."""
        endpoint = self.joined()
        for source, sink in ((self.wire, endpoint.wire), (endpoint.wire, self.wire)):
            writer = source.client if source is self.wire else source.server
            reader, full = (source.server, sink.client) if source is self.wire else (source.client, sink.server)
            full.stuck = True
            writer.write(BIG[: 1 << 20])
            source.run(100000)
            self.assertTrue(reader.paused)
            self.assertLess(len(full.outbox), 300000)
            full.stuck = False
            self.run_all(endpoint)
            self.assertFalse(reader.paused)

    def test_half_close(self) -> None:
        """A FIN goes through and the other direction stays open; after the second one all is closed."""
        for first_is_visitor in (True, False):
            self.over.clear()
            self.visitor, self.service = HalfCloseable(), HalfCloseable()
            endpoint = self.joined()
            ends = [(self.wire.client, self.visitor), (endpoint.wire.server, self.service)]
            (first, one), (second, other) = ends if first_is_visitor else ends[::-1]
            first.write(b"question")
            first.loseWriteConnection()
            self.run_all(endpoint)
            self.assertTrue(other.read_ended)
            self.assertEqual(bytes(other.received), b"question")
            self.assertEqual(self.over, [])
            second.write(BIG)
            second.loseWriteConnection()
            self.run_all(endpoint)
            self.assertEqual(bytes(one.received), BIG)
            self.assertTrue(self.wire.server.closed and endpoint.wire.client.closed)
            self.assertOver()

    def test_reading_does_not_resume_after_the_end(self) -> None:
        """Room on the other side does not make us read a connection whose end was seen."""
        endpoint = self.joined()
        self.wire.client.loseWriteConnection()
        self.wire.run()
        self.wire.server.paused = True
        self.side.resumeProducing()
        self.assertTrue(self.wire.server.paused)
        self.side.readConnectionLost()
        endpoint.wire.run()
        self.assertTrue(self.service.read_ended)

    def test_reset(self) -> None:
        """A reset of either side resets the other."""
        for visitor_resets in (True, False):
            self.over.clear()
            endpoint = self.joined()
            (self.wire.client if visitor_resets else endpoint.wire.server).abortConnection()
            self.run_all(endpoint)
            self.assertTrue((endpoint.wire.client if visitor_resets else self.wire.server).aborted)
            self.assertOver()

    def test_orderly_end_without_half_close(self) -> None:
        """Where a transport tells its end all at once, the other side still gets everything."""
        endpoint = self.joined()
        self.side.dataReceived(b"last words")
        self.wire.server.lost(ConnectionDone())
        self.run_all(endpoint)
        self.assertEqual(bytes(self.service.received), b"last words")
        self.assertTrue(endpoint.wire.client.closed)
        self.assertFalse(endpoint.wire.client.aborted)
        self.assertOver()

    def test_transport_without_half_close(self) -> None:
        """A transport that cannot close one direction is closed."""
        endpoint = self.joined()
        endpoint.wire.client.loseWriteConnection = endpoint.wire.client.loseConnection  # type: ignore
        self.wire.client.loseWriteConnection()
        self.run_all(endpoint)
        self.assertTrue(endpoint.wire.client.closed)
        self.assertOver()

    def test_idle(self) -> None:
        """Without a byte for the idle timeout both sides are closed; traffic either way puts it off."""
        endpoint = self.joined()
        self.clock.pump([1] * 250)
        self.say(b"x")
        self.clock.pump([1] * 250)
        endpoint.wire.server.write(b"y")
        endpoint.wire.run()
        self.clock.pump([1] * 250)
        self.run_all(endpoint)
        self.assertEqual(self.over, [])
        self.clock.pump([1] * 60)
        self.run_all(endpoint)
        self.assertTrue(self.wire.server.closed and endpoint.wire.client.closed)
        self.assertOver()

    def test_idle_and_stuck(self) -> None:
        """A side that cannot even be closed in order is reset a little later."""
        endpoint = self.joined()
        endpoint.wire.client.stuck = True
        self.say(b"never read")
        self.clock.pump([1] * 310)
        self.run_all(endpoint)
        self.assertFalse(endpoint.wire.client.closed)
        self.clock.pump([1] * 20)
        endpoint.wire.client.stuck = False
        self.run_all(endpoint)
        self.assertTrue(endpoint.wire.client.aborted)
        self.assertOver()

    def test_lets_go(self) -> None:
        """After the end the two sides do not keep each other alive."""
        endpoint = self.joined()
        self.wire.client.abortConnection()
        self.run_all(endpoint)
        self.assertIsNone(self.side.other)
        self.assertIsNone(endpoint.side.other)
