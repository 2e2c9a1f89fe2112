"""Tests of `benchmarks.table`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.figures import Spread
from benchmarks.table import grid, number, ranged, render
from tests.benchmarks.outcomes import make_outcome


class NumberTests(SynchronousTestCase):
    """Tests of `number` and `ranged`."""

    def test_three_digits(self) -> None:
        """Small and large figures show the digits that count."""
        self.assertEqual([number(value) for value in (0.9234, 1.234, 12.34, 1520.4)], ["0.923", "1.23", "12.3", "1520"])

    def test_ranged(self) -> None:
        """A spread is shown in the unit that was asked for."""
        self.assertEqual(ranged(Spread(median=0.002, low=0.001, high=0.003), 1000), "2.00 [1.00–3.00]")

    def test_nothing(self) -> None:
        """What was not measured is a dash."""
        self.assertEqual(ranged(None), "–")


class GridTests(SynchronousTestCase):
    """Tests of `grid`."""

    def test_columns(self) -> None:
        """Columns are as wide as their widest cell, names to the left, figures to the right."""
        lines = grid(["arm", "µs"], [["edge", "5"], ["x", "1234"]])
        self.assertEqual(lines, ["| arm  |   µs |", "| ---- | ---: |", "| edge |    5 |", "| x    | 1234 |"])


class RenderTests(SynchronousTestCase):
    """Tests of `render`."""

    def row(self, label: str, p99: float | None = 12.5) -> list[str]:
        """The cells of an arm's row."""
        lines = [line for line in render(make_outcome(p99)).splitlines() if line.startswith(f"| {label}")]
        return [cell.strip() for cell in lines[0].strip("|").split("|")]

    def test_medians_and_ratio(self) -> None:
        """A peer's row has its cost, the ratio of the product to it, its rate, latency, client's cost and memory."""
        self.assertEqual(
            self.row("peer"),
            [
                "peer",
                "70.0 [60.0–80.0]",
                "0.500 [0.500–0.500]",
                "2000 [2000–2000]",
                "12.5 [12.5–12.5]",
                "12.5 [12.5–12.5]",
                "10.0 [10.0–10.0]",
                "2.00",
            ],
        )

    def test_first_is_the_measure(self) -> None:
        """The product's ratio to itself is 1."""
        self.assertEqual(self.row("edge")[2], "1")

    def test_without_latency(self) -> None:
        """Work without requests has no columns for their latency."""
        self.assertEqual(len(self.row("edge", p99=None)), 6)

    def test_left_out(self) -> None:
        """An arm that did not run is named, with what to do about it."""
        self.assertIn("**third** was left out: third is not on PATH (apt-get install third)", render(make_outcome()))
