"""Tests of `ngrok_twisted.net.accepting`."""

from __future__ import annotations

import errno
import os
import resource
import socket
from typing import Any


from ngrok_twisted.net import eager
from tests.net.loop import LoopCase, Recorder


class PortTests(LoopCase):
    """Accepting."""

    def connect(self, port: Any) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", port.getHost().port))
        self.addCleanup(sock.close)
        return sock

    def test_many_at_once(self) -> None:
        """A burst of connections is accepted in a few turns."""
        port, built = self.listen(Recorder)
        for _ in range(40):
            self.connect(port)
        self.turn(3)
        self.assertEqual(len(built), 40)

    def test_refusing_factory(self) -> None:
        """A factory that builds nothing closes the connection."""
        port, _ = self.listen(lambda: None)
        sock = self.connect(port)
        self.turn()
        sock.settimeout(5)
        self.assertEqual(sock.recv(1), b"")

    def test_failing_protocol(self) -> None:
        """A protocol that fails to start costs its own connection only, and is logged."""

        class Failing(Recorder):
            def connectionMade(self) -> None:
                raise ValueError("no")

        kinds = [Failing, Recorder]
        port, built = self.listen(lambda: kinds.pop(0)())
        first, _ = self.connect(port), self.connect(port)
        self.until(lambda: len(built) == 2 and built[1].transport)
        self.turn()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        first.settimeout(5)
        self.assertRaises(ConnectionResetError, first.recv, 1)
        self.assertIsNone(built[1].lost)

    def test_failing_factory(self) -> None:
        """A factory that raises costs one connection, which is closed."""

        def fail() -> None:
            raise ValueError("no")

        port, _ = self.listen(fail)
        sock = self.connect(port)
        self.turn()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        sock.settimeout(5)
        self.assertEqual(sock.recv(1), b"")

    def test_free_at_once(self) -> None:
        """When a port has stopped listening, its address can be had again in the same turn."""
        port, _ = self.listen(Recorder)
        number = port.getHost().port
        stopped = port.stopListening()
        again = self.reactor.listenTCP(number, port.factory, interface="127.0.0.1")
        self.assertIsNone(self.successResultOf(stopped))
        self.assertIsNone(port.stopListening())
        self.turn()
        self.assertIn(again, self.reactor.getReaders())
        self.assertNotIn(port, self.reactor.getReaders())

    def test_out_of_descriptors(self) -> None:
        """Without descriptors the port rests, visitors wait, and are served when there are some again."""
        port, built = self.listen(Recorder)
        waiting = [self.connect(port) for _ in range(3)]
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        logged = self.log_events()
        # As many as are open now: not one more.
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))), hard))
        self.fill_gaps()
        self.turn()
        self.assertEqual(built, [])
        self.assertNotIn(port, self.reactor.getReaders())
        port._resting.reset(0)
        self.turn()
        self.assertEqual(built, [])
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        port._resting.reset(0)
        self.until(lambda: len(built) == 3)
        self.assertEqual(len([event for event in logged if "cannot accept" in event["log_format"]]), 1)
        for sock in waiting:
            sock.close()

    def fill_gaps(self) -> None:
        """Use up the free numbers below the limit."""
        taken: list[int] = []
        try:
            while True:
                taken.append(os.dup(0))
        except OSError as error:
            self.assertEqual(error.errno, errno.EMFILE)
        for fd in taken:
            self.addCleanup(os.close, fd)

    def log_events(self) -> list[Any]:
        from twisted.logger import globalLogPublisher

        events: list[Any] = []

        def note(event: Any) -> None:
            if event.get("log_format"):
                events.append(event)

        globalLogPublisher.addObserver(note)
        self.addCleanup(globalLogPublisher.removeObserver, note)
        return events

    def test_stops_while_resting(self) -> None:
        """A resting port can be closed, and leaves no timer."""
        port, _ = self.listen(Recorder)
        port._rest(OSError(errno.ENFILE, "none left"))
        done: list[Any] = []
        port.stopListening().addCallback(done.append)
        self.until(lambda: done)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_told_to_rest(self) -> None:
        """Who stops a port from accepting is not overruled when its rest is over."""
        port, built = self.listen(Recorder)
        port._rest(OSError(errno.ENFILE, "none left"))
        port.stopReading()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.connect(port)
        self.turn(20)
        self.assertEqual(built, [])
        port.startReading()
        self.until(lambda: built)
        port.stopListening()

    def test_adopted(self) -> None:
        """A listening socket that was made elsewhere gets eager transports too."""
        from twisted.internet.protocol import Factory

        listening = socket.create_server(("127.0.0.1", 0))
        listening.setblocking(False)
        self.addCleanup(listening.close)
        built: list[Any] = []
        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = lambda addr: built.append(Recorder()) or built[-1]  # type: ignore
        port = self.reactor.adoptStreamPort(listening.fileno(), socket.AF_INET, factory)
        self.connect(port)
        self.until(lambda: built and built[0].transport)
        self.assertIsInstance(built[0].transport, eager.EagerServer)
        self.assertTrue(built[0].transport.getTcpNoDelay())

    def test_adopted_connection(self) -> None:
        """A connected socket that was made elsewhere becomes an eager transport."""
        from twisted.internet.protocol import Factory

        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        ours = socket.create_connection(listening.getsockname())
        theirs, _ = listening.accept()
        self.addCleanup(theirs.close)
        ours.setblocking(False)
        protocol = Recorder()
        factory = Factory()
        factory.buildProtocol = lambda addr: protocol  # type: ignore
        self.reactor.adoptStreamConnection(ours.fileno(), socket.AF_INET, factory)
        ours.close()
        self.assertTrue(protocol.transport.getTcpNoDelay())
        protocol.transport.write(b"hello")
        self.assertEqual(theirs.recv(10), b"hello")
