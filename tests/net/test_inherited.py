"""
Tests for `ngrok_twisted.net.inherited`, with real sockets: only the kernel knows which listen.
"""

from __future__ import annotations

import os
import socket

from twisted.trial.unittest import SynchronousTestCase


from ngrok_twisted.net.inherited import InheritedSockets, listening_socket


class InheritedCase(SynchronousTestCase):
    """Makes descriptors of listening sockets."""

    def setUp(self) -> None:
        self.said: list[str] = []
        self.patch(InheritedSockets, "_log", self)

    def info(self, text: str, **fields: object) -> None:
        """A logger's."""
        self.said.append(text.format(**fields))

    error = info

    def open(self, host: str = "127.0.0.1", port: int = 0) -> tuple[int, int]:
        """
        :return: the descriptor, and the port.
        """
        made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen()
        number: int = made.getsockname()[1]
        return made.detach(), number

    def assertClosed(self, descriptor: int) -> None:
        """Nobody has it any more."""
        self.assertRaises(OSError, os.fstat, descriptor)


class InheritedSocketsTests(InheritedCase):
    """`InheritedSockets`."""

    def test_by_description(self) -> None:
        """A listener gets the socket of its endpoint string, once, and no program after us gets it by chance."""
        descriptor, _ = self.open()
        os.set_inheritable(descriptor, True)
        sockets = InheritedSockets([("tcp:0:interface=127.0.0.1", descriptor)])
        self.assertEqual((len(sockets), sockets.descriptors()), (1, [descriptor]))
        self.assertIsNone(sockets.take("tcp:0"))
        found = sockets.take("tcp:0:interface=127.0.0.1")
        assert found is not None
        self.addCleanup(found.close)
        self.assertEqual((found.fileno(), os.get_inheritable(descriptor), len(sockets)), (descriptor, False, 0))
        self.assertIsNone(sockets.take("tcp:0:interface=127.0.0.1"))

    def test_by_address(self) -> None:
        """An endpoint string that says the same in other words gets it, too; another address does not."""
        for host, before, now in (
            ("127.0.0.1", "tcp:{}:interface=127.0.0.1", "tcp:port={}:interface=127.0.0.1:backlog=9"),
            ("0.0.0.0", "tcp:{}", "tcp:interface=0.0.0.0:port={}"),
            ("::1", r"tcp6:{}:interface=\:\:1", r"tcp:{}:interface=\:\:1"),
            ("::", r"tcp:{}:interface=\:\:", "tcp6:{}"),
        ):
            descriptor, port = self.open(host)
            sockets = InheritedSockets([(before.format(port), descriptor)])
            self.assertIsNone(sockets.take(now.format(port + 1)))
            self.assertIsNone(sockets.take(f"tcp:{port}:interface=127.9.9.9") if host[:3] == "127" else None)
            found = sockets.take(now.format(port))
            assert found is not None, now
            found.close()

    def test_by_port(self) -> None:
        """A public TCP port is asked for by its address; a listener may get it, too."""
        (one, first), (two, second) = self.open(), self.open()
        sockets = InheritedSockets([("", one), ("", two)])
        self.assertIsNone(sockets.take_port("127.0.0.1", 1))
        for found in (sockets.take_port("127.0.0.1", first), sockets.take(f"tcp:{second}:interface=127.0.0.1")):
            assert found is not None
            found.close()

    def test_in_the_way(self) -> None:
        """One address of a port and all of them exclude each other: the one that is not wanted is closed."""
        for host, interface in (("127.0.0.1", ""), ("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1")):
            descriptor, port = self.open(host)
            sockets = InheritedSockets([("", descriptor)])
            self.assertIsNone(sockets.take_port(interface, port))
            self.assertClosed(descriptor)
        descriptor, port = self.open()
        sockets = InheritedSockets([("tcp:1", descriptor)])
        self.assertIsNone(sockets.take_port("127.0.0.2", port))
        self.assertEqual(len(sockets), 1)
        sockets.close()

    def test_unwanted(self) -> None:
        """Listeners that nobody wants are closed before others are opened, public ports some time later; each with a line."""
        (one, _), (two, port) = self.open(), self.open()
        sockets = InheritedSockets([("tcp:1234", one), ("", two)])
        sockets.close_configured()
        self.assertClosed(one)
        self.assertEqual(sockets.descriptors(), [two])
        sockets.close()
        self.assertClosed(two)
        self.assertEqual(
            self.said,
            [f"{name} was taken over, and nobody wants it any more" for name in ("tcp:1234", f"TCP port {port}")],
        )

    def test_strangers(self) -> None:
        """Descriptors that are no listening sockets are left alone, with a line."""
        connected, datagrams = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        read, write = os.pipe()
        for end in (connected, datagrams):
            self.addCleanup(end.close)
        for descriptor in (read, write):
            self.addCleanup(os.close, descriptor)
        strangers = [connected.fileno(), datagrams.fileno(), read, 99999]
        sockets = InheritedSockets([("tcp:1", number) for number in strangers])
        self.assertEqual(len(sockets), 0)
        for number in strangers[:3]:
            os.fstat(number)
        self.assertEqual(self.said, [f"descriptor {number} is no listening socket" for number in strangers])

    def test_listening_socket(self) -> None:
        """A listening socket knows of itself what it is."""
        descriptor, _ = self.open("::1")
        found = listening_socket(descriptor)
        assert found is not None
        self.addCleanup(found.close)
        self.assertEqual((found.family, found.type), (socket.AF_INET6, socket.SOCK_STREAM))
