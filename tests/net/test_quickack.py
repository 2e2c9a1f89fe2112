"""Tests of `ngrok_twisted.net.quickack`."""

from __future__ import annotations

import socket
from time import monotonic
from typing import Any
from unittest import skipUnless

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.net import quickack
from ngrok_twisted.net.quickack import acknowledger, socket_under
from ngrok_twisted.net.tls import TLSConnection, TLSServer
from tests.net.certificates import NAME, client_context, server_context
from tests.net.loop import LoopCase, Recorder
from tests.net.wire import Wire


class Layer:
    """What stands on a transport, and is one itself."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport


class Bottom:
    """A transport on a socket."""

    def __init__(self, sock: Any) -> None:
        self.socket = sock


class FakeSocket:
    """Notes its options."""

    def __init__(self, error: OSError | None = None) -> None:
        self.options: list[tuple[int, ...]] = []
        self.error = error

    def setsockopt(self, *option: int) -> None:
        if self.error is not None:
            raise self.error
        self.options.append(option)


class AcknowledgerTests(SynchronousTestCase):
    """Finding the socket, and what is done with it."""

    def test_socket(self) -> None:
        """It is found through whatever stands on it, and may be absent."""
        sock = FakeSocket()
        self.assertIs(socket_under(Bottom(sock)), sock)
        self.assertIs(socket_under(Layer(Layer(Bottom(sock)))), sock)
        self.assertIsNone(socket_under(Layer(StringTransport())))

    def test_each_time(self) -> None:
        """The option is set again at each call, since the kernel forgets it."""
        self.patch(quickack, "_QUICKACK", 12)
        sock = FakeSocket()
        acknowledge = acknowledger(Layer(Bottom(sock)))
        acknowledge()
        acknowledge()
        self.assertEqual(sock.options, [(socket.IPPROTO_TCP, 12, 1)] * 2)

    def test_impossible(self) -> None:
        """Without a socket, on another platform, or on a connection that is gone, nothing happens."""
        acknowledger(StringTransport())()
        acknowledger(Bottom(FakeSocket(OSError(9, "Bad file descriptor"))))()
        self.patch(quickack, "_QUICKACK", None)
        sock = FakeSocket()
        acknowledger(Bottom(sock))()
        self.assertEqual(sock.options, [])

    @skipUnless(hasattr(socket, "TCP_QUICKACK"), "only Linux has quick acknowledgements")
    def test_option(self) -> None:
        """Where the platform has the option, it is the one of TCP."""
        self.assertEqual(quickack._QUICKACK, socket.TCP_QUICKACK)


class TLSTests(SynchronousTestCase):
    """On a connection that is inside TLS."""

    def test_each_read(self) -> None:
        """Every read of the socket is acknowledged from then on, also one that completes no record; none after the end."""
        self.patch(quickack, "_QUICKACK", 12)
        sock = FakeSocket()
        clock = Clock()

        def build(transport: TLSConnection) -> Recorder:
            transport.transport.socket = sock
            transport.acknowledge_at_once()
            return Recorder()

        server = TLSServer(server_context(), build, clock=clock)
        client = TLSConnection(client_context(), Recorder(), clock=clock, server_side=False, server_hostname=NAME)
        wire = Wire(client, server)
        wire.run()
        before = len(sock.options)
        client.write(b"x" * 100)
        wire.run(most=10)
        self.assertEqual(bytes(server.protocol.received), b"x" * 100)
        self.assertGreater(len(sock.options), before + 10)
        client.abortConnection()
        wire.run()
        self.assertIsNone(server._acknowledge)


class Answering(Recorder):
    """Acknowledges at once, and answers a word and what follows it with one byte."""

    transport: Any

    def connectionMade(self) -> None:
        self.acknowledge = acknowledger(self.transport)

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        if not len(self.received) % 14:
            self.transport.write(b"!")
        self.acknowledge()


class SocketTests(LoopCase):
    """On a real connection."""

    @skipUnless(hasattr(socket, "TCP_QUICKACK"), "only Linux has quick acknowledgements")
    def test_nagle(self) -> None:
        """A peer that sends in small pieces and has left Nagle's algorithm on does not wait for delayed acknowledgements."""
        port, built = self.listen(Answering)
        with socket.create_connection(("127.0.0.1", port.getHost().port)) as client:
            began = monotonic()
            for number in range(1, 21):
                client.sendall(b"word")
                client.sendall(b"what comes")
                self.until(lambda: built and len(built[0].received) == 14 * number)
                client.recv(1)
            # 0.8 seconds with delayed ones: 40 ms each.
            self.assertLess(monotonic() - began, 0.4)
        port.stopListening()
