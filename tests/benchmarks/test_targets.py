"""Tests of `benchmarks.targets`."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.kinds import all_arms, all_suites
from benchmarks.targets import TARGETS, render
from benchmarks.verdicts import FIGURES

EMPTY: dict[str, Any] = {"suites": []}


class TargetsTests(SynchronousTestCase):
    """Tests of `TARGETS`."""

    def test_measured_somewhere(self) -> None:
        """Every claim names a suite, kinds of work and arms that there are, so that none goes unmeasured for a wrong name."""
        arms = {arm.label: arm for arm in all_arms()}
        for row in TARGETS:
            for claim in row.claims:
                suites = [suite for suite in all_suites() if suite.name == claim.suite]
                cells = [cell for suite in suites for cell in suite.cells]
                for beginning in claim.cells or ("",):
                    self.assertTrue([cell for cell in cells if cell.startswith(beginning)], claim)
                for label in filter(None, (claim.ours, claim.peer)):
                    self.assertTrue(any(suite.fits(arms[label]) for suite in suites), claim)
                self.assertIn(claim.figure, FIGURES)

    def test_limits(self) -> None:
        """Every target has at least one limit."""
        for row in TARGETS:
            self.assertTrue([claim for claim in row.claims if claim.limit is not None], row.work)


class RenderTests(SynchronousTestCase):
    """Tests of `render`."""

    def test_nothing_measured(self) -> None:
        """A run without figures says so in every line."""
        body = render(EMPTY).splitlines()[2:]
        self.assertEqual(len(body), sum(len(row.claims) for row in TARGETS) + 1)
        for line in body:
            self.assertIn("not measured", line)
