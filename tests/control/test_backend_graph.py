"""
Tests for `ngrok_twisted.control.backend_graph`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.backends.failover import FailoverConfig
from ngrok_twisted.backends.http_response import HTTPResponseConfig
from ngrok_twisted.backends.tunnel_group import TunnelGroupConfig
from ngrok_twisted.backends.weighted import WeightedConfig
from ngrok_twisted.control.around import Around
from ngrok_twisted.control.backend_graph import (
    carries_streams,
    children,
    leads_to_itself,
    levels,
    nested_failovers,
    users,
)
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.base import Put, Record, Snapshot
from ngrok_twisted.records.edge import BackendRef, HTTPSEdge, HTTPSEdgeRoute, TCPEdge, TLSEdge
from tests.control.api.harness import SETTINGS


def group(id: str) -> Backend:
    """A tunnel group."""
    return Backend(id=id, kind="tunnel_group", config=TunnelGroupConfig(labels={"a": "b"}))


def answer(id: str) -> Backend:
    """A fixed answer."""
    return Backend(id=id, kind="http_response", config=HTTPResponseConfig())


def failover(id: str, *backends: str) -> Backend:
    """One after the other."""
    return Backend(id=id, kind="failover", config=FailoverConfig(backends=backends))


def weighted(id: str, *backends: str) -> Backend:
    """Each as often."""
    return Backend(id=id, kind="weighted", config=WeightedConfig(backends=dict.fromkeys(backends, 1)))


def around(*records: Record) -> Around:
    """These records."""
    return Around(records=Snapshot().with_changes([Put(record) for record in records]), settings=SETTINGS)


class GraphTests(SynchronousTestCase):
    """What leads where."""

    def test_children(self) -> None:
        """Those that a backend names have paths in its config."""
        self.assertEqual(children(failover("f", "a", "b")), (("backends[0]", "a"), ("backends[1]", "b")))
        self.assertEqual(children(weighted("w", "a")), (("backends.a", "a"),))
        self.assertEqual(children(group("g")), ())

    def test_rings(self) -> None:
        """Only what can be reached from itself leads to itself."""
        found = around(failover("top", "a"), failover("a", "b"), weighted("b", "a", "leaf"), group("leaf"))
        known: dict[str, Any] = {id: leads_to_itself(id, found) for id in ("top", "a", "b", "leaf", "nobody")}
        self.assertEqual(known, {"top": False, "a": True, "b": True, "leaf": False, "nobody": False})
        self.assertGreater(levels("top", found), 0)

    def test_chains(self) -> None:
        """The longest chain through a backend counts, upwards and downwards."""
        found = around(failover("top", "mid", "leaf"), weighted("mid", "low"), failover("low", "leaf"), group("leaf"))
        self.assertEqual(
            {id: levels(id, found) for id in ("top", "mid", "low", "leaf")},
            dict.fromkeys(("top", "mid", "low", "leaf"), 4),
        )
        self.assertEqual(nested_failovers("mid", found), 1)
        self.assertEqual(levels("g", around(group("g"))), 1)

    def test_streams(self) -> None:
        """Bytes are carried by whatever leads to somebody who can be dialled."""
        found = around(
            answer("hr"),
            group("g"),
            failover("only", "hr"),
            failover("both", "hr", "g"),
            weighted("deep", "only", "hr"),
        )
        known = {id: carries_streams(id, found) for id in ("hr", "g", "only", "both", "deep", "nobody")}
        self.assertEqual(known, {"hr": False, "g": True, "only": False, "both": True, "deep": False, "nobody": True})

    def test_users(self) -> None:
        """Routes, edges and backends use a backend."""
        reference = BackendRef(backend_id="g", enabled=False)
        found = around(
            group("g"),
            failover("fo", "g"),
            failover("other", "fo"),
            HTTPSEdge(id="e1", routes=(HTTPSEdgeRoute(id="r1", backend=reference), HTTPSEdgeRoute(id="r2"))),
            TLSEdge(id="e2", backend=reference),
            TCPEdge(id="e3"),
        )
        self.assertEqual(list(users(found.records, "g")), ["r1", "e2", "fo"])
