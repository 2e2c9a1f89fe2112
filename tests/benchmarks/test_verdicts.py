"""Tests of `benchmarks.verdicts`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.figures import Spread
from benchmarks.verdicts import Claim, Row, Verdict, apart, judge, lines, told, word, worst_stall
from tests.benchmarks.outcomes import make_outcome

MEASURED: dict[str, Any] = {"suites": [asdict(make_outcome())]}
"""One suite, ``https``, with one kind of work: the product takes half of what its peer does."""


class JudgeTests(SynchronousTestCase):
    """Tests of `judge`."""

    def verdict(self, **fields: Any) -> Any:
        """About the product and its peer."""
        return judge(Claim(suite="https", **({"peer": "peer"} | fields)), MEASURED)

    def test_ratio(self) -> None:
        """Ours is divided by the peer's, round by round, and the median counts."""
        found = self.verdict(limit=0.5)
        self.assertEqual(list(found.found), ["small <answers>"])
        self.assertAlmostEqual(found.found["small <answers>"].median, 0.5)

    def test_limit(self) -> None:
        """A target is met at its limit, and not above."""
        self.assertIs(self.verdict(limit=0.5).met, True)
        self.assertIs(self.verdict(limit=0.49).met, False)

    def test_only_shown(self) -> None:
        """Without a limit nothing is met or missed."""
        self.assertIsNone(self.verdict().met)

    def test_other_figures(self) -> None:
        """Latency and time can be compared, too."""
        self.assertEqual(self.verdict(figure="p99").found["small <answers>"].median, 1)
        self.assertEqual(self.verdict(figure="time").found["small <answers>"].median, 1)

    def test_without_peer(self) -> None:
        """A figure of our own is taken in the unit of its limit."""
        found = self.verdict(peer="", figure="p99", scale=2, limit=25)
        self.assertEqual((found.found["small <answers>"].median, found.met), (25, True))

    def test_not_measured(self) -> None:
        """An arm, a suite or a kind of work that is not there says nothing, and is no success."""
        for fields in ({"peer": "absent"}, {"ours": "absent"}, {"cells": ("large",)}, {"figure": "stall"}):
            claim = Claim(suite="https", **({"peer": "peer", "limit": 1} | fields))
            found = judge(claim, MEASURED)
            self.assertEqual((found.found, found.met, word(claim, found)), ({}, None, "not measured"), fields)
            self.assertEqual(apart(found), "–")

    def test_one_sample(self) -> None:
        """A single sample decides nothing, however good it is; it is shown."""
        outcome = asdict(make_outcome())
        samples = outcome["cells"][0]["samples"]
        claim = Claim(suite="https", peer="peer", limit=1)
        for count, expected in ((1, "one sample"), (2, "yes")):
            outcome["cells"][0]["samples"] = {label: each[:count] for label, each in samples.items()}
            found = judge(claim, {"suites": [outcome]})
            self.assertEqual(
                (found.rounds, word(claim, found), list(found.found)), (count, expected, ["small <answers>"])
            )

    def test_mean(self) -> None:
        """Where a sample is the mean of many, one is enough."""
        outcome = asdict(make_outcome())
        samples = outcome["cells"][0]["samples"]
        outcome["cells"][0]["samples"] = {label: each[:1] for label, each in samples.items()}
        self.assertIs(judge(Claim(suite="https", peer="peer", limit=1, least=1), {"suites": [outcome]}).met, True)

    def test_apart(self) -> None:
        """How far rounds lay apart is told as a part of their middle, to both sides, for the kind of work that is worst."""
        quiet, noisy = Spread(median=1, low=0.99, high=1.01), Spread(median=0.2, low=0.1, high=0.3)
        self.assertEqual(apart(Verdict(found={"a": quiet, "b": noisy}, rounds=4, met=True)), "4, ±50 %")

    def test_cells(self) -> None:
        """Kinds of work are chosen by the beginnings of their names."""
        self.assertEqual(list(self.verdict(cells=("large", "small")).found), ["small <answers>"])


class LinesTests(SynchronousTestCase):
    """Tests of `lines` and `told`."""

    def test_lines(self) -> None:
        """Each claim has a line; work and target stand in the first of them."""
        claims = (Claim(suite="https", peer="peer", limit=0.4), Claim(suite="https", peer="peer", figure="p50"))
        self.assertEqual(
            lines([Row(heading="Requests", work="requests", target="less than half", claims=claims)], MEASURED),
            [
                ["requests", "less than half", "peer", "0.500 (≤ 0.400)", "3, ±0 %", "**no**"],
                ["", "", "peer, p50", "1.00", "3, ±0 %", ""],
            ],
        )

    def test_unit(self) -> None:
        """A figure of our own has its unit behind it."""
        claim = Claim(suite="https", figure="p99", limit=20, unit="ms")
        self.assertEqual(told(claim, judge(claim, MEASURED)), "12.5 ms (≤ 20.0)")


class WorstStallTests(SynchronousTestCase):
    """Tests of `worst_stall`."""

    def test_longest(self) -> None:
        """The longest of all counts, with the place where it was; arms that do not tell are passed over."""
        cells = [{"samples": {"edge": [{"stall": 3.0}, {"stall": 21.5}], "peer": [{"stall": None}]}}]
        suites = [{"suite": "https", "cells": cells}, {"suite": "ssh", "cells": []}]
        self.assertEqual(worst_stall({"suites": suites}), (21.5, "https"))

    def test_nobody_tells(self) -> None:
        """Without any there is none."""
        self.assertIsNone(worst_stall(MEASURED))
