"""
``python -m benchmarks.profiles``: a line for each kind of work that a target compares with a peer's: where its time goes.

Each is a short profile, see `benchmarks.profile`; of a peer that is asked for, the kernel's part and all the rest. Much of it that is the kernel's or a C library's is a floor for any program that
does the work by the same calls; the rest is what the code in Python could still save.
"""

from __future__ import annotations

import signal
import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from typing import Iterable, Iterator, Sequence

from benchmarks import areas, targets
from benchmarks.arm import Arm
from benchmarks.arms.edge import EdgeArm
from benchmarks.kinds import all_arms, all_suites
from benchmarks.plan import plan
from benchmarks.profile import CANNOT, Profile, check, measure, measure_split
from benchmarks.publish import PAGE, between
from benchmarks.suite import Suite
from benchmarks.table import grid, number
from benchmarks.verdicts import Claim
from benchmarks.workshop import Unusable

SECONDS = 2.0
"""Of work for each line."""
LARGEST = 4
"""Areas that are named."""

BEGIN = "<!-- begin: made by python -m benchmarks.profiles --publish -->"

COLUMNS = {
    "Python": (areas.PYTHON,),
    "cryptography": (areas.OPENSSL, areas.CRYPTOGRAPHY),
    "other C": (areas.EXTENSIONS, areas.COMPRESSION, areas.LIBC),
    "kernel": (areas.KERNEL,),
}
"""Kinds of code that stand together."""


def render(profiles: Iterable[Profile]) -> str:
    """
    :return: a Markdown table with a line for each.
    """
    rows = [_row(profile) for profile in profiles]
    return "\n".join(grid(["work", "unit", *COLUMNS, "all", "Python, by area"], rows, left=2)) + "\n"


def _row(profile: Profile) -> list[str]:
    each = profile.cost / len(profile.points)
    parts = Counter(point.part for point in profile.points)
    inside = Counter(point.area for point in profile.points if point.part == areas.PYTHON)
    sums = [sum(parts[part] for part in held) for held in COLUMNS.values()]
    figures = [number(count * each) if count else "" for count in sums]
    largest = ", ".join(f"{area} {number(count * each)}" for area, count in inside.most_common(LARGEST))
    return [profile.title, profile.unit, *figures, number(profile.cost), largest]


def works(
    suites: Iterable[type[Suite]], arms: Sequence[type[Arm]], claims: Sequence[Claim]
) -> Iterator[tuple[type[Suite], str, type[Arm]]]:
    """
    :param arms: those that can be looked at.
    :return: each kind of work and each of these arms, ours or not, whose costs a claim compares.
    """
    limited = [claim for claim in claims if claim.limit is not None and claim.figure == "cost" and claim.peer]
    for part in plan(suites, arms, limited):
        for cell in part.kind.cells:
            for arm in part.arms:
                if part.kind.fits(arm) and any(_names(claim, part.kind, cell, arm) for claim in limited):
                    yield part.kind, cell, arm


def _names(claim: Claim, kind: type[Suite], cell: str, arm: type[Arm]) -> bool:
    return claim.is_about(kind.name, cell) and arm.label in (claim.ours, claim.peer)


def main(arguments: Sequence[str]) -> int:
    """
    :return: the exit status.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    suites, every = all_suites(), all_arms()
    ours = [arm for arm in every if issubclass(arm, EdgeArm)]
    names = sorted({suite.name for suite in suites})
    options = _parse(arguments, names, [arm.label for arm in every if arm not in ours])
    arms = [arm for arm in every if arm in ours or arm.label in options.peer]
    wanted = [suite for suite in suites if suite.name in (options.suite or names)]
    try:
        check()
    except OSError as error:
        print(f"no profile: {error}", file=sys.stderr)
        return CANNOT
    made = list(_measured(works(wanted, arms, targets.claims()), options.seconds))
    print(render(made))
    if made and options.publish:
        PAGE.write_text(between(PAGE.read_text(encoding="utf-8"), BEGIN, render(made)), encoding="utf-8")
    return 0 if made else CANNOT


def _parse(arguments: Sequence[str], suites: Sequence[str], peers: Sequence[str]) -> Namespace:
    parser = ArgumentParser(prog="python -m benchmarks.profiles", description="Where the edge's time goes, in a table.")
    parser.add_argument("--suite", action="append", choices=suites, help="only this one; may be repeated")
    parser.add_argument("--peer", action="append", choices=peers, default=[], help="beside it; may be repeated")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"of work each, about (default: {SECONDS:g})")
    parser.add_argument("--publish", action="store_true", help=f"put the table into {PAGE.name}, too")
    return parser.parse_args(arguments)


def _measured(works: Iterable[tuple[type[Suite], str, type[Arm]]], seconds: float) -> Iterator[Profile]:
    for kind, cell, arm in works:
        print(f"{kind.name}, {cell}, {arm.label}", file=sys.stderr, flush=True)
        try:
            yield (measure if issubclass(arm, EdgeArm) else measure_split)(kind, cell, arm, seconds)
        except Unusable as error:
            print(f"no profile: {error}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
