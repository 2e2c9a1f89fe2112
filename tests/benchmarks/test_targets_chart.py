"""Tests of `benchmarks.targets_chart`."""

from __future__ import annotations

from dataclasses import asdict, replace
from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from benchmarks import targets_chart
from benchmarks.targets_chart import MET, MISSED, draw, place
from benchmarks.verdicts import Claim, Row
from tests.benchmarks.outcomes import make_outcome


class PlaceTests(SynchronousTestCase):
    """Tests of `place`."""

    def test_doublings(self) -> None:
        """Each doubling is as far from the next, and what is too far away stands at the edge."""
        self.assertAlmostEqual(place(1) - place(0.5), place(0.5) - place(0.25))
        self.assertEqual((place(100), place(0)), (place(2), place(0.125)))


class DrawTests(SynchronousTestCase):
    """Tests of `draw`."""

    def dots(self, limit: float) -> list[str]:
        """The colours of the dots for one claim whose ratio is a half."""
        claims = (Claim(suite="https", peer="peer", limit=limit), Claim(suite="https", peer="absent", limit=limit))
        row = Row(heading="requests", work="<requests>", target="less", claims=claims)
        self.patch(targets_chart, "TARGETS", (row,))
        outcome = replace(make_outcome(), suite="https")
        root = ElementTree.fromstring(draw({"suites": [asdict(outcome)]}))
        return [str(dot.get("fill")) for dot in root.iter("{http://www.w3.org/2000/svg}circle")]

    def test_colours(self) -> None:
        """There is a dot for each kind of work that was measured, and its colour says whether the target is met."""
        self.assertEqual((self.dots(0.6), self.dots(0.4)), ([MET], [MISSED]))
