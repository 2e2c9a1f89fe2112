"""
``python -m benchmarks.profile --suite plain --cell https``: where the time of one unit of work goes, inside the edge.

An arm of the edge's is started as the bench does it and does one kind of work, while its processes are sampled by the CPU time
that they use (see `benchmarks.sampler`). Shares are those of the samples; they are scaled to the CPU time of a unit that is
counted in the same seconds. What it prints is Markdown.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Iterable, Iterator, Mapping, Sequence

from benchmarks import areas, proc, sampler
from benchmarks.arm import Arm
from benchmarks.arms.edge import EdgeArm
from benchmarks.cpu_clock import CPUClock
from benchmarks.kinds import all_arms, all_suites
from benchmarks.suite import Suite
from benchmarks.table import grid, number
from benchmarks.workshop import Unusable, Workshop

FUNCTIONS = 20
"""How many are shown."""
SMALL, OTHERS = 0.01, "others"
"""Areas with less of the whole than this share one line."""
CANNOT = 2
"""The exit status if this machine lacks what it takes, or the work could not be done."""
SECONDS = 5.0
"""Of work, if nothing else is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """
    A sample.

    :ivar part: what kind of code was running, see `benchmarks.areas.PARTS`.
    :ivar area: of the tree, for the Python function that ran or had called it.
    :ivar function: that function, with its file and line.
    """

    part: str
    area: str
    function: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """
    :ivar title: the work.
    :ivar cost: of a unit, in that unit.
    :ivar unit: its name, such as ``µs/request``.
    :ivar points: all samples.
    :ivar seconds: CPU seconds of all processes under test.
    """

    title: str
    cost: float
    unit: str
    points: Sequence[Point]
    seconds: float


def render(profile: Profile) -> str:
    """
    :return: a table of areas by parts, one of functions, and how they were made, as Markdown.
    """
    sampled = len(profile.points) / sampler.RATE
    lines = [
        f"{profile.title}: {number(profile.cost)} {profile.unit}; {len(profile.points)} samples of "
        f"{sampled:.2f} CPU seconds, {profile.seconds:.2f} in all",
        "",
        *_areas_table(profile),
        "",
        *_functions_table(profile),
    ]
    return "\n".join(lines) + "\n"


def document(profile: Profile) -> dict[str, Any]:
    """The same for machines: costs by area and part, and by function, in the profile's unit."""
    each = profile.cost / len(profile.points)
    by_area = Counter((point.area, point.part) for point in profile.points)
    by_function = Counter(point.function for point in profile.points)
    return {
        "work": profile.title,
        "unit": profile.unit,
        "cost": profile.cost,
        "samples": len(profile.points),
        "areas": [{"area": area, "part": part, "cost": n * each} for (area, part), n in by_area.most_common()],
        "functions": [{"function": name, "cost": n * each} for name, n in by_function.most_common()],
    }


def _areas_table(profile: Profile) -> list[str]:
    each = profile.cost / len(profile.points)
    sizes = Counter(point.area for point in profile.points)
    small = {area for area, size in sizes.items() if size < SMALL * len(profile.points)}
    found = Counter((OTHERS if point.area in small else point.area, point.part) for point in profile.points)
    parts = [part for part in areas.PARTS if any(key[1] == part for key in found)]
    rows = sorted({area for area, _ in found}, key=lambda area: -sum(found[area, part] for part in parts))
    table = [[area, *_costs([found[area, part] for part in parts], each)] for area in rows]
    total = ["**all**", *_costs([sum(found[area, part] for area in rows) for part in parts], each)]
    return grid([f"area ({profile.unit})", *parts, "all"], [*table, total])


def _functions_table(profile: Profile) -> list[str]:
    each = profile.cost / len(profile.points)
    found = Counter((point.function, point.part) for point in profile.points)
    most = Counter(point.function for point in profile.points).most_common(FUNCTIONS)
    rows = []
    for name, count in most:
        own, kernel = found[name, areas.PYTHON], found[name, areas.KERNEL]
        rows.append([f"`{name}`", *_costs([own, count - own - kernel, kernel], each)])
    return grid([f"function ({profile.unit})", areas.PYTHON, "C", areas.KERNEL, "all"], rows)


def _costs(counts: Sequence[int], each: float) -> list[str]:
    """Cells for some counts and for their sum."""
    return [number(count * each) if count else "" for count in (*counts, sum(counts))]


def points(lines: Iterable[Sequence[Any]], begin: int, end: int) -> Iterator[Point]:
    """
    :param lines: what `benchmarks.sampler` wrote.
    :param begin: nanoseconds of the monotonic clock.
    :param end: likewise; what was before or after is passed over.
    """
    for at, library, file, name, line in lines:
        if begin <= at <= end:
            function = f"{areas.short(file)}:{line} {name}"
            yield Point(part=areas.part(library), area=areas.area(file), function=function)


def measure(kind: type[Suite], cell: str, arm_kind: type[Arm], seconds: float) -> Profile:
    """
    Have an arm do one kind of work, and look at it meanwhile.

    :raises Unusable: it cannot, or nothing was seen.
    """
    with TemporaryDirectory(prefix="ngrok-profile-") as name:
        folder = Path(name)
        with Workshop() as workshop:
            suite, arm = kind(workshop, seconds), arm_kind(workshop)
            suite.open()
            with _sampled(folder):
                suite.admit(arm)
            suite.warm_up(arm, cell)
            begin, (before, _) = time.monotonic_ns(), arm.cpu_seconds()
            sample = suite.measure(arm, cell)
            end, (after, _) = time.monotonic_ns(), arm.cpu_seconds()
            pids = [stat.pid for stat in proc.tree(proc.running(), arm.roots)]
        files = [path for path in (folder / f"{pid}.json" for pid in pids) if path.exists()]
        found = [point for path in files for point in points(json.loads(path.read_text("utf-8")), begin, end)]
    if not found:
        raise Unusable("its processes wrote no samples")
    unit = kind.unit
    return Profile(
        title=f"{kind.name}, {cell}, {arm.label}",
        cost=sample.cost * unit.cost_scale,
        unit=unit.cost,
        points=found,
        seconds=after - before,
    )


def measure_split(kind: type[Suite], cell: str, arm_kind: type[Arm], seconds: float) -> Profile:
    """
    Have any arm do one kind of work, and only tell the kernel's time from all other, as the kernel counts it.

    :return: a profile whose points are clock ticks.
    :raises Unusable: it cannot.
    """
    with Workshop() as workshop:
        suite, arm = kind(workshop, seconds), arm_kind(workshop)
        suite.open()
        suite.admit(arm)
        suite.warm_up(arm, cell)
        before, (spent, _) = proc.kernel_seconds(proc.running(), arm.roots), arm.cpu_seconds()
        sample = suite.measure(arm, cell)
        after, (spent_after, _) = proc.kernel_seconds(proc.running(), arm.roots), arm.cpu_seconds()
    ticks = max(1, round((spent_after - spent) * proc.TICKS_PER_SECOND))
    kernel = min(ticks, round((after - before) * proc.TICKS_PER_SECOND))
    parts = [areas.KERNEL] * kernel + [areas.EXTENSIONS] * (ticks - kernel)
    return Profile(
        title=f"{kind.name}, {cell}, {arm.label}",
        cost=sample.cost * kind.unit.cost_scale,
        unit=kind.unit.cost,
        points=[Point(part=part, area=arm.label, function=arm.label) for part in parts],
        seconds=spent_after - spent,
    )


@contextmanager
def _sampled(folder: Path) -> Iterator[None]:
    """What is started inside samples itself, if it is in Python."""
    kept = dict(os.environ)
    os.environ.update(environment(folder, kept))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


def environment(folder: Path, given: Mapping[str, str]) -> dict[str, str]:
    """
    :param folder: where processes write their samples when they end.
    :param given: the environment without them.
    """
    here = Path(__file__).resolve().parent
    paths = (str(here / "sampled"), str(here.parent), given.get("PYTHONPATH", ""))
    return {**given, sampler.FOLDER: str(folder.resolve()), "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def main(arguments: Sequence[str]) -> int:
    """
    :return: the exit status.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    arms = {arm.label: arm for arm in all_arms() if issubclass(arm, EdgeArm)}
    suites = all_suites()
    parser = ArgumentParser(prog="python -m benchmarks.profile", description="Where the edge's time goes.")
    parser.add_argument("--suite", choices=sorted({suite.name for suite in suites}), required=True)
    parser.add_argument("--cell", default="", help="the kind of work, by words of its name (default: the first)")
    parser.add_argument("--arm", choices=arms, help="whose (default: the first that the suite is for)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"of work, about (default: {SECONDS:g})")
    parser.add_argument("--json", action="store_true", help="print JSON, with all functions, instead of Markdown")
    options = parser.parse_args(arguments)
    wanted = [arms[options.arm]] if options.arm else list(arms.values())
    try:
        check()
        kind, cell, arm = choose(suites, wanted, options.suite, options.cell)
        profile = measure(kind, cell, arm, options.seconds)
    except (OSError, Unusable) as error:
        print(f"no profile: {error}", file=sys.stderr)
        return CANNOT
    print(json.dumps(document(profile), indent=1, ensure_ascii=False) if options.json else render(profile))
    return 0


def check() -> None:
    """
    Find out whether a process may be looked at here.

    :raises OSError: it may not; with the remedy.
    """
    CPUClock(sampler.RATE, signal.SIGPROF).stop()


def choose(
    suites: Iterable[type[Suite]], arms: Sequence[type[Arm]], name: str, words: str
) -> tuple[type[Suite], str, type[Arm]]:
    """
    :param name: of a suite.
    :param words: of the name of one of its kinds of work.
    :return: the first kind of work that has all the words, with its suite and the first arm that does it.
    :raises Unusable: there is none.
    """
    for kind in suites:
        for cell in kind.cells if kind.name == name else ():
            fit = [arm for arm in arms if kind.carries in arm.carries]
            if fit and all(word in cell for word in words.split()):
                return kind, cell, fit[0]
    cells = "; ".join(cell for kind in suites if kind.name == name for cell in kind.cells)
    raise Unusable(f"{arms[0].label} does no kind of work of {name} with {words!r} in its name; there are: {cells}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
