"""
Run a suite: start the arms, warm each up, then round after round through all of them, A B A B.

An arm that cannot be started, or that fails in its work, is left out with the reason; it never stops the run. Where time is
short, a suite makes fewer rounds, the same for all arms, and not less than two.
"""

from __future__ import annotations

import time
from typing import Callable, Iterable

from benchmarks.arm import Arm, missing_tools
from benchmarks.figures import Cell, Outcome, Sample
from benchmarks.suite import Suite
from benchmarks.workshop import Unusable, Workshop

LEAST_ROUNDS = 2
"""However short the time is: a single sample says nothing about its own noise."""

Say = Callable[[str], None]
"""Called with a line about the progress."""


def run_suite(
    kind: type[Suite],
    arms: Iterable[type[Arm]],
    rounds: int,
    seconds: float,
    say: Say,
    asked: bool = False,
    allowance: float = float("inf"),
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """
    :param arms: the competitors; those that do not carry this kind of work are passed over.
    :param rounds: rounds that count, if there is time for them.
    :param seconds: how long one piece of work shall take, about.
    :param asked: somebody asked for just these arms.
    :param allowance: seconds for all of it; `LEAST_ROUNDS` are made in any case, if so many are wanted.
    :param clock: seconds that only go up.
    """
    started = clock()
    with Workshop() as workshop:
        field = Field(kind(workshop, seconds), say)
        fit = [arm for arm in arms if kind.fits(arm, asked)]
        field.admit(arm(workshop) for arm in sorted(fit, key=lambda arm: arm.label != kind.first))
        field.play(0)
        first = clock()
        for number in range(1, min(rounds, kind.most_rounds) + 1):
            field.play(number)
            took = (clock() - first) / number
            if number >= LEAST_ROUNDS and clock() - started + took > allowance:
                break
        say(f"{kind.name}: {clock() - started:.0f} s")
        return field.outcome()


class Field:
    """
    The arms of one suite and what they have shown so far.

    :ivar left_out: why, by label, of the arms that do not take part, or no more.
    """

    def __init__(self, suite: Suite, say: Say) -> None:
        self.left_out: dict[str, str] = {}
        self._suite = suite
        self._say = say
        self._arms: list[Arm] = []
        self._samples: dict[str, dict[str, list[Sample]]] = {cell: {} for cell in suite.cells}

    def admit(self, arms: Iterable[Arm]) -> None:
        """Start the service, then each arm."""
        lacking = missing_tools(self._suite.needs) or self._open()
        for arm in arms:
            self._arms.append(arm)
            reason = lacking or arm.missing()
            if reason:
                self._leave_out(arm, reason)
            else:
                self._try(arm, lambda arm=arm: self._suite.admit(arm))  # type: ignore[misc]

    def play(self, number: int) -> None:
        """
        One round.

        :param number: 0 is the warm-up.
        """
        for cell in self._suite.cells:
            for arm in tuple(self._arms):
                self._try(arm, lambda arm=arm: self._work(arm, cell, number))  # type: ignore[misc]

    def outcome(self) -> Outcome:
        """What the arms that lasted to the end have shown."""
        labels = [arm.label for arm in self._arms]
        cells = [
            Cell(name=name, samples={label: tuple(samples[label]) for label in labels})
            for name, samples in self._samples.items()
            if labels
        ]
        return Outcome(
            suite=self._suite.name,
            title=self._suite.title,
            unit=self._suite.unit,
            roles={arm.label: arm.role for arm in self._arms},
            cells=cells,
            left_out=self.left_out,
        )

    def _open(self) -> str:
        """Start the service; why it cannot be, or nothing."""
        try:
            self._suite.open()
        except (Unusable, OSError, ValueError) as error:
            return str(error)
        return ""

    def _work(self, arm: Arm, cell: str, number: int) -> None:
        if not number:
            self._suite.warm_up(arm, cell)
            self._say(f"{self._suite.name}: warm-up, {cell}, {arm.label}")
            return
        sample = self._suite.measure(arm, cell)
        self._samples[cell].setdefault(arm.label, []).append(sample)
        unit = self._suite.unit
        cost, rate = sample.cost * unit.cost_scale, sample.rate * unit.rate_scale
        self._say(
            f"{self._suite.name}: round {number}, {cell}, {arm.label}: {cost:.3g} {unit.cost}, {rate:.0f} {unit.rate}"
        )

    def _try(self, arm: Arm, step: Callable[[], None]) -> None:
        try:
            step()
        except Unusable as error:
            self._leave_out(arm, str(error))
        except Exception as error:  # a fault of the bench itself must not cost the figures of all others
            self._leave_out(arm, f"{type(error).__name__}: {error}")

    def _leave_out(self, arm: Arm, reason: str) -> None:
        self.left_out[arm.label] = reason
        self._arms.remove(arm)
        self._say(f"{self._suite.name}: {arm.label} is left out: {reason}")
