"""
Tests of `ngrok_twisted.crew.elsewhere`.
"""

from __future__ import annotations

import pickle
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.crew import relay
from ngrok_twisted.crew.elsewhere import OWED_MAX, SEEN_PER_SECOND, Advert, ElsewhereTunnel, Seen
from ngrok_twisted.errors import Overloaded, UpstreamTimeout
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import ITunnel
from tests.crew.test_relay import Building
from tests.crew.tunnels import Tunnel


class ElsewhereTunnelTests(SynchronousTestCase):
    """A tunnel of place 2, as another place has it."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.told: list[tuple[str, Any]] = []
        self.advert = pickle.loads(pickle.dumps(Advert.of(Tunnel(labels={"a": "b"}), 2)))
        self.tunnel = ElsewhereTunnel(self.advert, lambda kind, value, _: self.told.append((kind, value)), self.clock)

    def flow(self) -> Flow:
        """One that has ended."""
        flow = Flow("192.0.2.1", 50000, "https", 5.0)
        flow.method, flow.target, flow.status, flow.error = b"GET", b"/", 504, UpstreamTimeout()
        flow.bytes_in, flow.bytes_out, flow.ended = 1, 2, 6.0
        return flow

    def test_interface(self) -> None:
        """It is a tunnel like any other."""
        verifyObject(ITunnel, self.tunnel)

    def test_changes(self) -> None:
        """It is what its process says of it last."""
        self.tunnel.be(Advert.of(Tunnel(labels={}, url="https://other.example.com"), 2))
        self.assertEqual((dict(self.tunnel.labels), self.tunnel.url), ({}, "https://other.example.com"))

    def test_seen(self) -> None:
        """A flow arrives as it was, as far as the tunnel may look at it."""
        flow = self.flow()
        self.tunnel.observe(flow)
        ((kind, (id, seen)),) = self.told
        self.assertEqual((kind, id), ("observe", "tn_1"))
        again = pickle.loads(pickle.dumps(seen)).flow()
        for name in Seen._fields:
            if name != "error":
                self.assertEqual(getattr(again, name), getattr(flow, name), name)
        self.assertEqual((type(again.error), again.error.status), (UpstreamTimeout, 504))

    def test_many_seen(self) -> None:
        """Of more flows than anybody reads the tunnel is told some, and again some a second later."""
        for _ in range(10 * SEEN_PER_SECOND):
            self.tunnel.observe(self.flow())
        self.assertEqual(len(self.told), SEEN_PER_SECOND)
        self.clock.advance(0.5)
        for _ in range(SEEN_PER_SECOND):
            self.tunnel.observe(self.flow())
        self.assertEqual(len(self.told), SEEN_PER_SECOND + SEEN_PER_SECOND // 2)

    def test_no_descriptors(self) -> None:
        """Where no socket can be made the visitor is told that the gateway is busy."""

        def none_left() -> Any:
            raise OSError(24, "Too many open files")

        self.patch(relay.socket, "socketpair", none_left)
        self.failureResultOf(self.tunnel.connect(Building(None)), Overloaded)
        self.assertEqual(self.told, [])

    def test_owed(self) -> None:
        """Connections are owed one by one, and never very many."""
        for _ in range(2 * OWED_MAX):
            self.tunnel.owe()
        self.assertEqual(sum(self.tunnel.crowded for _ in range(2 * OWED_MAX)), OWED_MAX)
