"""
Tests of `benchmarks.many_edges`.
"""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from benchmarks import many_edges
from ngrok_twisted.records.edge import HTTPSEdge


class ManyEdgesTests(SynchronousTestCase):
    """The measurement works, whatever it measures."""

    def test_main(self) -> None:
        """Every line has a figure."""
        self.patch(many_edges, "LOOKUPS", 10)
        self.patch(many_edges, "ROUNDS", 1)
        said = StringIO()
        with redirect_stdout(said):
            many_edges.main(["20"])
        lines = said.getvalue().splitlines()
        self.assertEqual(len(lines), 7)
        for line in lines[1:]:
            self.assertRegex(line, r"^  \D+ +\d+\.\d (ms|ns)$")

    def test_changes(self) -> None:
        """One edge changes at a time, and the others are the very same records."""
        before = many_edges.edges(5)
        after = many_edges.one_changed(before)
        same = [one is other for one, other in zip(before.all(HTTPSEdge), after.all(HTTPSEdge))]
        self.assertEqual(same, [False, True, True, True, True])
        self.assertNotEqual(next(after.all(HTTPSEdge)), next(many_edges.one_changed(after).all(HTTPSEdge)))
