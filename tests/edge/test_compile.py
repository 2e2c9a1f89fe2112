"""
Tests for `ngrok_twisted.edge.compile`.
"""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import Any
from weakref import ref

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.backends.failover import FailoverConfig
from ngrok_twisted.backends.tunnel_group import TunnelGroupConfig
from ngrok_twisted.edge.compile import compile_router
from ngrok_twisted.edge.https import HTTPEdge, HTTPSEdge
from ngrok_twisted.edge.router import Router
from ngrok_twisted.edge.streams import StreamEdge
from ngrok_twisted.modules.mutual_tls import MutualTLSConfig
from ngrok_twisted.flow import Flow
from ngrok_twisted.records import edge as records
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.base import Put, Record, Snapshot
from ngrok_twisted.records.edge import BackendRef, HTTPSEdgeRoute, module
from ngrok_twisted.upstream.forward import Forward
from tests.edge.doubles import Edge, endpoint
from tests.modules.secure import authority, real_edge
from tests.tls.authority import Made


def group(id: str, **labels: str) -> Backend:
    """A tunnel group."""
    return Backend(id=id, account_id="ac_1", kind="tunnel_group", config=TunnelGroupConfig(labels=labels))


def failover(id: str, *backends: str) -> Backend:
    """One after the other."""
    return Backend(id=id, account_id="ac_1", kind="failover", config=FailoverConfig(backends=backends))


def shop(backend: str = "bkd_1", **more: Any) -> records.HTTPSEdge:
    """An https edge with two hosts."""
    route = HTTPSEdgeRoute(backend=BackendRef(backend_id=backend))
    values: dict[str, Any] = {"hostports": ("shop.example.com:443", "www.example.com:443"), "routes": (route,), **more}
    return records.HTTPSEdge(id="edghts_1", account_id="ac_1", **values)


class CompileTests(SynchronousTestCase):
    """Records become live edges."""

    def setUp(self) -> None:
        self.edge = Edge()
        self.router = Router()

    def compile(self, *written: Record) -> Router:
        """The next router after these records."""
        snapshot = Snapshot().with_changes([Put(record) for record in written])
        self.router = compile_router(snapshot, self.router, self.edge.plane, self.edge.context)
        return self.router

    def test_endpoints(self) -> None:
        """Each protocol has its own kind of edge, in its own table."""
        router = self.compile(
            endpoint("ep_1"),
            endpoint("ep_2", "http", "plain.example.com", 80),
            endpoint("ep_3", "tls", "raw.example.com"),
            endpoint("ep_4", "tcp", "tcp.example.com", 20001),
        )
        self.assertIsInstance(router.secure.get("app.example.com"), HTTPSEdge)
        self.assertIsInstance(router.secure.get("raw.example.com"), StreamEdge)
        self.assertIsInstance(router.plain.get("plain.example.com"), HTTPEdge)
        self.assertIsInstance(router.ports[20001], StreamEdge)
        self.assertEqual(set(router.ports), {20001})
        self.assertIsNone(router.plain.get("app.example.com"))
        self.assertIsNone(router.secure.get("plain.example.com"))
        self.assertIsNone(router.secure.get("tcp.example.com"))
        self.assertEqual(router.secure.get("raw.example.com").proto, "tls")
        self.assertEqual(router.ports[20001].proto, "tcp")

    def test_internal(self) -> None:
        """An internal endpoint is not public."""
        self.assertIsNone(self.compile(endpoint("ep_1", binding="internal")).secure.get("app.example.com"))

    def test_declared(self) -> None:
        """A configured edge has all its hosts."""
        router = self.compile(
            group("bkd_1", app="web"),
            shop(),
            records.TLSEdge(
                id="edgtls_1",
                account_id="ac_1",
                hostports=("raw.example.com:443",),
                backend=BackendRef(backend_id="bkd_1"),
            ),
            records.TCPEdge(
                id="edgtcp_1",
                account_id="ac_1",
                hostports=("tcp.example.com:20001",),
                backend=BackendRef(backend_id="bkd_1"),
            ),
        )
        self.assertIs(router.secure.get("shop.example.com"), router.secure.get("www.example.com"))
        self.assertEqual(router.secure.get("shop.example.com").name, "edghts_1")
        self.assertEqual(
            (router.secure.get("raw.example.com").name, router.ports[20001].name), ("edgtls_1", "edgtcp_1")
        )

    def test_without_hosts(self) -> None:
        """An edge without a host is nowhere, and no problem."""
        self.assertEqual(dict(self.compile(shop("missing", hostports=())).edges), {})

    def test_unchanged(self) -> None:
        """What did not change keeps its live edge, whatever else comes and goes."""
        first = self.compile(endpoint("ep_1"), group("bkd_1", app="web"), shop())
        second = self.compile(
            endpoint("ep_1"), group("bkd_1", app="web"), shop(), endpoint("ep_2", host="b.example.com")
        )
        third = self.compile(endpoint("ep_1"), group("bkd_1", app="web"), shop())
        for router in (second, third):
            for host in ("app.example.com", "shop.example.com", "www.example.com"):
                self.assertIs(router.secure.get(host), first.secure.get(host))
        self.assertIsNone(third.secure.get("b.example.com"))

    def test_changed(self) -> None:
        """A record that changed has a new edge."""
        first = self.compile(endpoint("ep_1"), group("bkd_1", app="web"), shop())
        second = self.compile(endpoint("ep_2"), group("bkd_1", app="web"), shop(description="new"))
        for host in ("app.example.com", "shop.example.com"):
            self.assertIsNot(second.secure.get(host), first.secure.get(host))

    def test_changed_backend(self) -> None:
        """So has an edge one of whose backends changed, however deep it is nested."""
        deep = (failover("bkd_1", "bkd_2"), failover("bkd_2", "bkd_3"))
        first = self.compile(*deep, group("bkd_3", app="web"), shop())
        same = self.compile(*deep, group("bkd_3", app="web"), group("bkd_4", app="other"), shop())
        self.assertIs(same.secure.get("shop.example.com"), first.secure.get("shop.example.com"))
        second = self.compile(*deep, group("bkd_3", app="api"), shop())
        self.assertIsNot(second.secure.get("shop.example.com"), first.secure.get("shop.example.com"))

    def test_forgotten(self) -> None:
        """Nothing holds on to an edge that another took the place of, nor to one that is gone."""
        old: list[Any] = []
        for number in range(20):
            written = (
                group("bkd_1", app=str(number)),
                shop(),
                endpoint(f"ep_{number}"),
                endpoint(f"in_{number}", host="a.internal", binding="internal"),
            )
            router = self.compile(*written)
            edges = [router.secure.get(host) for host in ("shop.example.com", "app.example.com")]
            edges.append(self.router.internal.find("ac_1", "https", "a.internal", 443).edge)
            old += map(ref, edges)
        del router, edges
        self.compile()
        gc.collect()
        self.assertEqual([edge for edge in old if edge() is not None], [])

    def test_other_kind_of_owner(self) -> None:
        """A URL that goes from an edge to an endpoint, or back, has a new edge."""
        first = self.compile(group("bkd_1", app="web"), shop(hostports=("app.example.com:443",)))
        second = self.compile(group("bkd_1", app="web"), endpoint("ep_1"))
        third = self.compile(group("bkd_1", app="web"), shop(hostports=("app.example.com:443",)))
        edges = {id(router.secure.get("app.example.com")) for router in (first, second, third)}
        self.assertEqual(len(edges), 3)

    def test_pool(self) -> None:
        """Endpoints with one URL are one edge, which asks any of those that are online."""
        one, two = endpoint("ep_1", pooling_enabled=True), endpoint("ep_2", pooling_enabled=True)
        router = self.compile(one, two)
        backend = router.secure.get("app.example.com").resource.backend
        first, second = self.edge.online("ep_1"), self.edge.online("ep_2")
        chosen = [list(backend.candidates(Flow("192.0.2.1", 1, "https", 0.0))) for _ in range(50)]
        self.assertEqual({len(candidates) for candidates in chosen}, {1})
        self.assertEqual({candidates[0] for candidates in chosen}, {first, second})
        smaller = self.compile(two)
        self.assertIsNot(smaller.secure.get("app.example.com"), router.secure.get("app.example.com"))

    def test_no_more_for_plain_ones(self) -> None:
        """An endpoint without modules is forwarded to by its edge, and nothing stands between."""
        self.assertIsInstance(self.compile(endpoint("ep_1")).secure.get("app.example.com").resource, Forward)

    def test_used(self) -> None:
        """An endpoint with a module has a new edge when a record changes that the module uses, and only then."""
        self.edge = real_edge()
        made, other = Made("One"), Made("Two")
        config = MutualTLSConfig(certificate_authority_ids=("ca_1",))
        guarded = endpoint("ep_1", modules={"mutual_tls": module(config)})
        first = self.compile(guarded, authority("ca_1", made), endpoint("ep_2", host="b.example.com"))
        same = self.compile(replace(guarded), authority("ca_1", made), authority("ca_2", other))
        self.assertIs(same.secure.get("app.example.com"), first.secure.get("app.example.com"))
        changed = self.compile(guarded, authority("ca_1", other))
        self.assertIsNot(changed.secure.get("app.example.com"), first.secure.get("app.example.com"))
        self.assertEqual(changed.secure.get("app.example.com").entry.options.client_cas, (other.pem,))

    def test_lost_reference(self) -> None:
        """An endpoint whose module refers to nothing is not served, and keeps nobody else from being served."""
        self.edge = real_edge()
        config = MutualTLSConfig(certificate_authority_ids=("ca_1",))
        router = self.compile(
            endpoint("ep_1", modules={"mutual_tls": module(config)}), endpoint("ep_2", host="b.example.com")
        )
        self.assertIsNone(router.secure.get("app.example.com"))
        self.assertIsNotNone(router.secure.get("b.example.com"))

    def test_unservable(self) -> None:
        """An agent's endpoint that cannot be served is named, so that its agent alone is refused."""
        error = self.assertRaises(LookupError, self.compile, endpoint("ep_1", traffic_policy="{]"))
        self.assertEqual(error.record_id, "ep_1")
        snapshot = Snapshot().with_changes([Put(endpoint("ep_1", traffic_policy="{]"))])
        self.assertEqual([problem.path for problem in self.edge.plane.check(snapshot)], ["ep_1"])

    def test_missing_backend(self) -> None:
        """An edge whose backend is not there cannot be built, and the error names both."""
        error = self.assertRaises(LookupError, self.compile, shop("bkd_nope", name="shop"))
        self.assertEqual(str(error), "edge shop: there is no backend bkd_nope")
