"""
Tests for `ngrok_twisted.edge.agents`.
"""

from __future__ import annotations

from collections import Counter
from random import Random

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.edge.agents import AgentBackend
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IBackend
from ngrok_twisted.tunnels import Tunnels
from tests.edge.doubles import Tunnel


class AgentBackendTests(SynchronousTestCase):
    """The tunnels behind an endpoint."""

    def setUp(self) -> None:
        self.tunnels = Tunnels()
        self.flow = Flow("192.0.2.1", 1, "https", 0.0)

    def backend(self, *endpoint_ids: str) -> AgentBackend:
        return AgentBackend(endpoint_ids, self.tunnels, Random(1))

    def online(self, number: int) -> Tunnel:
        tunnel = Tunnel(f"tn_{number}", f"ep_{number}")
        self.tunnels.online(tunnel)
        return tunnel

    def test_interface(self) -> None:
        """It is a backend."""
        verifyObject(IBackend, self.backend("ep_1"))

    def test_one(self) -> None:
        """The endpoint's tunnel answers while it is online, and no other one."""
        backend = self.backend("ep_1")
        self.online(2)
        self.assertEqual(list(backend.candidates(self.flow)), [])
        tunnel = self.online(1)
        self.assertEqual(list(backend.candidates(self.flow)), [tunnel])
        self.tunnels.offline(tunnel)
        self.assertEqual(list(backend.candidates(self.flow)), [])

    def test_pool(self) -> None:
        """Members of a pool get about the same, one at a time; who is offline gets nothing."""
        tunnels = [self.online(number) for number in range(3)]
        backend = self.backend("ep_0", "ep_1", "ep_2", "ep_3")
        counts: Counter[str] = Counter()
        for _ in range(3000):
            (chosen,) = backend.candidates(self.flow)
            counts[chosen.id] += 1
        self.assertEqual(len(counts), 3)
        self.assertTrue(all(900 < count < 1100 for count in counts.values()), counts)
        for tunnel in tunnels[1:]:
            self.tunnels.offline(tunnel)
        self.assertEqual(list(backend.candidates(self.flow)), tunnels[:1])
