"""
What was measured, and what is said about it: samples, medians with their range, and ratios round by round.

Rounds are interleaved (A B A B …), so that a ratio is taken between neighbours in time: when the machine slows down it
slows both, and the ratio holds where the two figures would not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Callable, Iterable, Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """
    One piece of work through one arm.

    :ivar units: how much work: gigabytes (10**9 bytes), requests, or tunnels.
    :ivar seconds: how long it took, as the visitors saw it.
    :ivar spent: what it took of the processes under test: CPU seconds; for idle tunnels, KiB.
    :ivar client_cpu: CPU seconds of the ``ssh`` on the user's side, where they are looked at.
    :ivar memory: KiB (PSS) that the processes under test hold after it.
    :ivar p50: milliseconds within which half of the requests were answered, where there are requests.
    :ivar p99: milliseconds within which 99 of 100 were.
    :ivar stall: milliseconds of the longest turn of the event loop meanwhile, where the arm tells.
    """

    units: float
    seconds: float
    spent: float
    memory: int
    client_cpu: float | None = None
    p50: float | None = None
    p99: float | None = None
    stall: float | None = None

    @property
    def cost(self) -> float:
        """What a unit of work takes: the figure that is compared."""
        return self.spent / self.units

    @property
    def client_cost(self) -> float | None:
        """CPU seconds of the client for a unit of work, where they are looked at."""
        return None if self.client_cpu is None else self.client_cpu / self.units

    @property
    def rate(self) -> float:
        """Units of work a second."""
        return self.units / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A median and how far the rounds lay apart."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """
    How a suite counts.

    :ivar cost: the name of what a unit takes, such as ``cpu-s/GB``.
    :ivar cost_scale: from `Sample.cost` to that name.
    :ivar rate: the name of units per second, such as ``MB/s``.
    :ivar rate_scale: from `Sample.rate` to that name.
    """

    cost: str
    cost_scale: float
    rate: str
    rate_scale: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """
    One kind of work, by all arms.

    :ivar name: such as ``download, 8 streams``.
    :ivar samples: by the arm's label, one a round, in order.
    """

    name: str
    samples: Mapping[str, Sequence[Sample]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    What a suite found.

    :ivar suite: its name.
    :ivar title: a line for the reader.
    :ivar roles: what ran, by the arm's label; the first is the one the others are compared with.
    :ivar left_out: why, by the label of each arm that did not run.
    """

    suite: str
    title: str
    unit: Unit
    roles: Mapping[str, str]
    cells: Sequence[Cell]
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def first(self) -> str:
        """The label of the arm that the others are compared with; empty if none ran."""
        return next(iter(self.roles), "")

    @property
    def peers(self) -> list[str]:
        """The labels of the others."""
        return list(self.roles)[1:]


def spread(values: Iterable[float]) -> Spread:
    """
    :raises ValueError: there is no value.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("a spread needs at least one value")
    return Spread(median=median(ordered), low=ordered[0], high=ordered[-1])


def spread_of(samples: Sequence[Sample], figure: Callable[[Sample], float | None]) -> Spread | None:
    """
    :param figure: picks it out of a sample.
    :return: ``None`` if the samples have no such figure.
    """
    values = [value for value in map(figure, samples) if value is not None]
    return spread(values) if values else None


def ratios(ours: Sequence[Sample], theirs: Sequence[Sample]) -> Spread:
    """
    Cost over cost, round by round. Below 1 ours is the cheaper.

    :raises ValueError: the two have not the same number of rounds, or none.
    """
    return spread(a.cost / b.cost for a, b in zip(ours, theirs, strict=True))
