"""A reactor of our own kind that a synchronous test turns by hand."""

from __future__ import annotations

from time import monotonic
from typing import Any, Callable

from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.net.reactor import LeanEPollReactor

# Loopback answers in microseconds; this is for a machine that is busy with something else.
PATIENCE = 5.0


class Recorder(Protocol):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.lost: Any = None
        self.connected_times = 0

    def connectionMade(self) -> None:
        self.connected_times += 1

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = reason


class LoopCase(SynchronousTestCase):
    """Has ``self.reactor`` and ways to turn it until something is true."""

    def setUp(self) -> None:
        self.reactor = LeanEPollReactor()
        self.addCleanup(self._dispose)

    def _dispose(self) -> None:
        for selectable in self.reactor.removeAll():
            sock = getattr(selectable, "socket", None)
            if sock is not None:
                sock.close()
        for call in self.reactor.getDelayedCalls():
            call.cancel()
        for internal in tuple(self.reactor._internalReaders):
            self.reactor.removeReader(internal)
            internal.connectionLost(None)
        self.reactor._poller.close()

    def turn(self, times: int = 5) -> None:
        """Let the reactor run a few rounds without waiting."""
        for _ in range(times):
            self.reactor.runUntilCurrent()
            self.reactor.doIteration(0)

    def until(self, condition: Callable[[], Any]) -> None:
        """Turn the reactor until the condition holds; fail after `PATIENCE`."""
        deadline = monotonic() + PATIENCE
        while not condition():
            if monotonic() > deadline:
                self.fail("waited in vain")
            self.reactor.runUntilCurrent()
            self.reactor.doIteration(0.005)

    def listen(self, build: Callable[[], Any]) -> tuple[Any, list[Any]]:
        """
        :return: the port, and the list of the protocols it has built so far.
        """
        built: list[Any] = []

        class Serving(Factory):
            noisy = False

            def buildProtocol(self, addr: Any) -> Any:
                protocol = build()
                if protocol is not None:
                    protocol.factory = self
                    built.append(protocol)
                return protocol

        port = self.reactor.listenTCP(0, Serving(), interface="127.0.0.1")
        return port, built
