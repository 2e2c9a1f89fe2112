"""Tests of `benchmarks.targets`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.kinds import all_arms, all_suites
from benchmarks import targets
from benchmarks.targets import TARGETS, claims, missed, render
from benchmarks.verdicts import FIGURES, Claim, Row
from tests.benchmarks.outcomes import make_outcome

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

    def test_headings(self) -> None:
        """Each has a heading of its own."""
        headings = [row.heading for row in TARGETS]
        self.assertEqual(len(set(headings)), len(TARGETS))

    def test_limits(self) -> None:
        """Every target has at least one limit."""
        for row in TARGETS:
            self.assertTrue([claim for claim in row.claims if claim.limit is not None], row.work)


class MissedTests(SynchronousTestCase):
    """Tests of `missed`."""

    def test_missed(self) -> None:
        """A target is missed if one of its claims is, and not for what was not measured."""
        good, bad = (Claim(suite="https", peer="peer", limit=limit) for limit in (0.6, 0.4))
        unknown = Claim(suite="https", peer="absent", limit=0.1)
        rows = [("met", (good, unknown)), ("half", (good, bad)), ("missed", (bad,))]
        made = tuple(Row(heading=name, work="", target="", claims=held) for name, held in rows)
        self.patch(targets, "TARGETS", made)
        self.assertEqual(missed({"suites": [asdict(make_outcome())]}), ["half", "missed"])
        self.assertEqual(claims(), [good, unknown, good, bad, bad])

    def test_stall(self) -> None:
        """The longest turn of the event loop is a target, too."""
        for stall, expected in ((20.0, []), (20.1, ["Turns of the event loop"])):
            suite = {"suite": "ssh", "cells": [{"name": "c", "samples": {"edge": [{"stall": stall}]}}]}
            self.patch(targets, "TARGETS", ())
            self.assertEqual(missed({"suites": [suite]}), expected)


class RenderTests(SynchronousTestCase):
    """Tests of `render`."""

    def test_nothing_measured(self) -> None:
        """A run without figures says so in every line."""
        body = render(EMPTY).splitlines()[2:]
        self.assertEqual(len(body), sum(len(row.claims) for row in TARGETS) + 1)
        for line in body:
            self.assertIn("not measured", line)
