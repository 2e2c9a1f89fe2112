"""Tests of `benchmarks.both_fronts`."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.both_fronts import with_both
from ngrok_twisted.edge import compile
from ngrok_twisted.edge.https import HTTPEdge, HTTPSEdge
from ngrok_twisted.edge.router import Router

RESOURCE: Any = object()


def https_edge() -> HTTPSEdge:
    """An edge as far as it matters here."""
    edge: Any = HTTPSEdge.__new__(HTTPSEdge)
    edge.name, edge.resource, edge.account_id = "shop", RESOURCE, "ac_1"
    return edge


class WithBothTests(SynchronousTestCase):
    """Tests of `with_both`."""

    def test_same_resource(self) -> None:
        """An https edge is found on the http listener with the very resource that it has."""
        router = with_both({"shop.localhost": https_edge()}, {}, {}, {}, {})
        self.assertIs(router.plain.get("shop.localhost").resource, RESOURCE)

    def test_names_of_their_own(self) -> None:
        """What serves an http name already goes on doing so."""
        own = HTTPEdge("own", object())
        router = with_both({"shop.localhost": https_edge()}, {"shop.localhost": own}, {}, {}, {})
        self.assertIs(router.plain.get("shop.localhost"), own)

    def test_seam(self) -> None:
        """The name that the program replaces is the one that routers are made by."""
        self.assertIs(compile.Router, Router)
