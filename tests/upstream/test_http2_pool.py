"""
Tests for ``ngrok_twisted.upstream.http2_pool``, and for how `Forward` uses it.
"""

from __future__ import annotations

from typing import Any

from h2.settings import SettingCodes
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from ngrok_twisted.errors import TunnelLost, UpstreamUnreachable
from ngrok_twisted.records.endpoint import Upstream
from ngrok_twisted.upstream.forward import Forward
from ngrok_twisted.upstream.http2_pool import WAIT_TIMEOUT, SharedConnections
from ngrok_twisted.upstream.pool import Pool
from tests.edge.wire import Backend, Service, Visitor, statuses
from tests.upstream.http2_wire import HTTP2Service
from tests.upstream.test_http2 import GET, POST, HTTP2TestCase

ONE = {SettingCodes.MAX_CONCURRENT_STREAMS: 1}
NONE = {SettingCodes.MAX_CONCURRENT_STREAMS: 0}


class SharedTestCase(HTTP2TestCase):
    """Visitors, services, and the connections between them."""

    def start(self, *targets: Any, **options: Any) -> Visitor:
        self.clock = Clock()
        self.pool = Pool(self.clock)
        self.pool.shared = self.shared = SharedConnections(self.clock, **options)
        self.forward = Forward(Backend(*targets), self.clock, self.pool)
        return self.another_visitor()

    def visitors(self, count: int, request: bytes = GET) -> list[Visitor]:
        """So many more, who have asked."""
        made = [self.another_visitor() for _ in range(count)]
        for visitor in made:
            visitor.send(request)
        return made

    def connect(self, service: HTTP2Service) -> None:
        """Let a dial that waits succeed."""
        service.waiting.pop(0).callback(service.open(service.factories[-1]))


class DiallingTests(SharedTestCase):
    """Connections that come about, or do not."""

    def test_one_dial(self) -> None:
        """Requests that come while a connection is dialled wait for it, and know how long it took."""
        service = HTTP2Service(waits=True)
        self.start(service)
        visitors = self.visitors(5)
        self.assertEqual(len(service.waiting), 1)
        self.clock.advance(2)
        self.connect(service)
        self.assertEqual(service.connection.streams(), [1, 3, 5, 7, 9])
        service.connection.answer(9)
        self.assertEqual([flow.dialled for flow in visitors[4].flows], [2.0])
        visitors[4].send(GET)
        service.connection.answer(11)
        self.assertEqual([flow.dialled for flow in visitors[4].flows], [2.0, 0.0])

    def test_many_dials(self) -> None:
        """More than fit onto one connection have more dialled at once."""
        service = HTTP2Service(waits=True)
        self.start(service)
        self.visitors(101)
        self.assertEqual(len(service.waiting), 2)

    def test_unreachable(self) -> None:
        """If nobody is there, all who wait are sent on: to the next target, if there is one."""
        service = HTTP2Service(waits=True)
        other = Service()
        self.start(service, other)
        visitors = self.visitors(3)
        service.waiting.pop().errback(UpstreamUnreachable())
        self.assertEqual(len(other.connections), 3)
        for connection in other.connections:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual([statuses(visitor.take()) for visitor in visitors], [[200]] * 3)
        self.assertEqual(len(visitors[0].flows[0].tried), 1)

    def test_unreachable_alone(self) -> None:
        """Without another target they get the error."""
        self.start(HTTP2Service(error=UpstreamUnreachable()))
        self.assertEqual([statuses(visitor.take()) for visitor in self.visitors(2)], [[502], [502]])
        self.assertEqual(len(self.shared), 0)

    def test_dial_timeout(self) -> None:
        """A dial that takes too long is given up."""
        service = HTTP2Service(waits=True)
        visitor = self.start(service)
        visitor.send(GET)
        self.clock.advance(10)
        self.assertEqual((service.cancelled, statuses(visitor.take())), (1, [504]))

    def test_visitor_leaves(self) -> None:
        """Who leaves while it is dialled gets no stream, and the connection is there for the next."""
        service = HTTP2Service(waits=True)
        visitor = self.start(service)
        visitor.send(GET)
        visitor.leave()
        self.connect(service)
        self.assertEqual(service.connection.streams(), [])
        self.visitors(1)
        self.assertEqual(service.connection.streams(), [1])

    def test_variants(self) -> None:
        """Where the service gets a PROXY header, each visitor has a connection of its own, which ends with its requests."""
        service = HTTP2Service(Upstream(protocol="http2", proxy_protocol=1), settled=False)
        self.start(service)
        first = self.visitors(1)[0]
        peer = service.connection
        self.assertTrue(peer.take().startswith(b"PROXY TCP4 192.168.1.1 10.0.0.1 54321 12345\r\nPRI * HTTP/2.0"))
        first.leave()
        self.assertTrue(peer.wire.disconnecting)
        self.assertEqual(len(self.shared), 0)

    def test_conversation(self) -> None:
        """What speaks no HTTP at all with the service does not share anything."""
        target = HTTP2Service()
        self.start(target)
        made: list[Any] = []

        class Conversation:
            dialled = 0.0

            def makeConnection(self, transport: Any) -> None:
                made.append(self)

            def start(self, request: Any) -> None:
                request.finish()

        def converse(request: Any) -> Any:
            request.flow.remember("conversation", lambda idle: Conversation())
            return self.forward

        visitor = Visitor(converse, clock=self.clock)
        target.open = lambda factory: factory.buildProtocol(None).makeConnection(None)  # type: ignore[method-assign]
        target.connect = lambda factory: Service.connect(target, factory)  # type: ignore[method-assign]
        visitor.send(b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        self.assertEqual((len(made), len(self.shared)), (1, 0))


class WaitingTests(SharedTestCase):
    """Requests that wait for room."""

    def test_queue(self) -> None:
        """When there are as many connections as may be, requests wait, and go in their order wherever there is room."""
        service = HTTP2Service(settings=ONE)
        self.start(service, max_connections=2)
        visitors = self.visitors(4)
        self.assertEqual([peer.streams() for peer in service.connections], [[1], [1]])
        service.connections[1].answer(1)
        service.connections[0].answer(1)
        self.assertEqual([peer.streams() for peer in service.connections], [[3], [3]])
        service.connections[1].answer(3, body=b"third")
        self.assertTrue(visitors[2].take().endswith(b"third"))

    def test_no_overtaking(self) -> None:
        """Who comes later does not take the place of who waits."""
        service = HTTP2Service(settings=ONE)
        self.start(service, max_connections=1)
        first, second = self.visitors(2)
        service.connection.answer(1)
        first.send(GET)
        service.connection.answer(3, body=b"second")
        self.assertTrue(second.take().endswith(b"second"))

    def test_bound(self) -> None:
        """The queue has a bound."""
        service = HTTP2Service(settings=ONE)
        self.start(service, max_connections=1, max_waiting=2)
        *_, last = self.visitors(4)
        self.assertEqual(statuses(last.take()), [503])

    def test_timeout(self) -> None:
        """And so has the wait, also with a service that takes nothing at all."""
        service = HTTP2Service(settings=NONE)
        self.start(service, max_connections=1)
        visitors = self.visitors(2)
        visitors[0].send(b"")
        self.assertEqual(statuses(visitors[1].take()), [])
        self.clock.advance(WAIT_TIMEOUT)
        self.assertEqual(statuses(visitors[1].take()), [503])

    def test_leaving(self) -> None:
        """Who leaves the queue is not waited for."""
        service = HTTP2Service(settings=ONE)
        self.start(service, max_connections=1)
        first, second, third = self.visitors(3)
        second.leave()
        service.connection.answer(1)
        service.connection.answer(3, body=b"third")
        self.assertTrue(third.take().endswith(b"third"))

    def test_more_room(self) -> None:
        """A service that takes more than it said at first gets more."""
        service = HTTP2Service(settings=ONE)
        self.start(service, max_connections=1)
        self.visitors(3)
        self.assertEqual(service.connection.streams(), [1])
        service.connection.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 10})
        service.connection.flush()
        self.assertEqual(service.connection.streams(), [3, 5])

    def test_connection_lost(self) -> None:
        """When a connection breaks, those who wait get a new one."""
        service = HTTP2Service(settings=ONE)
        self.start(service, max_connections=1)
        self.visitors(2, POST + b"hello")
        service.connection.reset()
        self.assertEqual(len(service.connections), 2)
        self.assertEqual(service.connection.streams(), [1])

    def test_dial_fails_later(self) -> None:
        """When no further connection can be made, those who wait go on waiting for those that are there."""
        service = HTTP2Service(settings=ONE)
        self.start(service)
        first = self.visitors(1)[0]
        service.error = UpstreamUnreachable()
        second = self.visitors(1)[0]
        self.assertEqual(statuses(second.take()), [])
        service.connection.answer(1)
        service.connection.answer(3, body=b"second")
        self.assertTrue(second.take().endswith(b"second"))
        self.assertEqual(statuses(first.take()), [200])


class ForgettingTests(SharedTestCase):
    """Targets that go away."""

    def test_in_use(self) -> None:
        """What is in flight is answered, what comes later gets a new connection."""
        service = HTTP2Service()
        visitor = self.start(service)
        visitor.send(GET)
        self.pool.forget(service)
        self.assertEqual(len(self.shared), 0)
        peer = service.connection
        self.visitors(1)
        self.assertEqual(len(service.connections), 2)
        peer.answer(body=b"late")
        self.assertTrue(visitor.take().endswith(b"late"))
        self.assertTrue(peer.wire.disconnecting)

    def test_at_rest(self) -> None:
        """What rests is closed, for one target or for all."""
        for forget in (lambda: self.pool.forget(service), lambda: self.pool.close()):
            service = HTTP2Service()
            visitor = self.start(service)
            visitor.send(GET)
            service.connection.answer()
            forget()
            self.assertTrue(service.connection.wire.disconnecting)

    def test_waiting(self) -> None:
        """Who waits for a target that goes away is told so."""
        service = HTTP2Service(settings=ONE)
        self.start(service, max_connections=1)
        first, second = self.visitors(2)
        self.pool.forget(service)
        self.assertEqual(statuses(second.take()), [502])
        self.assertIsInstance(second.flows[0].error, TunnelLost)
        service.connection.answer(1)
        self.assertEqual(statuses(first.take()), [200])

    def test_dialling(self) -> None:
        """A dial to a target that goes away is given up."""
        service = HTTP2Service(waits=True)
        visitor = self.start(service)
        visitor.send(GET)
        self.pool.forget(service)
        self.assertEqual((service.cancelled, statuses(visitor.take())), (1, [502]))
        self.assertEqual(self.flushLoggedErrors(CancelledError), [])

    def test_nothing_left(self) -> None:
        """What is not in use is not remembered."""
        service = HTTP2Service()
        visitor = self.start(service)
        visitor.send(GET)
        self.assertEqual(len(self.shared._groups), 1)
        service.connection.close()
        self.assertEqual(self.shared._groups, {})
