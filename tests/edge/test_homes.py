"""
Tests of `ngrok_twisted.edge.homes`.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.backends.http_response import HTTPResponseConfig
from ngrok_twisted.backends.tunnel_group import TunnelGroupConfig
from ngrok_twisted.edge.homes import ANYWHERE, MAIN, Homes
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.edge import BackendRef, HTTPSEdge, HTTPSEdgeRoute, TCPEdge
from tests.edge.doubles import Edge, Tunnel, endpoint


class HomesTests(SynchronousTestCase):
    """Edges of a real router, with tunnels in several places."""

    def setUp(self) -> None:
        self.edge = Edge()
        self.homes = Homes(self.edge.tunnels, Random(1))

    def online(self, id: str, place: int, **more: Any) -> Tunnel:
        """A tunnel of some place."""
        tunnel = Tunnel(id, **more)
        if place != MAIN:
            tunnel.place = place  # type: ignore[attr-defined]
        self.edge.tunnels.online(tunnel)
        return tunnel

    def name(self, name: str = "app.example.com") -> int:
        """The home of a name."""
        return self.homes.place_of(self.edge.plane.secure_owner(name))

    def test_nobody(self) -> None:
        """What nobody has, and what no tunnel serves that should, is served here."""
        self.edge.serve(endpoint("ep_1"))
        self.assertEqual((self.homes.place_of(None), self.name("other.example.com"), self.name()), (MAIN, MAIN, MAIN))

    def test_endpoint(self) -> None:
        """An agent's endpoint is where its tunnel is, as soon as it is there, and no longer."""
        self.edge.serve(
            endpoint("ep_1"), endpoint("ep_2", host="*.wild.example.com"), endpoint("ep_3", "http", port=80)
        )
        tunnel = self.online("tn_1", 2, endpoint_id="ep_1")
        self.online("tn_2", 1, endpoint_id="ep_2")
        self.online("tn_3", 3, endpoint_id="ep_3")
        self.assertEqual((self.name(), self.name("any.wild.example.com")), (2, 1))
        self.assertEqual(self.homes.place_of(self.edge.plane.router.plain.get("app.example.com")), 3)
        self.edge.tunnels.offline(tunnel)
        self.assertEqual(self.name(), MAIN)
        self.online("tn_4", MAIN, endpoint_id="ep_1")
        self.assertEqual(self.name(), MAIN)

    def test_pool(self) -> None:
        """A pool in several places is at each as often as it has members there."""
        for number in range(4):
            self.online(f"tn_{number}", 1 if number else MAIN, endpoint_id=f"ep_{number}")
        self.edge.serve(*(endpoint(f"ep_{number}", pooling_enabled=True) for number in range(4)))
        drawn = Counter(self.name() for _ in range(400))
        self.assertEqual(set(drawn), {MAIN, 1})
        self.assertTrue(250 < drawn[1] < 350, drawn)

    def test_labels(self) -> None:
        """A configured edge is where the tunnels with its backend's labels are."""
        backend = Backend(
            id="bkdtg_1", account_id="ac_1", kind="tunnel_group", config=TunnelGroupConfig(labels={"app": "db"})
        )
        edge = TCPEdge(
            id="edgtcp_1",
            account_id="ac_1",
            hostports=("tcp.example.com:2000",),
            backend=BackendRef(backend_id="bkdtg_1"),
        )
        self.edge.serve(backend, edge)
        port = lambda: self.homes.place_of(self.edge.plane.router.ports[2000])
        self.assertEqual(port(), MAIN)
        self.online("tn_1", 2, labels={"app": "db", "more": "1"})
        self.online("tn_2", 1, labels={"app": "other"})
        self.assertEqual(port(), 2)

    def test_without_tunnels(self) -> None:
        """What leads to no tunnels can be served by anybody."""
        backend = Backend(
            id="bkdhr_1",
            account_id="ac_1",
            kind="http_response",
            config=HTTPResponseConfig(status_code=200, body="hello"),
        )
        route = HTTPSEdgeRoute(id="r_1", match="/", backend=BackendRef(backend_id="bkdhr_1"))
        edge = HTTPSEdge(id="edghts_1", account_id="ac_1", hostports=("static.example.com:443",), routes=(route,))
        policy = "on_http_request: [{actions: [{type: custom-response, config: {status_code: 200}}]}]"
        self.edge.serve(backend, edge, endpoint("ep_1", type="cloud", traffic_policy=policy))
        self.assertEqual((self.name("static.example.com"), self.name()), (ANYWHERE, ANYWHERE))

    def test_news(self) -> None:
        """Where nobody is online, what others have said by now is heard first: an agent may have told its URL already."""
        heard: list[str] = []

        def hear() -> None:
            heard.append("news")
            if len(heard) == 2:
                self.online("tn_1", 2, endpoint_id="ep_1")

        self.homes = Homes(self.edge.tunnels, Random(1), hear)
        self.edge.serve(endpoint("ep_1"))
        self.assertEqual(self.homes.place_of(None), MAIN)
        self.assertEqual(heard, [])
        self.assertEqual([self.name() for _ in range(3)], [MAIN, 2, 2])
        self.assertEqual(heard, ["news"] * 2)

    def test_recompiled(self) -> None:
        """A name whose record changes stays where it is."""
        self.edge.serve(endpoint("ep_1"))
        self.online("tn_1", 2, endpoint_id="ep_1")
        self.assertEqual(self.name(), 2)
        self.edge.serve(endpoint("ep_1", description="another"))
        self.assertEqual(self.name(), 2)
