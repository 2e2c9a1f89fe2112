"""Tests of `benchmarks.summary`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks import summary
from benchmarks.verdicts import Claim, Row
from tests.benchmarks.outcomes import make_outcome


class RenderTests(SynchronousTestCase):
    """Tests of `render`."""

    def rendered(self, *claims: Claim) -> list[str]:
        """The lines for one target."""
        row = Row(heading="Requests", work="requests", target="less", claims=claims)
        self.patch(summary, "TARGETS", (row,))
        outcome: dict[str, Any] = asdict(make_outcome())
        twice = {
            label: [{**sample, "spent": sample["spent"] * 2} for sample in samples] if label == "edge" else samples
            for label, samples in outcome["cells"][0]["samples"].items()
        }
        outcome["cells"] += [{"name": "large", "samples": twice}]
        return summary.render({"suites": [outcome]}).splitlines()[2:]

    def test_shares(self) -> None:
        """Our CPU is told as a share of each peer's, from the best kind of work to the worst."""
        self.assertEqual(
            self.rendered(Claim(suite="https", peer="peer", limit=1)), ["| Requests      | 0.500–1.00 of peer |"]
        )
        self.assertEqual(
            self.rendered(Claim(suite="https", peer="peer", limit=1, cells=("small",))),
            ["| Requests      | 0.500 of peer      |"],
        )

    def test_left_out(self) -> None:
        """What has no limit, is no CPU, is compared with ourselves or was not measured is no line."""
        for fields in ({"limit": None}, {"figure": "p99"}, {"peer": ""}, {"peer": "edge-1"}, {"peer": "absent"}):
            claim = Claim(**({"suite": "https", "peer": "peer", "limit": 1} | fields))  # type: ignore[arg-type]
            self.assertEqual(self.rendered(claim), [], fields)
