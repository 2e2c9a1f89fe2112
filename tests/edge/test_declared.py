"""
Tests for `ngrok_twisted.edge.declared`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ngrok_twisted.backends.failover import FailoverConfig
from ngrok_twisted.backends.http_response import HTTPResponseConfig
from ngrok_twisted.backends.tunnel_group import TunnelGroupConfig
from ngrok_twisted.backends.weighted import WeightedConfig
from ngrok_twisted.edge.declared import Backends, Nobody, build, edge_records, keys_of
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IConnectionModule, IHTTPModule, ITLSModule
from ngrok_twisted.records import edge as records
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.base import Put, Record, Snapshot
from ngrok_twisted.records.edge import BackendRef, HTTPSEdgeRoute, module
from ngrok_twisted.tls.options import TLSOptions
from ngrok_twisted.wrapper import Phase, Wrapper
from tests.edge.doubles import Edge, Tunnel, get
from tests.edge.wire import statuses


def backend(id: str, kind: str, config: Any, account_id: str = "ac_1") -> Backend:
    """A record."""
    return Backend(id=id, account_id=account_id, kind=kind, config=config)


class BackendsTests(SynchronousTestCase):
    """Backends are made from their records, with those that they name."""

    def setUp(self) -> None:
        self.edge = Edge()
        self.flow = Flow("192.0.2.1", 1, "https", 0.0)

    def backends(self, *written: Record) -> Backends:
        """Those of an edge of the account."""
        return Backends("ac_1", Snapshot().with_changes([Put(record) for record in written]), self.edge.context)

    def test_nested(self) -> None:
        """A failover of a weighted one of two groups and a fixed answer: whose turn it is first, then the answer."""
        backends = self.backends(
            backend("fo", "failover", FailoverConfig(backends=("wd", "hr"))),
            backend("wd", "weighted", WeightedConfig(backends={"blue": 3, "green": 1})),
            backend("blue", "tunnel_group", TunnelGroupConfig(labels={"color": "blue"})),
            backend("green", "tunnel_group", TunnelGroupConfig(labels={"color": "green"})),
            backend("hr", "http_response", HTTPResponseConfig(status_code=503, body="sorry")),
        )
        made = backends.of(BackendRef(backend_id="fo"))
        self.assertEqual([record.id for record in backends.used], ["fo", "wd", "blue", "green", "hr"])
        (answer,) = made.candidates(self.flow)
        blue, green = Tunnel("tn_1", labels={"color": "blue"}), Tunnel("tn_2", labels={"color": "green"})
        self.edge.tunnels.online(blue)
        self.edge.tunnels.online(green)
        rounds = [list(made.candidates(self.flow)) for _ in range(8)]
        self.assertEqual(Counter(candidates[0].id for candidates in rounds), {"tn_1": 6, "tn_2": 2})
        for candidates in rounds:
            self.assertEqual(len(candidates), 2)
            self.assertIs(candidates[1], answer)

    def test_account(self) -> None:
        """Only the tunnels of the edge's account count."""
        made = self.backends(backend("g", "tunnel_group", TunnelGroupConfig(labels={"a": "b"}))).find("g")
        stranger = Tunnel("tn_1", labels={"a": "b"})
        stranger.account_id = "ac_2"
        self.edge.tunnels.online(stranger)
        self.assertEqual(list(made.candidates(self.flow)), [])

    def test_shared(self) -> None:
        """A backend may be named twice, as long as it does not lead to itself."""
        backends = self.backends(
            backend("top", "failover", FailoverConfig(backends=("a", "b"))),
            backend("a", "failover", FailoverConfig(backends=("g",))),
            backend("b", "failover", FailoverConfig(backends=("g",))),
            backend("g", "tunnel_group", TunnelGroupConfig(labels={"a": "b"})),
        )
        self.assertEqual(list(backends.find("top").candidates(self.flow)), [])

    def test_ring(self) -> None:
        """A ring is found, and shown."""
        backends = self.backends(
            backend("a", "failover", FailoverConfig(backends=("b",))),
            backend("b", "weighted", WeightedConfig(backends={"a": 1})),
        )
        error = self.assertRaises(LookupError, backends.find, "a")
        self.assertEqual(str(error), "backend a leads back to itself: a → b → a")

    def test_missing(self) -> None:
        """So is a backend that is not there, and one of a kind that is not there."""
        backends = self.backends(
            backend("a", "failover", FailoverConfig(backends=("nope",))), backend("b", "from_elsewhere", None)
        )
        self.assertEqual(str(self.assertRaises(LookupError, backends.find, "a")), "there is no backend nope")
        self.assertIn("from_elsewhere", str(self.assertRaises(LookupError, backends.find, "b")))

    def test_nobody(self) -> None:
        """A route without a backend, or with one that is turned off, has nobody who answers."""
        backends = self.backends(backend("g", "tunnel_group", TunnelGroupConfig(labels={"a": "b"})))
        for reference in (None, BackendRef(backend_id="g", enabled=False)):
            made = backends.of(reference)
            self.assertIsInstance(made, Nobody)
            self.assertEqual(list(made.candidates(self.flow)), [])
        self.assertEqual(backends.used, [])


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """A config."""


ON, OFF = module(Nothing()), module(Nothing(), enabled=False)


class _Noting(Wrapper):
    def __init__(self, inner: Any, notes: list[str], note: str) -> None:
        super().__init__(inner)
        self._notes = notes
        self._note = note

    def render(self, request: Any) -> Any:
        self._notes.append(self._note)
        return self.inner.render(request)


def noting(name: str, phase: Phase, notes: list[str]) -> Any:
    """A module kind that notes on all three levels when it is asked."""

    @implementer(IHTTPModule, IConnectionModule, ITLSModule)
    class Module:
        Config = Nothing

        def __init__(self, config: Any, runtime: Any) -> None:
            assert isinstance(config, Nothing)

        def wrap_resource(self, inner: Any) -> Any:
            return _Noting(inner, notes, f"request {name}")

        def wrap_factory(self, inner: Any) -> Any:
            class Around:
                def buildProtocol(self, addr: Any) -> Any:
                    notes.append(f"connection {name}")
                    return inner.buildProtocol(addr)

            return Around()

        def amend(self, options: TLSOptions) -> TLSOptions:
            notes.append(f"handshake {name}")
            return TLSOptions(min_version=options.max_version)

    Module.name = name  # type: ignore[attr-defined]
    Module.phase = phase  # type: ignore[attr-defined]
    return Module


class BuildTests(SynchronousTestCase):
    """Edges are built with their modules."""

    def setUp(self) -> None:
        self.notes: list[str] = []
        self.edge = Edge(
            module_kinds={
                "late": noting("late", Phase.PREPARE, self.notes),
                "early": noting("early", Phase.ENVELOPE, self.notes),
                "middle": noting("middle", Phase.VERIFY, self.notes),
            }
        )
        self.says = backend("hr", "http_response", HTTPResponseConfig(status_code=200, body="yes"))

    def test_https(self) -> None:
        """Connection modules stand around the handshake, the edge's request modules around the routes' ones."""
        route = HTTPSEdgeRoute(backend=BackendRef(backend_id="hr"), modules={"late": ON, "early": ON})
        record = records.HTTPSEdge(
            id="edghts_1",
            account_id="ac_1",
            hostports=("shop.example.com:443",),
            routes=(route,),
            modules={"middle": ON, "early": ON},
        )
        self.edge.serve(self.says, record)
        self.assertEqual(self.notes, ["handshake early", "handshake middle"])
        self.notes.clear()
        visitor = self.edge.visit("shop.example.com")
        self.assertEqual(self.notes, ["connection early", "connection middle"])
        options = TLSOptions(min_version="1.3", alpn=(b"h2", b"http/1.1"))
        self.assertEqual(self.edge.certificates.asked, [("shop.example.com", options)])
        self.notes.clear()
        self.assertEqual(statuses(visitor.send(get("shop.example.com"))), [200])
        self.assertEqual(self.notes, ["request early", "request middle", "request early", "request late"])

    def test_stream(self) -> None:
        """A stream edge's modules stand around its factory."""
        record = records.TCPEdge(
            id="edgtcp_1",
            account_id="ac_1",
            hostports=("tcp.example.com:20001",),
            modules={"late": ON, "early": ON},
        )
        self.edge.serve(record)
        port, factory = self.edge.reactor.tcpServers[0][:2]
        self.assertEqual(port, 20001)
        self.assertIsNotNone(factory.buildProtocol(None))
        self.assertEqual(self.notes, ["connection early", "connection late"])

    def test_records(self) -> None:
        """The records that an edge came from are told, its own first."""
        record = records.TLSEdge(
            id="edgtls_1", account_id="ac_1", hostports=("a.b:443",), backend=BackendRef(backend_id="hr")
        )
        snapshot = Snapshot().with_changes([Put(record), Put(self.says)])
        came_from, live = build(record, snapshot, self.edge.plane, self.edge.context)
        self.assertEqual(came_from, (record, self.says))
        self.assertEqual((live.name, live.proto), ("edgtls_1", "tls"))

    def test_no_answer(self) -> None:
        """A route without a backend, or with one that is turned off, says so; so does one whose backend has nobody."""
        group = backend("g", "tunnel_group", TunnelGroupConfig(labels={"a": "b"}))
        for reference, code in (
            (None, 724),
            (BackendRef(backend_id="g", enabled=False), 724),
            (BackendRef(backend_id="g"), 6515),
        ):
            record = records.HTTPSEdge(
                id="edghts_1",
                account_id="ac_1",
                hostports=("shop.example.com:443",),
                routes=(HTTPSEdgeRoute(backend=reference),),
            )
            self.edge.serve(group, record)
            self.assertEqual(self.edge.visit("shop.example.com").ask("shop.example.com"), 502)
            self.assertEqual(self.edge.flows[-1].error.code, code)

    def test_switched_off(self) -> None:
        """A module that is switched off is passed by, on every level."""
        route = HTTPSEdgeRoute(backend=BackendRef(backend_id="hr"), modules={"late": OFF, "early": ON})
        record = records.HTTPSEdge(
            id="edghts_1",
            account_id="ac_1",
            hostports=("shop.example.com:443",),
            routes=(route,),
            modules={"middle": OFF},
        )
        self.edge.serve(self.says, record)
        visitor = self.edge.visit("shop.example.com")
        self.assertEqual(statuses(visitor.send(get("shop.example.com"))), [200])
        self.assertEqual(self.notes, ["request early"])

    def test_edge_records(self) -> None:
        """Each edge has the URLs that its hostports name."""
        https = records.HTTPSEdge(id="e1", hostports=("a.example.com:443", "b.example.com:443"))
        tcp = records.TCPEdge(id="e2", hostports=("tcp.example.com:20001",))
        found = list(edge_records(Snapshot().with_changes([Put(tcp), Put(https)])))
        self.assertEqual(found, [("https", https), ("tcp", tcp)])
        self.assertEqual(
            [keys_of(*item) for item in found],
            [
                (("https", "a.example.com", 443), ("https", "b.example.com", 443)),
                (("tcp", "tcp.example.com", 20001),),
            ],
        )
