"""Tests of `ngrok_twisted.net.dial`."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import (
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    ConnectingCancelledError,
    NoProtocol,
    TimeoutError as ConnectTimeout,
)
from twisted.internet.interfaces import IStreamClientEndpoint, ITCPTransport
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.interfaces import IBatchTransport
from ngrok_twisted.net.dial import AddressEndpoint, address_endpoint, dial
from tests.net.loop import LoopCase, Recorder


class Building(Factory):
    """Gives one prepared answer."""

    noisy = False

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self.address: Any = None

    def buildProtocol(self, addr: Any) -> Any:
        self.address = addr
        return self._protocol


class Failing(Recorder):
    """Cannot be connected."""

    def connectionMade(self) -> None:
        raise ZeroDivisionError


class DialTests(LoopCase):
    """Connections to a port that a test has opened."""

    def dial(self, port: int, protocol: Any, timeout: float = 5.0) -> Any:
        """Ask for a connection."""
        self.factory = Building(protocol)
        endpoint = AddressEndpoint(self.reactor, "127.0.0.1", port, timeout)
        verifyObject(IStreamClientEndpoint, endpoint)
        return endpoint.connect(self.factory)

    def stuck(self) -> int:
        """A port whose queue is full: who connects waits."""
        listener = socket.socket()
        self.addCleanup(listener.close)
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = socket.socket()
            self.addCleanup(waiting.close)
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        port: int = listener.getsockname()[1]
        return port

    def test_connected(self) -> None:
        """The protocol is told of its transport, then whoever asked; bytes go both ways, and the end comes once."""
        port, built = self.listen(Recorder)
        here = Recorder()
        made: list[Any] = []
        self.dial(port.getHost().port, here).addCallback(made.append)
        self.until(lambda: made and built)
        self.assertEqual((made, here.connected_times), ([here], 1))
        transport: Any = here.transport
        verifyObject(ITCPTransport, transport)
        verifyObject(IBatchTransport, transport)
        self.assertEqual((self.factory.address, transport.getPeer()), (port.getHost(), port.getHost()))
        self.assertEqual(transport.getHost(), built[0].transport.getPeer())
        self.assertTrue(transport.getTcpNoDelay())
        self.assertIn("Recorder,client", transport.logPrefix())
        transport.write(b"there")
        built[0].transport.write(b"back")
        self.until(lambda: (built[0].received, here.received) == (b"there", b"back"))
        built[0].transport.loseConnection()
        self.until(lambda: here.lost)
        here.lost.trap(ConnectionDone)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_refused(self) -> None:
        """Nobody listens: the attempt fails as one of Twisted's does."""
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            connecting = self.dial(closed.getsockname()[1], Recorder())
            failed: list[Any] = []
            connecting.addErrback(failed.append)
            self.until(lambda: failed)
        failed[0].trap(ConnectionRefusedError)
        self.assertEqual((self.reactor.getDelayedCalls(), self.reactor.getWriters()), ([], []))

    def test_timeout(self) -> None:
        """Nobody answers: the attempt ends when its time is up."""
        failed: list[Any] = []
        self.dial(self.stuck(), Recorder(), 0.01).addErrback(failed.append)
        self.until(lambda: failed)
        failed[0].trap(ConnectTimeout)
        self.assertEqual(self.reactor.getWriters(), [])

    def test_another_s_event(self) -> None:
        """An event that was meant for the socket which had the number before does not pass for a connection."""
        made: list[Any] = []
        dialling = dial(self.reactor, ("127.0.0.1", self.stuck()), 5.0, lambda *result: made.append(result))
        assert dialling is not None
        dialling.doWrite()
        self.assertEqual(made, [])
        self.assertIn(dialling, self.reactor.getWriters())
        dialling.cancel()

    def test_cancelled(self) -> None:
        """Whoever asked may give up."""
        connecting = self.dial(self.stuck(), Recorder())
        connecting.cancel()
        error = self.failureResultOf(connecting, ConnectingCancelledError, CancelledError).value
        self.assertEqual(error.address.host, "127.0.0.1")
        self.assertEqual((self.reactor.getDelayedCalls(), self.reactor.getWriters()), ([], []))

    def test_no_protocol(self) -> None:
        """A factory without a protocol, or whose protocol fails, fails the attempt, and the connection is reset."""
        port, built = self.listen(Recorder)
        for number, (protocol, error) in enumerate(((None, NoProtocol), (Failing(), ZeroDivisionError))):
            failed: list[Any] = []
            self.dial(port.getHost().port, protocol).addErrback(failed.append)
            self.until(lambda: failed and len(built) > number and built[number].lost)
            failed[0].trap(error)
            built[number].lost.trap(ConnectionLost)

    def test_unreachable(self) -> None:
        """What the kernel refuses at once fails at once."""
        endpoint = AddressEndpoint(self.reactor, "255.255.255.255", 1, 5.0)
        self.failureResultOf(endpoint.connect(Building(Recorder())))
        self.assertEqual((self.reactor.getDelayedCalls(), self.reactor.getWriters()), ([], []))


class ChoiceTests(SynchronousTestCase):
    """Who dials."""

    def test_other_reactors(self) -> None:
        """Where the reactor is another, and for addresses with a scope, Twisted's endpoints serve."""
        reactor = MemoryReactorClock()
        self.assertIsInstance(address_endpoint(reactor, "192.0.2.1", 1, 1.0), TCP4ClientEndpoint)
        self.assertIsInstance(address_endpoint(reactor, "2001:db8::1", 1, 1.0), TCP6ClientEndpoint)
