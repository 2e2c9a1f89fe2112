"""
Tests for `ngrok_twisted.net.activation`.
"""

from __future__ import annotations

import os
import socket

from twisted.internet.endpoints import _SystemdParser
from twisted.python.systemd import ListenFDs
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.net.activation import (
    NotActivated,
    activated_socket,
    activation_environment,
    is_activated,
    mistake_in,
)


class DescriptionTests(SynchronousTestCase):
    """Endpoint strings."""

    def test_which(self) -> None:
        """They begin with systemd."""
        self.assertTrue(is_activated("systemd:domain=INET:index=0"))
        self.assertFalse(is_activated("tcp:443"))

    def test_mistakes(self) -> None:
        """What cannot be right is told without the sockets."""
        for good in ("domain=INET:index=0", "domain=INET6:name=https", "INET:index=12", "name=a:domain=INET"):
            self.assertEqual(mistake_in(f"systemd:{good}"), "", good)
        for bad in ("", "index=0", "domain=UNIX:index=0", "domain=inet:index=0"):
            self.assertEqual(mistake_in(f"systemd:{bad}"), "must say 'domain=INET' or 'domain=INET6'", bad)
        for bad in ("domain=INET", "domain=INET:index=0:name=a", "domain=INET:indx=0", "domain=INET:index=0:x=1"):
            self.assertIn("which socket", mistake_in(f"systemd:{bad}"), bad)
        for bad in ("-1", "x", "", "1.0", "٣"):
            self.assertIn("number", mistake_in(f"systemd:domain=INET:index={bad}"), bad)


class SocketTests(SynchronousTestCase):
    """With two sockets that systemd gave, of which the second is a listening one."""

    def setUp(self) -> None:
        read, write = os.pipe()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listening.close)
        for end in (read, write):
            self.addCleanup(os.close, end)
        self.give([read, self.listening.fileno()], ["other", "https"])

    def give(self, descriptors: list[int], names: list[str]) -> None:
        """What Twisted has found in the environment."""
        self.patch(_SystemdParser, "_sddaemon", ListenFDs(descriptors, names))

    def test_found(self) -> None:
        """By its index or its name; what is used is a duplicate, and the descriptor of systemd stays."""
        for which in ("index=1", "name=https"):
            with activated_socket(f"systemd:domain=INET6:{which}") as found:
                self.assertNotEqual(found.fileno(), self.listening.fileno())
                self.assertEqual(found.getsockname(), self.listening.getsockname())
                self.assertEqual(found.family, socket.AF_INET)  # whatever the string says
                self.assertFalse(found.get_inheritable())
            os.fstat(self.listening.fileno())

    def refused(self, which: str) -> str:
        """Why there is none."""
        return str(self.assertRaises(NotActivated, activated_socket, f"systemd:domain=INET:{which}"))

    def test_missing(self) -> None:
        """What systemd gave is said where it does not have what is wanted."""
        for which in ("index=2", "name=http"):
            self.assertEqual(
                self.refused(which), "systemd gave this process 2 sockets (other, https), and this is none of them"
            )
        self.give([], [])
        self.assertIn("gave this process 0 sockets, and", self.refused("index=0"))
        self.assertIn("which socket", self.refused("nonsense=0"))

    def test_no_socket(self) -> None:
        """So is a descriptor that is no socket, or nothing at all."""
        self.assertIn("Socket operation on non-socket", self.refused("name=other"))
        self.give([99999], ["gone"])
        self.assertIn("descriptor 99999: Bad file descriptor", self.refused("name=gone"))

    def test_environment(self) -> None:
        """Another program in the same process finds the same sockets; without any, nothing is said."""
        self.assertEqual(activation_environment(77), {"LISTEN_FDS": "2", "LISTEN_PID": "77"})
        self.give([], [])
        self.assertEqual(activation_environment(77), {})
