"""Tests of `benchmarks.profiles`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.kinds import all_arms, all_suites
from benchmarks.profile import Point, Profile
from benchmarks.profiles import render, works
from benchmarks.targets import claims
from benchmarks.verdicts import Claim
from tests.benchmarks.test_runner import Good, Other, RecordingSuite


class RenderTests(SynchronousTestCase):
    """Tests of `render`."""

    def test_line(self) -> None:
        """A line has the costs by kind of code, which make up the whole, and the areas that take most of Python's part."""
        kinds = [("Python", "net", 5), ("Python", "edge", 3), ("OpenSSL", "net", 2), ("cryptography", "net", 2)]
        kinds += [("C library", "edge", 1), ("extensions", "edge", 1), ("kernel", "net", 6)]
        points = tuple(Point(part=part, area=area, function="f") for part, area, count in kinds for _ in range(count))
        profile = Profile(title="requests", cost=40.0, unit="µs/request", points=points, seconds=1.0)
        self.assertEqual(
            render([profile]).splitlines()[::2],
            [
                "| work     | unit       | Python | cryptography | other C | kernel |  all |     Python, by area |",
                "| requests | µs/request |   16.0 |         8.00 |    4.00 |   12.0 | 40.0 | net 10.0, edge 6.00 |",
            ],
        )


class WorksTests(SynchronousTestCase):
    """Tests of `works`."""

    def test_limited(self) -> None:
        """Only kinds of work whose cost is limited beside somebody else's are looked at, by the arms that the claim names."""
        counted = Claim(suite="notes", cells=("a",), ours="good", peer="other", limit=1)
        for claim, expected in (
            (counted, [(RecordingSuite, "a", Good), (RecordingSuite, "a", Other)]),
            (Claim(suite="notes", ours="good", peer="other"), []),
            (Claim(suite="notes", ours="good", limit=1), []),
            (Claim(suite="notes", ours="good", peer="other", figure="p99", limit=1), []),
            (
                Claim(suite="notes", ours="other", peer="absent", limit=1),
                [(RecordingSuite, cell, Other) for cell in "ab"],
            ),
        ):
            self.assertEqual(list(works([RecordingSuite], [Good, Other], [claim])), expected, claim)

    def test_targets(self) -> None:
        """Each of them once."""
        found = list(works(all_suites(), all_arms(), claims()))
        self.assertEqual(len(set(found)), len(found))
        self.assertIn(("tls", "resumed", "edge"), [(kind.name, cell, arm.label) for kind, cell, arm in found])
