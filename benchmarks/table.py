"""
An outcome as text: a table for every kind of work, medians with their range, and the ratio to each peer.
"""

from __future__ import annotations

from typing import Callable, Sequence

from benchmarks.figures import Cell, Outcome, Sample, Spread, ratios, spread, spread_of

KIB_PER_MIB = 1024


def render(outcome: Outcome) -> str:
    """
    :return: lines for a terminal; they are also good Markdown.
    """
    lines = [f"## {outcome.title}", ""]
    lines += [f"- **{label}**: {role}" for label, role in outcome.roles.items()]
    lines += [f"- **{label}** was left out: {reason}" for label, reason in outcome.left_out.items()]
    for cell in outcome.cells:
        lines += ["", f"### {cell.name}", "", *grid(_header(outcome), _rows(outcome, cell))]
    return "\n".join(lines) + "\n"


def grid(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """
    :param left: how many columns are set to the left; the others are to the right.
    :return: a Markdown table whose columns line up.
    """
    widths = [max(map(len, column)) for column in zip(header, *rows)]

    def line(cells: Sequence[str]) -> str:
        pads = [str.ljust] * left + [str.rjust] * (len(cells) - left)
        padded = [pad(cell, width) for pad, cell, width in zip(pads, cells, widths)]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * width for width in widths[:left]] + ["-" * (width - 1) + ":" for width in widths[left:]]
    return [line(header), line(rule), *map(line, rows)]


def number(value: float) -> str:
    """Three digits that count: ``0.923``, ``12.4``, ``1520``."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def ranged(value: Spread | None, scale: float = 1) -> str:
    """
    :param scale: what to multiply with.
    :return: ``median [low–high]``; a dash if there is none.
    """
    if value is None:
        return "–"
    return f"{number(value.median * scale)} [{number(value.low * scale)}–{number(value.high * scale)}]"


def _header(outcome: Outcome) -> list[str]:
    unit = outcome.unit
    return ["arm", unit.cost, f"{outcome.first} ÷ it", unit.rate, *(name for name, _, _ in _extras(outcome)), "MiB"]


def _rows(outcome: Outcome, cell: Cell) -> list[list[str]]:
    return [_row(outcome, cell, label) for label in outcome.roles]


def _row(outcome: Outcome, cell: Cell, label: str) -> list[str]:
    unit, samples = outcome.unit, cell.samples[label]
    ratio = "1" if label == outcome.first else ranged(ratios(cell.samples[outcome.first], samples))
    return [
        label,
        ranged(spread_of(samples, lambda sample: sample.cost), unit.cost_scale),
        ratio,
        ranged(spread_of(samples, lambda sample: sample.rate), unit.rate_scale),
        *(ranged(spread_of(samples, figure), scale) for _, figure, scale in _extras(outcome)),
        number(spread(sample.memory for sample in samples).median / KIB_PER_MIB),
    ]


def _extras(outcome: Outcome) -> list[tuple[str, Callable[[Sample], float | None], float]]:
    """The columns that not every suite has: name, figure and scale of those that some sample does have."""
    every = [sample for cell in outcome.cells for samples in cell.samples.values() for sample in samples]
    columns: list[tuple[str, Callable[[Sample], float | None], float]] = [
        ("p50 ms", lambda sample: sample.p50, 1),
        ("p99 ms", lambda sample: sample.p99, 1),
        ("stall ms", lambda sample: sample.stall, 1),
        (f"client {outcome.unit.cost}", lambda sample: sample.client_cost, outcome.unit.cost_scale),
    ]
    return [column for column in columns if any(column[1](sample) is not None for sample in every)]
