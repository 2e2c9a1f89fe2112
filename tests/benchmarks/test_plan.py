"""Tests of `benchmarks.plan`."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.kinds import all_arms, all_suites
from benchmarks.plan import Part, plan, shares
from benchmarks.targets import TARGETS, claims
from benchmarks.verdicts import Claim
from tests.benchmarks.test_runner import Good, Other, RecordingSuite, Suspicious


class Elsewhere(RecordingSuite):
    """A suite for arms that there are none of."""

    name = "elsewhere"
    carries = "https"


class PlanTests(SynchronousTestCase):
    """Tests of `plan`."""

    def planned(self, *claims: Claim) -> dict[str, list[str]]:
        """The labels of the arms for each suite."""
        parts = plan([RecordingSuite, Elsewhere], [Good, Other, Suspicious], claims)
        return {part.kind.name: [arm.label for arm in part.arms] for part in parts}

    def test_everything(self) -> None:
        """What was asked for runs as it is."""
        arms = [Good, Other]
        self.assertEqual(
            plan([RecordingSuite, Elsewhere], arms),
            [Part(kind=RecordingSuite, arms=arms), Part(kind=Elsewhere, arms=arms)],
        )

    def test_claims(self) -> None:
        """Otherwise a suite runs with the arms that claims about its kinds of work name, and not without any."""
        ours: dict[str, Any] = {"suite": "notes", "ours": "good"}
        self.assertEqual(self.planned(Claim(**ours, peer="other")), {"notes": ["good", "other"]})
        self.assertEqual(self.planned(Claim(**ours)), {"notes": ["good"]})
        self.assertEqual(self.planned(Claim(**ours, cells=("a",))), {"notes": ["good"]})
        self.assertEqual(self.planned(Claim(**ours, cells=("c",))), {})

    def test_all_targets(self) -> None:
        """A whole run measures each claim."""
        parts = plan(all_suites(), all_arms(), claims())
        for claim in (claim for row in TARGETS for claim in row.claims):
            labels = [{arm.label for arm in part.arms} for part in parts if part.kind.name == claim.suite]
            self.assertTrue([found for found in labels if {claim.ours, claim.peer} - {""} <= found], claim)


class SharesTests(SynchronousTestCase):
    """Tests of `shares`."""

    def test_last(self) -> None:
        """The last suite may take all that is left."""
        self.assertEqual(shares(plan([RecordingSuite, RecordingSuite], [Good]))[-1], 1)

    def test_work(self) -> None:
        """Suites of the same size share evenly, and one with more arms gets more."""
        self.assertEqual(shares(plan([RecordingSuite, RecordingSuite], [Good]))[0], 0.5)
        self.assertGreater(shares(plan([RecordingSuite, Elsewhere], [Good, Other, Suspicious]))[0], 0.5)

    def test_weight(self) -> None:
        """Work that spreads much has more of the time."""

        class Spreading(RecordingSuite):
            weight = 2

        self.assertGreater(shares(plan([Spreading, RecordingSuite], [Good]))[0], 0.5)
