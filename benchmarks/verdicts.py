"""
What a run says about claims: a ratio to a peer, or a figure of our own, beside its limit, in every kind of work that the claim
names. Claims are read against the JSON document of a run, so that a table can be made of any run, whenever and wherever it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterable, Mapping, Sequence

from benchmarks.figures import Sample, Spread, spread
from benchmarks.table import number

Document = Mapping[str, Any]

LEAST_SAMPLES = 2
"""From which on a target is called met or missed."""
PERCENT = 100

FIGURES: Mapping[str, Callable[[Sample], float | None]] = {
    "cost": lambda sample: sample.cost,
    "time": lambda sample: 1 / sample.rate,
    "p50": lambda sample: sample.p50,
    "p99": lambda sample: sample.p99,
    "stall": lambda sample: sample.stall,
}
"""What of a sample is compared; each is the better the smaller it is. ``time`` is that of a unit of work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """
    :ivar suite: where it is measured.
    :ivar cells: in which kinds of work, by the beginnings of their names; all of the suite if there are none.
    :ivar ours: the label of the arm that the claim is about.
    :ivar peer: the label of the one that it is compared with; empty for a figure of our own.
    :ivar figure: what of a sample, one of `FIGURES`.
    :ivar limit: what the ratio, or the figure, may be at most; ``None`` if it is only shown.
    :ivar scale: what a figure of our own is multiplied with, to be in the unit of the limit.
    :ivar unit: the name of that unit.
    :ivar least: from how many rounds on it is called met or missed; one is enough where a sample is the mean of thousands.
    """

    suite: str
    cells: tuple[str, ...] = ()
    ours: str = "edge"
    peer: str = ""
    figure: str = "cost"
    limit: float | None = None
    scale: float = 1
    unit: str = ""
    least: int = LEAST_SAMPLES

    def is_about(self, suite: str, cell: str) -> bool:
        """Whether it speaks of that kind of work of that suite."""
        return suite == self.suite and cell.startswith(self.cells or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """
    :ivar heading: what it is called where the documentation explains what is left.
    :ivar work: what is done.
    :ivar target: the target in words.
    :ivar claims: what it takes to meet it.
    """

    heading: str
    work: str
    target: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """
    :ivar found: by the name of each kind of work, in order; empty if nothing was measured.
    :ivar rounds: how many samples the one has that has the fewest.
    :ivar met: whether all are within the limit; ``None`` if there is no limit, or too little was measured.
    """

    found: Mapping[str, Spread]
    rounds: int
    met: bool | None


def judge(claim: Claim, document: Document) -> Verdict:
    """What a run says about a claim; medians count."""
    every = {name: list(_values(claim, samples)) for name, samples in _cells(claim, document)}
    found = {name: spread(values) for name, values in every.items() if values}
    rounds = min((len(values) for values in every.values() if values), default=0)
    if claim.limit is None or rounds < claim.least:
        return Verdict(found=found, rounds=rounds, met=None)
    return Verdict(found=found, rounds=rounds, met=all(value.median <= claim.limit for value in found.values()))


def worst_stall(document: Document) -> tuple[float, str] | None:
    """
    The longest turn of an event loop in any piece of work of a run.

    :return: milliseconds, and the suite where it was; ``None`` if none was told.
    """
    stalls = [
        (sample["stall"], str(suite["suite"]))
        for suite in document["suites"]
        for cell in suite["cells"]
        for samples in cell["samples"].values()
        for sample in samples
        if sample.get("stall") is not None
    ]
    return max(stalls, default=None)


def lines(rows: Iterable[Row], document: Document) -> list[list[str]]:
    """
    :return: the cells of a table's lines: work, target, against whom, what was found, in how many rounds and how far apart, and
        whether the target is met.
    """
    table = []
    for row in rows:
        work, target = row.work, row.target
        for claim in row.claims:
            verdict = judge(claim, document)
            table.append([work, target, against(claim), told(claim, verdict), apart(verdict), word(claim, verdict)])
            work = target = ""
    return table


def against(claim: Claim) -> str:
    """With whom it is compared, by what."""
    name = {"cost": "", "time": ", time", "p50": ", p50", "p99": ", p99", "stall": ", stall"}[claim.figure]
    ours = "" if claim.ours == "edge" else f"{claim.ours} ÷ "
    return f"{ours}{claim.peer or 'itself'}{name}"


def told(claim: Claim, verdict: Verdict) -> str:
    """The medians in the order of the kinds of work, and the limit."""
    figures = ", ".join(number(value.median) for value in verdict.found.values()) or "–"
    limit = "" if claim.limit is None else f" (≤ {number(claim.limit)})"
    return f"{figures}{' ' + claim.unit if claim.unit else ''}{limit}"


def apart(verdict: Verdict) -> str:
    """How many rounds there were, and how far they lay from their middle, in the kind of work where they did most."""
    if not verdict.found:
        return "–"
    if verdict.rounds < LEAST_SAMPLES:
        return f"{verdict.rounds}"
    most = max((value.high - value.low) / (value.high + value.low or 1) for value in verdict.found.values())
    return f"{verdict.rounds}, ±{most * PERCENT:.0f} %"


def word(claim: Claim, verdict: Verdict) -> str:
    """Whether a target is met, in a word."""
    if not verdict.found:
        return "not measured"
    if claim.limit is None:
        return ""
    return "one sample" if verdict.met is None else yes_or_no(verdict.met)


def yes_or_no(met: bool) -> str:
    """In a table."""
    return "yes" if met else "**no**"


def _cells(claim: Claim, document: Document) -> Iterable[tuple[str, Mapping[str, Sequence[Mapping[str, Any]]]]]:
    for suite in document["suites"]:
        if suite["suite"] == claim.suite:
            for cell in suite["cells"]:
                if claim.is_about(claim.suite, cell["name"]):
                    yield cell["name"], cell["samples"]


def _values(claim: Claim, samples: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterable[float]:
    """The ratio of each round, or the figure."""
    figure = FIGURES[claim.figure]
    ours = [figure(Sample(**sample)) for sample in samples.get(claim.ours, ())]
    if not claim.peer:
        return [value * claim.scale for value in ours if value is not None]
    theirs = [figure(Sample(**sample)) for sample in samples.get(claim.peer, ())]
    return [a / b for a, b in zip(ours, theirs) if a is not None and b]
