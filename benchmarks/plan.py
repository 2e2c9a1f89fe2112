"""
What a run consists of: which suites, by which arms, and how much of the time each may take.

Nobody has to wait for what no target looks at: without a choice on the command line only kinds of work and arms run that stand in
the table of targets. The others do when their suite is asked for by its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Sequence

from benchmarks.arm import Arm
from benchmarks.suite import Suite
from benchmarks.verdicts import Claim

STARTING = 2
"""What the start of a suite takes beside its work, in pieces of work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """
    :ivar kind: a suite.
    :ivar arms: those that it is offered, as far as they carry its kind of work.
    """

    kind: type[Suite]
    arms: Sequence[type[Arm]]


def plan(suites: Iterable[type[Suite]], arms: Sequence[type[Arm]], claims: Iterable[Claim] | None = None) -> list[Part]:
    """
    :param claims: those of the targets, if only what they look at shall run.
    """
    if claims is None:
        return [Part(kind=kind, arms=arms) for kind in suites]
    held = list(claims)
    parts = [Part(kind=kind, arms=_looked_at(kind, arms, held)) for kind in suites]
    return [part for part in parts if part.arms]


def shares(parts: Iterable[Part]) -> list[float]:
    """
    How much of the time that is left each part may take, if it is the first of those that are left.

    A suite has as much as it has work: kinds of work times arms, times its weight; one that says itself how many rounds it
    makes has that.

    :return: a fraction each.
    """
    weights = [part.kind.weight * _pieces(part) + STARTING for part in parts]
    return [weight / sum(weights[index:]) for index, weight in enumerate(weights)]


def _pieces(part: Part) -> int:
    return len(part.kind.cells) * max(1, sum(map(part.kind.fits, part.arms)))


def _looked_at(kind: type[Suite], arms: Sequence[type[Arm]], claims: Iterable[Claim]) -> Sequence[type[Arm]]:
    """The arms that some claim is about in some kind of work of a suite."""
    held = [claim for claim in claims if any(claim.is_about(kind.name, cell) for cell in kind.cells)]
    return [arm for arm in arms if any(arm.label in (claim.ours, claim.peer) for claim in held)]
