"""Tests of `benchmarks.runner`."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.arm import Address, Arm
from benchmarks.figures import Sample, Unit
from benchmarks.runner import Field, run_suite
from benchmarks.suite import Suite
from benchmarks.workshop import Unusable
from tests.benchmarks.outcomes import make_sample

NO_WORKSHOP: Any = None


class Good(Arm):
    """An arm that works."""

    label = "good"
    role = "works"
    carries = frozenset({"tcp"})


class Other(Good):
    """Another one."""

    label = "other"


class Lacking(Good):
    """An arm whose program is nowhere."""

    label = "lacking"
    needs = {"no-such-program-anywhere": "apt-get install it"}


class Suspicious(Good):
    """An arm that fails in the second round."""

    label = "suspicious"


class RecordingSuite(Suite):
    """A suite that notes what it is asked for."""

    name = "notes"
    title = "Notes"
    carries = "tcp"
    unit = Unit(cost="c", cost_scale=1, rate="r", rate_scale=1)
    cells = ("a", "b")

    def open(self) -> None:
        """`Suite`."""
        self.notes: list[str] = []

    def start(self, arm: Arm) -> Address:
        """`Suite`."""
        self.notes.append(f"start {arm.label}")
        return Address(host="h", port=1)

    def measure(self, arm: Arm, cell: str) -> Sample:
        """`Suite`."""
        self.notes.append(f"{cell} {arm.label}")
        if arm.label == "suspicious" and self.notes.count("a suspicious") > 2:
            raise Unusable("broke off")
        return make_sample(1.0)


class FieldTests(SynchronousTestCase):
    """Tests of `Field`."""

    def play(self, *arms: type[Arm], rounds: int) -> None:
        """A warm-up and some rounds."""
        self.suite = RecordingSuite(NO_WORKSHOP, 1.0)
        self.said: list[str] = []
        self.field = Field(self.suite, self.said.append)
        self.field.admit(arm(NO_WORKSHOP) for arm in arms)
        for number in range(rounds + 1):
            self.field.play(number)
        self.outcome = self.field.outcome()

    def test_interleaved(self) -> None:
        """In every round, each kind of work goes through all arms in turn."""
        self.play(Good, Other, rounds=1)
        turn = ["a good", "a other", "b good", "b other"]
        self.assertEqual(self.suite.notes, ["start good", "start other", *turn, *turn])

    def test_warm_up_does_not_count(self) -> None:
        """There are as many samples as rounds."""
        self.play(Good, rounds=3)
        self.assertEqual([len(cell.samples["good"]) for cell in self.outcome.cells], [3, 3])

    def test_missing_program(self) -> None:
        """An arm whose program is missing is left out with the remedy, and the others run."""
        self.play(Good, Lacking, rounds=1)
        self.assertEqual(list(self.outcome.roles), ["good"])
        self.assertIn("apt-get install it", self.outcome.left_out["lacking"])
        self.assertNotIn("start lacking", self.suite.notes)

    def test_failure_in_mid_run(self) -> None:
        """An arm that fails is left out from there on, with none of its figures."""
        self.play(Good, Suspicious, rounds=3)
        self.assertEqual(self.outcome.left_out, {"suspicious": "broke off"})
        self.assertEqual([list(cell.samples) for cell in self.outcome.cells], [["good"], ["good"]])
        self.assertEqual(self.suite.notes.count("a suspicious"), 3)

    def test_fault_of_the_bench(self) -> None:
        """An error that nobody foresaw costs the arm, and not the run."""

        class Faulty(Good):
            label = "faulty"

            def missing(self) -> str:
                return ""

        self.patch(RecordingSuite, "start", lambda suite, arm: {}["nothing"])
        self.play(Faulty, rounds=0)
        self.assertIn("KeyError", self.outcome.left_out["faulty"])

    def test_nobody(self) -> None:
        """Without arms there are no figures, and no error."""
        self.play(Lacking, rounds=1)
        self.assertEqual(self.outcome.cells, [])


class OtherFirst(RecordingSuite):
    """A suite that compares all arms with another one than usual."""

    first = "other"
    carries = "tcp"


class RunSuiteTests(SynchronousTestCase):
    """Tests of `run_suite`."""

    def run_with(self, kind: type[Suite], *arms: type[Arm]) -> Any:
        """One round."""
        return run_suite(kind, arms, 1, 1.0, lambda line: None)

    def test_first(self) -> None:
        """The suite says with whom the others are compared; they stay in their order."""
        self.assertEqual(list(self.run_with(OtherFirst, Good, Other).roles), ["other", "good"])
        self.assertEqual(list(self.run_with(RecordingSuite, Good, Other).roles), ["good", "other"])

    def test_first_is_missing(self) -> None:
        """Without that one, the next takes its place."""
        self.assertEqual(self.run_with(OtherFirst, Good).first, "good")

    def test_others(self) -> None:
        """Arms for another kind of work are passed over."""

        class Elsewhere(Good):
            carries = frozenset({"https"})

        self.assertEqual(list(self.run_with(RecordingSuite, Elsewhere, Other).roles), ["other"])

    def test_skipped(self) -> None:
        """Who adds little is left out, unless asked for."""

        class Short(RecordingSuite):
            skips = frozenset({"other"})

        for asked, expected in ((False, ["good"]), (True, ["good", "other"])):
            found = run_suite(Short, [Good, Other], 1, 1.0, lambda line: None, asked)
            self.assertEqual(list(found.roles), expected)

    def rounds(self, allowance: float) -> int:
        """How many rounds there are if each takes a second, of five."""
        times = iter(range(1000))
        found = run_suite(RecordingSuite, [Good], 5, 1.0, lambda line: None, False, allowance, lambda: next(times) / 2)
        return len(found.cells[0].samples["good"])

    def test_allowance(self) -> None:
        """Where time is short there are fewer rounds, but never one alone."""
        self.assertEqual([self.rounds(allowance) for allowance in (100, 0)], [5, 2])
        self.assertTrue(2 < self.rounds(4) < 5)

    def test_few_wanted(self) -> None:
        """A suite that makes one round makes no more."""
        self.assertEqual(len(self.run_with(RecordingSuite, Good).cells[0].samples["good"]), 1)
