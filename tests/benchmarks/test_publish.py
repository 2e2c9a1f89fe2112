"""Tests of `benchmarks.publish`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.publish import BEGIN, CHART, END, FIGURES, FIRST_PAGE, PAGE
from benchmarks.publish import caption, unexplained, with_figures, with_summary
from benchmarks.targets_chart import draw
from tests.benchmarks.outcomes import make_outcome

RUN: dict[str, Any] = {
    "environment": {"cpu": "a cpu", "cores": "2", "kernel": "Linux 6", "python": "3.11.2, optimised build"},
    "rounds": 9,
    "seconds": 1.0,
    "suites": [asdict(make_outcome())],
}


class WithFiguresTests(SynchronousTestCase):
    """Tests of `with_figures` and `caption`."""

    def test_between(self) -> None:
        """What stood between the marks is replaced, and nothing else; doing it again changes nothing."""
        page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
        made = with_figures(page, RUN)
        self.assertTrue(made.startswith(f"before\n{BEGIN}\n") and made.endswith(f"{END}\nafter\n"))
        self.assertNotIn("old", made)
        self.assertEqual(with_figures(made, RUN), made)

    def test_caption(self) -> None:
        """The caption says on what machine and Python, and how many rounds there were, not how many were wanted."""
        self.assertEqual(
            caption(RUN), "a cpu, 2 cores, Linux 6; Python 3.11.2, optimised build; up to 3 rounds of about 1 s."
        )


class UnexplainedTests(SynchronousTestCase):
    """Tests of `unexplained`."""

    def test_missed(self) -> None:
        """A target that is missed needs a heading of its own, by its name, with text; one that is met needs none."""
        stall = {"cells": [{"name": "c", "samples": {"edge": [{"stall": 30.0}]}}], "suite": "tunnels"}
        heading = "Turns of the event loop"
        self.assertEqual(unexplained(f"#### {heading}\n{heading}\n", {"suites": [stall]}), [heading])
        self.assertEqual(unexplained(f"# Page\n\n### {heading}\n\nBecause.\n", {"suites": [stall]}), [])
        self.assertEqual(unexplained(f"### {heading}\n\n### Other\n\nText.\n", {"suites": [stall]}), [heading])
        self.assertEqual(unexplained("", {"suites": []}), [])


class DocumentationTests(SynchronousTestCase):
    """What is published agrees with itself."""

    def test_table(self) -> None:
        """The table on the page is the one that the published figures make."""
        page = PAGE.read_text(encoding="utf-8")
        document = json.loads(FIGURES.read_text(encoding="utf-8"))
        self.assertEqual(with_figures(page, document), page)

    def test_first_page(self) -> None:
        """So does the first page, which has a few of the figures."""
        page = FIRST_PAGE.read_text(encoding="utf-8")
        self.assertIn(BEGIN, page)
        self.assertEqual(with_summary(page, json.loads(FIGURES.read_text(encoding="utf-8"))), page)

    def test_explained(self) -> None:
        """Where a target is missed, the page says why."""
        page = PAGE.read_text(encoding="utf-8")
        self.assertEqual(unexplained(page, json.loads(FIGURES.read_text(encoding="utf-8"))), [])

    def test_chart(self) -> None:
        """So is the chart."""
        self.assertEqual(draw(json.loads(FIGURES.read_text(encoding="utf-8"))), CHART.read_text(encoding="utf-8"))
