"""
Tests for `ngrok_twisted.net.listening`, with real sockets on loopback: only the kernel knows who waits.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import _SystemdParser, serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.python.systemd import ListenFDs
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.net import listening
from ngrok_twisted.net.inherited import InheritedSockets
from ngrok_twisted.net.listening import (
    BACKLOG,
    CannotListen,
    Listener,
    interface_of,
    port_of,
    why_not,
    with_backlog,
)
from tests.net.loop import LoopCase, Recorder

LOOPBACK = "tcp:0:interface=127.0.0.1"


class ListenerTests(LoopCase):
    """A listener is bound at one moment and accepts from another."""

    def listener(self, description: str = LOOPBACK, **options: Any) -> Listener:
        """Whose connections are in ``self.built``."""
        self.built: list[Recorder] = []

        class Serving(Factory):
            noisy = False

            def buildProtocol(factory, addr: Any) -> Recorder:
                self.built.append(Recorder())
                return self.built[-1]

        return Listener(self.reactor, "https", description, Serving(), **options)

    def connect(self, listener: Listener) -> socket.socket:
        """A visitor."""
        assert listener.public_port is not None
        visitor = socket.create_connection(("127.0.0.1", listener.public_port), 5)
        self.addCleanup(visitor.close)
        return visitor

    def close(self, listener: Listener) -> None:
        """Close it, and wait until it is closed."""
        done: list[Any] = []
        listener.close().addBoth(done.append)
        self.until(lambda: done)
        self.assertEqual(done, [None])

    def test_bound_but_not_accepting(self) -> None:
        """Visitors who come between wait, and are let in when it accepts."""
        listener = self.listener()
        self.assertIsNone(listener.public_port)
        listener.bind()
        self.assertGreater(listener.public_port or 0, 0)
        visitor = self.connect(listener)
        visitor.sendall(b"early")
        self.turn(20)
        self.assertEqual(self.built, [])
        listener.accept()
        self.until(lambda: self.built and self.built[0].received == b"early")
        self.close(listener)

    def test_close(self) -> None:
        """A closed one accepts nobody, and whoever is in stays."""
        listener = self.listener()
        listener.bind()
        listener.accept()
        visitor = self.connect(listener)
        self.until(lambda: self.built)
        port = listener.public_port
        self.close(listener)
        self.assertIsNone(listener.public_port)
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)
        visitor.sendall(b"still here")
        self.until(lambda: self.built[0].received == b"still here")

    def test_close_early(self) -> None:
        """One that was never bound, or is closed already, can be closed; accepting then does nothing."""
        listener = self.listener()
        self.close(listener)
        listener.bind()
        self.close(listener)
        self.close(listener)
        listener.accept()

    def test_in_use(self) -> None:
        """A port that somebody else has: the sentence names the key, the endpoint and the cause."""
        other = socket.socket()
        self.addCleanup(other.close)
        other.bind(("127.0.0.1", 0))
        other.listen()
        description = f"tcp:{other.getsockname()[1]}:interface=127.0.0.1"
        error = self.assertRaises(CannotListen, self.listener(description).bind)
        self.assertEqual(str(error), f"listen.https ({description}): Address already in use")
        self.assertRaises(CannotListen, self.listener(description, optional=True).bind)

    def test_address_of_others(self) -> None:
        """An address that this machine does not have is an error, or passed over where it is optional."""
        description = "tcp:0:interface=192.0.2.1"
        error = self.assertRaises(CannotListen, self.listener(description).bind)
        self.assertIn("Cannot assign requested address", str(error))
        listener = self.listener(description, optional=True)
        listener.bind()
        self.assertIsNone(listener.public_port)
        listener.accept()
        self.close(listener)

    def test_rest(self) -> None:
        """One that rests accepts nobody, not even after it had run out of descriptors; who came meanwhile is let in later."""
        listener = self.listener()
        listener.rest()  # nothing to do yet
        listener.bind()
        listener.accept()
        port = listener._port
        port._rest(OSError(errno.EMFILE, "too many"))
        self.addCleanup(self.close, listener)
        listener.rest()
        self.assertIsNone(port._resting)
        visitor = self.connect(listener)
        self.turn(20)
        self.assertEqual(self.built, [])
        listener.accept()
        self.until(lambda: self.built)
        visitor.close()

    def test_hand_over(self) -> None:
        """Its socket can be taken by another listener, and whoever waits goes along."""
        listener = self.listener()
        self.assertIsNone(listener.hand_over())
        listener.bind()
        descriptor = listener.hand_over()
        assert descriptor is not None
        visitor = self.connect(listener)
        visitor.sendall(b"waiting")
        inherited = InheritedSockets([(LOOPBACK, os.dup(descriptor))])
        after = self.listener()
        after.adopt(inherited)
        after.bind()
        self.assertEqual((after.public_port, len(inherited)), (listener.public_port, 0))
        listener._port.connectionLost = lambda reason: None
        listener._port.socket.close()  # as with the end of a program: nothing is shut down
        after.accept()
        self.until(lambda: self.built and self.built[0].received == b"waiting")
        self.close(after)

    def test_backlog_changed(self) -> None:
        """The number of those who may wait is that of the new endpoint string."""
        asked: list[int] = []

        class Socket:
            def listen(self, backlog: int) -> None:
                asked.append(backlog)

        for description in ("tcp:0", "tcp:0:backlog=7", "tcp6:0:9", "tcp:0:127.0.0.1:5"):
            listener = self.listener(description)
            self.patch(listener, "_listen_with", lambda found: None)
            listener.adopt(Taking(Socket()))
        self.assertEqual(asked, [BACKLOG, 7, 9, 5])

    def test_nothing_to_adopt(self) -> None:
        """Without a socket from before it is bound; one of systemd's is never looked for there."""
        listener = self.listener()
        listener.adopt(InheritedSockets())
        self.assertIsNone(listener.public_port)
        self.listener("systemd:domain=INET:index=0").adopt(Taking(None))

    def test_activated(self) -> None:
        """A socket that systemd opened is duplicated, accepts when it should, and outlives the listener."""
        held = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(held.close)
        self.patch(_SystemdParser, "_sddaemon", ListenFDs([held.fileno()], ["https"]))
        for which in ("index=0", "name=https"):
            listener = self.listener(f"systemd:domain=INET:{which}")
            listener.bind()
            self.assertEqual(listener.public_port, held.getsockname()[1])
            self.assertIsNone(listener.hand_over())
            visitor = self.connect(listener)
            self.turn(20)
            self.assertEqual(self.built, [])
            listener.accept()
            self.until(lambda: self.built)
            self.close(listener)
            visitor.close()
            socket.create_connection(held.getsockname(), 5).close()  # it waits for the next one
            held.accept()[0].close()

    def test_not_activated(self) -> None:
        """Without systemd there is no such socket, which is said in a sentence."""
        self.patch(_SystemdParser, "_sddaemon", ListenFDs([], []))
        error = self.assertRaises(CannotListen, self.listener("systemd:domain=INET:index=0").bind)
        self.assertEqual(
            str(error),
            "listen.https (systemd:domain=INET:index=0): systemd gave this process 0 sockets, and this is none of them",
        )

    def test_nonsense(self) -> None:
        """What is no endpoint string is refused in a sentence, too."""
        for description in ("nonsense:1", "tcp:1:colour=blue", "tcp:http:interface=x"):
            error = self.assertRaises(CannotListen, self.listener(description).bind)
            self.assertTrue(str(error).startswith(f"listen.https ({description}): "), error)


class OtherEndpointTests(SynchronousTestCase):
    """What the kernel of this machine does not do."""

    def listener(self, result: Any, **options: Any) -> Listener:
        """One whose endpoint gives this result."""

        class Endpoint:
            def listen(self, factory: Any) -> Any:
                return result

        self.patch(listening, "serverFromString", lambda reactor, description: Endpoint())
        return Listener(MemoryReactorClock(), "ssh", "odd:1", Factory(), **options)

    def test_no_ipv6(self) -> None:
        """A machine without IPv6 says so in another way, which is passed over as well."""

        error = CannotListenError("::1", 1, OSError(errno.EAFNOSUPPORT, "Address family not supported"))
        listener = self.listener(fail(error), optional=True)
        listener.bind()
        self.assertIsNone(listener.public_port)

    def test_too_slow(self) -> None:
        """An endpoint that is not there at once cannot be bound before privileges are dropped."""
        cancelled: list[Any] = []
        listener = self.listener(Deferred(cancelled.append))
        error = self.assertRaises(CannotListen, listener.bind)
        self.assertIn("takes too long", str(error))
        self.assertEqual(len(cancelled), 1)


class Taking:
    """Has one socket for whoever asks."""

    def __init__(self, found: Any) -> None:
        self.found = found

    def take(self, description: str) -> Any:
        assert not description.startswith("systemd:")
        return self.found


class WhyNotTests(SynchronousTestCase):
    """Whether an address can be had."""

    def test_free(self) -> None:
        """A free one can, and is left free; what has no address is not tried."""
        for description in (LOOPBACK, r"tcp6:0:interface=\:\:1", "systemd:domain=INET:index=0", "unix:/nowhere"):
            self.assertEqual(why_not(description), "", description)

    def test_taken(self) -> None:
        """One that somebody has cannot, nor one that is not here."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            self.assertEqual(why_not(f"tcp:{port}:interface=127.0.0.1"), "Address already in use")
        self.assertEqual(why_not("tcp:0:interface=192.0.2.1"), "Cannot assign requested address")


class WithBacklogTests(SynchronousTestCase):
    """Room for those who wait."""

    def test_table(self) -> None:
        """More than Twisted gives, unless the endpoint string says how much; what is not TCP is left alone."""
        for description, completed in (
            ("tcp:443", f"tcp:443:backlog={BACKLOG}"),
            (r"tcp6:443:interface=\:\:", rf"tcp6:443:interface=\:\::backlog={BACKLOG}"),
            ("tcp:443:backlog=5", "tcp:443:backlog=5"),
            ("tcp:443:127.0.0.1:5", "tcp:443:127.0.0.1:5"),
            ("tcp6:443:5", "tcp6:443:5"),
            ("unix:/run/x", "unix:/run/x"),
        ):
            self.assertEqual(with_backlog(description), completed)


class PortOfTests(SynchronousTestCase):
    """Which port an endpoint string names."""

    def test_table(self) -> None:
        """As Twisted reads it."""
        for description, port in (
            ("tcp:443", 443),
            ("tcp:port=443", 443),
            ("tcp:443:interface=127.0.0.1", 443),
            (r"tcp:8443:interface=\:\:1", 8443),
            (r"tcp:interface=\:\:1:port=8443", 8443),
            ("tcp6:80", 80),
            ("systemd:domain=INET:index=0", None),
            ("unix:/run/x", None),
            ("unix:80", None),
            ("tcp:http", None),
            ("tcp", None),
            ("", None),
            ("tcp:\u0664\u0664", None),
        ):
            self.assertEqual(port_of(description), port, description)
            if port is not None:
                self.assertEqual(serverFromString(MemoryReactorClock(), description)._port, port)


class InterfaceOfTests(SynchronousTestCase):
    """The address in an endpoint string."""

    def test_interfaces(self) -> None:
        """It is named, or stands behind the port; without one it is all of them."""
        for description, interface in (
            ("tcp:443", ""),
            ("tcp:443:interface=127.0.0.1", "127.0.0.1"),
            ("tcp:443:127.0.0.1", "127.0.0.1"),
            (r"tcp:port=443:interface=\:\:1", "::1"),
            (r"tcp6:443:interface=\:\:", "::"),
            ("tcp:443:backlog=5", ""),
            ("tcp6:443", "::"),
            ("tcp6:443:50", "::"),
            ("unix:/run/socket", None),
            ("systemd:domain=INET:index=0", None),
        ):
            self.assertEqual(interface_of(description), interface, description)
