"""
Tests for `ngrok_twisted.transports.ssh.screen`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import UpstreamUnreachable
from ngrok_twisted.flow import Flow
from ngrok_twisted.transports.ssh.screen import LOG_LINES_PER_SECOND
from tests.transports.ssh.doubles import NOW, PTY, World


class LogTests(SynchronousTestCase):
    """The live log, from the tunnel to the session."""

    def setUp(self) -> None:
        self.world = World()
        self.world.forward()

    def visit(self, count: int = 1, tunnel: Any = None) -> None:
        """Let visitors come and go, at a tunnel that may be gone by now."""
        if tunnel is None:
            (tunnel,) = self.world.tunnels
        for _ in range(count):
            flow = Flow("192.0.2.1", 1, "https", NOW)
            flow.method, flow.target, flow.status, flow.tunnel = b"GET", b"/path", 200, tunnel
            flow.finish(self.world.clock.seconds())

    def test_terminal(self) -> None:
        """A terminal shows requests without being asked."""
        session = self.world.run(b"http", PTY)
        self.visit()
        self.assertIn(b"GET /path 200", session.out)

    def test_asked(self) -> None:
        """Without a terminal --log-requests shows them, and nothing else does."""
        session = self.world.run(b"http")
        other = self.world.run(b"http --log-requests")
        self.visit()
        self.assertNotIn(b"/path", session.out)
        self.assertIn(b"/path", other.out)

    def test_switched_off(self) -> None:
        """--log-requests=false keeps a terminal quiet."""
        session = self.world.run(b"http --log-requests=false", PTY)
        self.visit()
        self.assertNotIn(b"/path", session.out)

    def test_rate(self) -> None:
        """Many requests show so many lines a second, and then how many were left out."""
        session = self.world.run(b"http", PTY)
        self.visit(LOG_LINES_PER_SECOND + 30)
        self.assertEqual(session.out.count(b"/path"), LOG_LINES_PER_SECOND)
        self.world.clock.advance(1)
        self.visit()
        self.assertIn(b"(30 more lines were left out)", session.out)

    def test_service_down(self) -> None:
        """The user reads that the local service cannot be reached, also without a log."""
        session = self.world.run(b"http")
        (tunnel,) = self.world.tunnels
        tunnel.when_failed(tunnel, UpstreamUnreachable("Connection refused"))
        self.assertIn(b"Connection refused", session.out)

    def test_closed_session(self) -> None:
        """A session that has ended is not written to."""
        session = self.world.run(b"http", PTY)
        (tunnel,) = self.world.tunnels
        self.world.gateway.session_input(session, b"\x03hr\x03")
        self.visit(tunnel=tunnel)
        self.assertNotIn(b"/path", session.out)
