"""Tests of the relay over real sockets, with and without splice(2)."""

from __future__ import annotations

import os
import socket
import struct
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.flow import Flow
from ngrok_twisted.upstream import splice as splicing, stream
from ngrok_twisted.upstream.stream import StreamFactory
from tests.net.loop import LoopCase
from tests.upstream.test_stream import Backend

BIG = os.urandom(4 << 20)


class SocketCase(LoopCase):
    """Real sockets: a visitor, the relay, and a service, all of which the test holds."""

    spliced = True
    options: dict[str, Any] = {}

    def setUp(self) -> None:
        super().setUp()
        if not self.spliced:
            self.patch(stream, "splice", lambda first, second, clock: None)
        self.over: list[Flow] = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listening.close)
        endpoint = TCP4ClientEndpoint(self.reactor, "127.0.0.1", self.listening.getsockname()[1])
        self.factory = StreamFactory(Backend(endpoint), "tcp", self.reactor, [self.over.append], **self.options)
        build, self.sides = self.factory.buildProtocol, []
        self.factory.buildProtocol = lambda addr: self.sides.append(build(addr)) or self.sides[-1]  # type: ignore
        self.port = self.reactor.listenTCP(0, self.factory, interface="127.0.0.1")
        self.visitor = socket.create_connection(("127.0.0.1", self.port.getHost().port))
        self.addCleanup(self.visitor.close)
        self.listening.setblocking(False)
        self.until(self._accept)
        self.until(lambda: self.sides and self.sides[0].other is not None)
        self.visitor.setblocking(False)

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


class SpliceTests(SocketCase):
    """Streams whose bytes the kernel moves."""

    def test_in_use(self) -> None:
        """Two plain sockets are spliced exactly when this is wanted."""
        self.assertEqual(self.sides[0]._spliced is not None, self.spliced)

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
                return self.sides[0].transport not in self.reactor.getReaders()
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
        got = bytearray()

        def drain() -> bool:
            try:
                data = self.service.recv(1 << 20)
            except BlockingIOError:
                return False
            got.extend(data)
            return not data

        self.until(drain)
        self.assertEqual(len(got), sent)

    def test_close_behind_a_stuck_sink(self) -> None:
        """An idle stream whose sink is stuck can still be cut."""
        self.fill()
        self.sides[0]._idle()
        self.turn()
        self.sides[0]._idle()
        self.until(lambda: self.over)
        self.turn()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

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
        pool = list(splicing._pool)
        self.service.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.service.close()
        self.until(lambda: self.over)
        for pipe in splicing._pool:
            if pipe not in pool:
                self.assertRaises(BlockingIOError, os.read, pipe[0], 1)

    def test_idle_pipes(self) -> None:
        """A stream at rest holds no pipe, and those in the pool are empty."""
        self.pump(self.visitor, self.service, BIG)
        self.turn()
        if self.spliced:
            self.assertEqual([direction._pipe for direction in self.sides[0]._spliced._directions], [None, None])
        for pipe in splicing._pool:
            self.assertRaises(BlockingIOError, os.read, pipe[0], 1)

    def test_visitor_vanishes(self) -> None:
        """A visitor who closes ends the service's connection in order."""
        self.visitor.send(b"bye")
        self.visitor.close()
        self.until(lambda: self.sides[0].finished)
        self.expect_end(self.service)

    def test_little(self) -> None:
        """What is little needs no pipe: it passes where none can be had."""
        self.patch(splicing, "_pool", [])
        self.patch(splicing, "_new_pipe", lambda: self.fail("a pipe"))
        self.assertEqual(self.pump(self.visitor, self.service, b"question"), b"question")
        self.assertEqual(self.pump(self.service, self.visitor, b"answer"), b"answer")


class PlainRelayTests(SpliceTests):
    """The same without the kernel's help."""

    spliced = False


class NoPipeTests(SocketCase):
    """A process without descriptors for pipes."""

    def setUp(self) -> None:
        """The visitor sends as much as is worth a splice from then on."""
        super().setUp()
        self.patch(splicing, "MUCH", 5)
        self.assertEqual(self.pump(self.visitor, self.service, b"hello"), b"hello")

    def test_waits(self) -> None:
        """Without a pipe the stream rests, and goes on when there is one again."""
        make = splicing._new_pipe
        pool, splicing._pool[:] = list(splicing._pool), []
        self.addCleanup(splicing._pool.extend, pool)

        def fail() -> None:
            raise OSError(24, "Too many open files")

        self.patch(splicing, "_new_pipe", fail)
        self.patch(splicing, "NO_PIPE_PAUSE", 0.05)
        self.visitor.send(b"hello")
        self.turn()
        self.assertEqual(self.sides[0].received, 5)
        self.assertNotIn(self.sides[0].transport, self.reactor.getReaders())
        self.patch(splicing, "_new_pipe", make)
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
        self.patch(splicing, "_pool", [])

        def fail() -> None:
            raise OSError(24, "Too many open files")

        self.patch(splicing, "_new_pipe", fail)
        self.visitor.send(b"hello")
        self.turn()
        self.sides[0].abort()
        self.until(lambda: self.over)
        self.turn()
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class NotSplicedTests(SynchronousTestCase):
    """Where splicing is out of the question."""

    def test_other_transports(self) -> None:
        """Transports that are not plain sockets are relayed by us."""

        class Plain:
            transport = object()

        self.assertIsNone(splicing.splice(Plain(), Plain(), Clock()))
