"""
Tests of `ngrok_twisted.upstream.direct`, and of the relay over real sockets.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionRefusedError, TimeoutError as ConnectTimeout
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import EdgeError, UpstreamTimeout, UpstreamUnreachable
from ngrok_twisted.flow import Flow
from ngrok_twisted.net.dial import Dialling, address_endpoint, dial
from ngrok_twisted.net.giving import reset
from ngrok_twisted.upstream import end, pipes, stream
from ngrok_twisted.upstream.direct import joined_directly
from ngrok_twisted.upstream.stream import StreamFactory
from tests.net.loop import LoopCase
from tests.upstream.test_stream import Backend, Endpoint

BIG = os.urandom(4 << 20)


class PlainTarget:
    """A target that a socket is enough for, in place of `ngrok_twisted.backends.static.Address`."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address

    def plain_address(self) -> tuple[str, int]:
        return self.address


class SocketCase(LoopCase):
    """
    Real sockets: a visitor, the relay, and a service, all of which the test holds.

    :cvar direct: the two sockets are joined without transports in the end.
    """

    direct = True

    def setUp(self) -> None:
        super().setUp()
        self.over: list[Flow] = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listening.close)
        backend = Backend(self.target(self.listening.getsockname()))
        self.factory = StreamFactory(backend, "tcp", self.reactor, [self.over.append], idle_timeout=300.0)
        build, self.sides = self.factory.buildProtocol, []
        self.factory.buildProtocol = lambda addr: self.sides.append(build(addr)) or self.sides[-1]  # type: ignore
        self.port = self.reactor.listenTCP(0, self.factory, interface="127.0.0.1")
        self.visitor = socket.create_connection(("127.0.0.1", self.port.getHost().port))
        self.addCleanup(self.visitor.close)
        self.listening.setblocking(False)
        self.until(self._accept)
        self.until(lambda: self.sides and (self.sides[0]._direct or self.sides[0].other) is not None)
        self.visitor.setblocking(False)

    def target(self, address: tuple[str, int]) -> Any:
        """What the backend yields."""
        return PlainTarget(address)

    @property
    def near(self) -> Any:
        """The visitor's end or side, which has ``received``."""
        return self.sides[0]._direct.near if self.direct else self.sides[0]

    @property
    def reading(self) -> bool:
        """Whether the visitor is read."""
        return (self.near if self.direct else self.near.transport) in self.reactor.getReaders()

    def idle(self) -> None:
        """The stream's time is up."""
        (self.sides[0]._direct or self.sides[0])._idle()

    def _accept(self) -> bool:
        try:
            self.service, _ = self.listening.accept()
        except BlockingIOError:
            return False
        self.addCleanup(self.service.close)
        self.service.setblocking(False)
        return True

    def pump(self, source: socket.socket, sink: socket.socket, data: bytes) -> bytes:
        """Send all of it at one end while the other end reads; return what came."""
        got = bytearray()
        left = memoryview(data)

        def step() -> bool:
            nonlocal left
            try:
                if left:
                    left = left[source.send(left[:300000]) :]
            except BlockingIOError:
                pass
            try:
                got.extend(sink.recv(200000))
            except BlockingIOError:
                pass
            return len(got) >= len(data)

        self.until(step)
        return bytes(got)

    def expect_end(self, sock: socket.socket) -> None:
        """Wait for a FIN."""

        def ended() -> bool:
            try:
                return sock.recv(1 << 20) == b""
            except BlockingIOError:
                return False

        self.until(ended)

    def expect_reset(self, sock: socket.socket) -> None:
        """Wait for a reset."""

        def reset() -> bool:
            try:
                sock.recv(1 << 20)
            except BlockingIOError:
                return False
            except ConnectionResetError:
                return True
            return False

        self.until(reset)


class DirectTests(SocketCase):
    """Streams between two sockets, from the beginning."""

    def test_in_use(self) -> None:
        """There are transports exactly where sockets are not enough."""
        self.assertEqual(self.sides[0]._direct is not None, self.direct)
        self.assertEqual(self.sides[0].transport is None, self.direct)

    def test_large_both_ways(self) -> None:
        """Megabytes go through both ways, whole and counted, and the stream ends when both FINs are through."""
        self.assertEqual(self.pump(self.visitor, self.service, BIG), BIG)
        self.assertEqual(self.pump(self.service, self.visitor, BIG[::-1]), BIG[::-1])
        self.visitor.shutdown(socket.SHUT_WR)
        self.expect_end(self.service)
        self.assertEqual(self.pump(self.service, self.visitor, b"still open"), b"still open")
        self.service.shutdown(socket.SHUT_WR)
        self.expect_end(self.visitor)
        self.until(lambda: self.over)
        self.assertEqual((self.over[0].bytes_in, self.over[0].bytes_out), (len(BIG), len(BIG) + 10))
        self.turn()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_back_pressure(self) -> None:
        """A service that does not read stops the visitor, and nothing is lost when it goes on."""
        sent = 0

        def stuck() -> bool:
            nonlocal sent
            try:
                sent += self.visitor.send(BIG[sent % len(BIG) :][:100000])
            except BlockingIOError:
                return not self.reading
            return False

        self.until(stuck)
        got = bytearray()

        def drain() -> bool:
            try:
                got.extend(self.service.recv(1 << 20))
            except BlockingIOError:
                pass
            return len(got) == sent

        self.until(drain)
        expected = (BIG * (sent // len(BIG) + 1))[:sent]
        self.assertEqual(bytes(got), expected)
        self.assertEqual(self.pump(self.visitor, self.service, b"goes on"), b"goes on")

    def test_end_behind_a_stuck_sink(self) -> None:
        """What was sent before the FIN arrives before it, even where the sink was stuck."""
        sent = self.fill()
        self.visitor.shutdown(socket.SHUT_WR)
        self.turn()
        got = self.all_that_arrives()
        self.assertEqual(len(got), sent)

    def test_close_behind_a_stuck_sink(self) -> None:
        """An idle stream whose sink is stuck can still be cut."""
        self.fill()
        self.idle()
        self.turn()
        self.assertEqual(len(self.over), 0 if self.direct else 1)  # a side without anything held ends at once
        self.idle()
        self.until(lambda: self.over)
        self.turn()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def all_that_arrives(self) -> bytes:
        """What the service is sent, up to the end."""
        got = bytearray()

        def drain() -> bool:
            try:
                data = self.service.recv(1 << 20)
            except BlockingIOError:
                return False
            got.extend(data)
            return not data

        self.until(drain)
        return bytes(got)

    def fill(self) -> int:
        """Send until nothing more goes in."""
        sent = rounds = 0
        while rounds < 20:
            try:
                sent += self.visitor.send(BIG[:500000])
                rounds = 0
            except BlockingIOError:
                rounds += 1
            self.turn(2)
        return sent

    def test_reset(self) -> None:
        """A reset is passed on."""
        self.pump(self.visitor, self.service, b"hello")
        self.visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.visitor.close()
        self.expect_reset(self.service)
        self.until(lambda: self.over)

    def test_reset_of_the_service(self) -> None:
        """A reset is passed on to the visitor too."""
        self.pump(self.service, self.visitor, b"hello")
        self.service.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.service.close()
        self.expect_reset(self.visitor)
        self.until(lambda: self.over)

    def test_service_resets_while_stuck(self) -> None:
        """A sink that breaks while it is full ends the stream, and its pipe is not used again."""
        self.fill()
        pool = list(pipes._pool)
        self.service.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.service.close()
        self.until(lambda: self.over)
        for pipe in pipes._pool:
            if pipe not in pool:
                self.assertRaises(BlockingIOError, os.read, pipe[0], 1)

    def test_idle_pipes(self) -> None:
        """A stream at rest holds no pipe, and those in the pool are empty."""
        self.pump(self.visitor, self.service, BIG)
        self.turn()
        if self.direct:
            self.assertEqual((self.near._pipe, self.near.other._pipe), (None, None))
        for pipe in pipes._pool:
            self.assertRaises(BlockingIOError, os.read, pipe[0], 1)

    def test_visitor_vanishes(self) -> None:
        """A visitor who closes ends the service's connection in order."""
        self.visitor.send(b"bye")
        self.visitor.close()
        self.expect_end(self.service)

    def test_little(self) -> None:
        """What is little needs no pipe: it passes where none can be had."""
        self.patch(pipes, "borrow", lambda: self.fail("a pipe"))
        self.assertEqual(self.pump(self.visitor, self.service, b"question"), b"question")
        self.assertEqual(self.pump(self.service, self.visitor, b"answer"), b"answer")

    def test_idle(self) -> None:
        """A stream on which nothing has moved for its time is closed in order, at both ends."""
        self.pump(self.visitor, self.service, b"hello")
        self.idle()
        self.expect_end(self.visitor)
        self.expect_end(self.service)
        self.until(lambda: self.over)
        self.assertIsNone(self.over[0].error)

    def test_idle_behind_a_slow_sink(self) -> None:
        """What is held when the time is up still arrives, and then the end."""
        sent = self.fill()
        self.idle()
        got = self.all_that_arrives()
        self.assertLessEqual(len(got), sent)
        self.assertGreater(len(got), 0)
        if self.direct:  # a transport waits for the service to close as well
            self.until(lambda: self.over)

    def test_aborted(self) -> None:
        """A shutdown resets both ends, and the flow is over once."""
        self.pump(self.visitor, self.service, b"hello")
        self.sides[0].abort()
        self.sides[0].abort()
        self.expect_reset(self.visitor)
        self.expect_reset(self.service)
        self.turn()
        self.assertEqual([flow.bytes_in for flow in self.over], [5])
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class JoinedTests(DirectTests):
    """The same where the target was reached by an endpoint that makes a transport, which is taken away."""

    def target(self, address: tuple[str, int]) -> Any:
        return TCP4ClientEndpoint(self.reactor, *address)


class JoinedAtOnceTests(DirectTests):
    """Likewise, by one that has it before the visitor's is set up."""

    def target(self, address: tuple[str, int]) -> Any:
        return address_endpoint(self.reactor, *address, 5.0)


class PlainRelayTests(JoinedTests):
    """Two sides with transports, as where one is a tunnel."""

    direct = False

    def setUp(self) -> None:
        self.patch(stream, "joined_directly", lambda *arguments: None)
        super().setUp()


class NoPipeTests(SocketCase):
    """A process without descriptors for pipes."""

    def setUp(self) -> None:
        """The visitor sends as much as is worth a splice from then on."""
        super().setUp()
        self.patch(end, "MUCH", 5)
        self.assertEqual(self.pump(self.visitor, self.service, b"hello"), b"hello")
        self.borrow = pipes.borrow
        self.patch(pipes, "borrow", self.fail_to_borrow)
        self.patch(end, "NO_PIPE_PAUSE", 0.05)
        self.visitor.send(b"hello")
        self.turn()

    def fail_to_borrow(self) -> Any:
        raise OSError(24, "Too many open files")

    def test_waits(self) -> None:
        """Without a pipe the stream rests, and goes on when there is one again."""
        self.assertEqual(self.near.received, 5)
        self.assertFalse(self.reading)
        self.patch(pipes, "borrow", self.borrow)
        got = bytearray()

        def came() -> bool:
            try:
                got.extend(self.service.recv(100))
            except BlockingIOError:
                pass
            return bytes(got) == b"hello"

        self.until(came)

    def test_lost_meanwhile(self) -> None:
        """The wait for a pipe ends with the stream."""
        self.sides[0].abort()
        self.until(lambda: self.over)
        self.turn()
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class DiallingCase(LoopCase):
    """A visitor with a socket whose target is being dialled."""

    def setUp(self) -> None:
        super().setUp()
        self.dials: list[Any] = []
        self.patch(stream, "dial", self.dial)
        self.over: list[Flow] = []
        self.visitor, self.accepted = self.pair()
        self.next_target: list[Any] = []
        self.left = 0

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """Two ends of one TCP connection, the second of which does not block."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            here = socket.create_connection(listening.getsockname(), 5)
            there, _ = listening.accept()
        self.addCleanup(here.close)
        there.setblocking(False)
        return here, there

    def dial(self, reactor: Any, address: Any, timeout: float, done: Any) -> Any:
        self.dials.append((address, timeout, done))
        return self

    def cancel(self) -> None:
        """As `Dialling.cancel`."""
        self.left += 1

    def visit(self, data: bytes = b"") -> Any:
        """The visitor arrives, and the first target is dialled."""
        backend = Backend(PlainTarget(("192.0.2.1", 7)), *self.next_target)
        factory = StreamFactory(backend, "tcp", self.reactor, [self.over.append], dial_timeout=3.0)
        side = factory.buildProtocol(None)
        side.take_socket(self.accepted, ("127.0.0.1", 1), data)
        return side


class DiallingTests(DiallingCase):
    """From the visitor's socket to the first of the backend's targets."""

    def test_connected(self) -> None:
        """What the visitor has sent already goes first, and both directions are counted."""
        self.visit(b"hello ")
        ((address, timeout, done),) = self.dials
        self.assertEqual((address, timeout), (("192.0.2.1", 7), 3.0))
        self.visitor.sendall(b"world")
        service, far = self.pair()
        done(far, None)
        self.turn()
        service.settimeout(1)
        self.assertEqual(service.recv(100), b"hello world")
        service.sendall(b"bye")
        service.close()
        self.visitor.close()
        self.until(lambda: self.over)
        self.assertEqual((self.over[0].bytes_in, self.over[0].bytes_out), (11, 3))

    def test_unreachable(self) -> None:
        """A target that refuses is noted, and the next one has the visitor with all that was said."""
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        self.next_target = [address_endpoint(self.reactor, *listening.getsockname(), 5.0)]
        side = self.visit(b"hello")
        self.dials[0][2](None, ConnectionRefusedError())
        self.assertEqual(len(side.flow.tried), 1)
        service, _ = listening.accept()
        service.settimeout(1)
        self.addCleanup(service.close)
        self.turn()
        self.assertEqual(service.recv(100), b"hello")
        self.assertIsNone(side.transport)
        self.assertEqual(side._direct.near.received, 5)

    def test_left_at_the_second(self) -> None:
        """A visitor who leaves while the next one is dialled ends that attempt, though the first failed at once."""
        second = Endpoint()
        self.next_target = [second]
        self.patch(stream, "dial", lambda reactor, address, timeout, done: done(None, ConnectionRefusedError()))
        side = self.visit()
        self.assertEqual((len(second.attempts), second.cancelled), (1, 0))
        reset(self.visitor)
        self.until(lambda: self.over)
        self.assertEqual((side.lost, second.cancelled), (True, 1))

    def test_nobody(self) -> None:
        """Where that was the last one the visitor is reset, and the flow says why."""
        self.visit()
        self.dials[0][2](None, ConnectTimeout())
        self.until(lambda: self.over)
        self.assertIsInstance(self.over[0].error, UpstreamTimeout)
        self.assertRaises(ConnectionResetError, self.visitor.recv, 1)

    def test_refused(self) -> None:
        """A refusal has an error of its own."""
        self.visit()
        self.dials[0][2](None, ConnectionRefusedError())
        self.until(lambda: self.over)
        self.assertIsInstance(self.over[0].error, UpstreamUnreachable)

    def test_aborted(self) -> None:
        """A shutdown in the midst of it gives up the attempt, and resets the visitor."""
        side = self.visit()
        side.abort()
        self.assertEqual((self.left, len(self.over)), (1, 1))
        self.assertRaises(ConnectionResetError, self.visitor.recv, 1)

    def test_broken_backend(self) -> None:
        """A backend that fails is logged; the visitor is reset, and the flow ends."""

        class Broken:
            def candidates(self, flow: Flow) -> Any:
                raise ZeroDivisionError

        side = StreamFactory(Broken(), "tcp", self.reactor, [self.over.append]).buildProtocol(None)
        side.take_socket(self.accepted, ("127.0.0.1", 1), b"")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIs(type(self.over[0].error), EdgeError)
        self.assertRaises(ConnectionResetError, self.visitor.recv, 1)

    def test_a_real_one(self) -> None:
        """An attempt that takes its time ends with the visitor's, and leaves nothing behind."""
        self.patch(stream, "dial", dial)
        listening = socket.socket()
        self.addCleanup(listening.close)
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for sock in waiting:
            self.addCleanup(sock.close)
            sock.setblocking(False)
            sock.connect_ex(listening.getsockname())
        backend = Backend(PlainTarget(listening.getsockname()))
        side = StreamFactory(backend, "tcp", self.reactor, [self.over.append]).buildProtocol(None)
        side.take_socket(self.accepted, ("127.0.0.1", 1), b"")
        self.assertIsInstance(side._dialling, Dialling)
        side.abort()
        self.assertEqual((self.reactor.getDelayedCalls(), self.reactor.getWriters()), ([], []))


class NotDirectTests(SynchronousTestCase):
    """Where sockets are not enough."""

    def test_other_transports(self) -> None:
        """Transports that are not plain sockets are relayed by us."""

        class Plain:
            transport = object()

        self.assertIsNone(joined_directly(Plain(), Plain(), Clock(), 1.0, self.fail))
