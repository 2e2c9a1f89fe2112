"""
Tests for `ngrok_twisted.control.rules.backends`.
"""

from __future__ import annotations

from typing import Any

from tests.control.api.resources.edge_case import EdgeCase


class NestingTests(EdgeCase):
    """Backends inside backends."""

    def setUp(self) -> None:
        super().setUp()
        self.leaf = self.group()

    def weighted(self, *children: str) -> str:
        """The id of a new weighted backend."""
        made: str = self.ok("POST", "/backends/weighted", {"backends": dict.fromkeys(children, 1)})["id"]
        return made

    def failover(self, *children: str) -> str:
        """The id of a new failover."""
        made: str = self.ok("POST", "/backends/failover", {"backends": list(children)})["id"]
        return made

    def change(self, kind: str, id: str, *children: str) -> dict[str, int]:
        """ngrok's numbers for what is wrong with other children."""
        held: Any = list(children) if kind == "failover" else dict.fromkeys(children, 1)
        return self.codes("PATCH", f"/backends/{kind}/{id}", {"backends": held})

    def test_levels(self) -> None:
        """Five levels are possible and six are not, wherever the last one is added."""
        top = self.leaf
        for _ in range(4):
            below, top = top, self.weighted(top)
        self.assertEqual(self.codes("POST", "/backends/weighted", {"backends": {top: 1}}), {"backends": 6513})
        lowest = self.weighted(self.leaf)
        middle = self.weighted(lowest)
        self.weighted(self.weighted(middle))
        self.assertEqual(self.change("weighted", lowest, below), {"backends": 6513})
        self.assertEqual(self.change("weighted", lowest, self.weighted(self.leaf)), {"backends": 6513})
        self.ok("PATCH", f"/backends/weighted/{lowest}", {"backends": {self.group(): 1}})

    def test_failovers(self) -> None:
        """A failover may hold a failover, and that one no third; what is between does not count."""
        inner = self.failover(self.leaf)
        outer = self.failover(inner)
        self.failover(self.weighted(inner))
        self.assertEqual(self.codes("POST", "/backends/failover", {"backends": [outer]}), {"backends": 6513})
        between = self.weighted(outer)
        self.assertEqual(self.codes("POST", "/backends/failover", {"backends": [between]}), {"backends": 6513})
        self.assertEqual(self.change("failover", inner, self.failover(self.leaf)), {"backends": 6513})

    def test_rings(self) -> None:
        """No backend leads back to itself, directly or through others."""
        one = self.weighted(self.leaf)
        two = self.failover(one)
        self.assertEqual(self.change("weighted", one, one), {"backends": 6513})
        self.assertEqual(self.change("weighted", one, two), {"backends": 6513})
        self.assertIn("ring", self.refused("PATCH", f"/backends/weighted/{one}", {"backends": {two: 1}}).message)

    def test_shared(self) -> None:
        """A backend may be named by many."""
        self.failover(self.weighted(self.leaf), self.weighted(self.leaf), self.leaf, self.leaf)
