"""Tests of `benchmarks.figures`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.figures import Sample, Spread, ratios, spread, spread_of


def sample(cpu: float, units: float = 1.0, seconds: float = 1.0, p50: float | None = None) -> Sample:
    """A sample for tests."""
    return Sample(units=units, seconds=seconds, spent=cpu, memory=0, p50=p50)


class SampleTests(SynchronousTestCase):
    """Tests of `Sample`."""

    def test_cost_and_rate(self) -> None:
        """Cost is CPU per unit, rate is units per second."""
        found = sample(3.0, units=2.0, seconds=4.0)
        self.assertEqual((found.cost, found.rate), (1.5, 0.5))


class SpreadTests(SynchronousTestCase):
    """Tests of `spread` and `spread_of`."""

    def test_order_does_not_matter(self) -> None:
        """The median is the middle value, whatever the order."""
        self.assertEqual(spread([9.0, 1.0, 2.0]), Spread(median=2.0, low=1.0, high=9.0))

    def test_even(self) -> None:
        """Of an even number, it is the mean of the two in the middle."""
        self.assertEqual(spread([1.0, 2.0, 4.0, 100.0]).median, 3.0)

    def test_empty(self) -> None:
        """Nothing has no median."""
        self.assertRaises(ValueError, spread, [])

    def test_absent_figure(self) -> None:
        """Samples without a figure have no spread of it."""
        self.assertIsNone(spread_of([sample(1.0)], lambda one: one.p50))

    def test_present_figure(self) -> None:
        """Samples that lack a figure are passed over."""
        samples = [sample(1.0, p50=5.0), sample(1.0)]
        self.assertEqual(spread_of(samples, lambda one: one.p50), Spread(median=5.0, low=5.0, high=5.0))


class RatiosTests(SynchronousTestCase):
    """Tests of `ratios`."""

    def test_round_by_round(self) -> None:
        """A slow round of both is no difference between them."""
        ours, theirs = [sample(1.0), sample(10.0), sample(1.0)], [sample(2.0), sample(20.0), sample(2.0)]
        self.assertEqual(ratios(ours, theirs), Spread(median=0.5, low=0.5, high=0.5))

    def test_per_unit(self) -> None:
        """Costs are compared, not bills."""
        self.assertEqual(ratios([sample(1.0, units=4.0)], [sample(1.0, units=1.0)]).median, 0.25)

    def test_unequal_rounds(self) -> None:
        """Rounds that have no partner are a fault of the caller."""
        self.assertRaises(ValueError, ratios, [sample(1.0)], [sample(1.0), sample(1.0)])
