"""
What a run says in a few lines, for the first page of the documentation: our CPU for the same work as a share of the peers'.
"""

from __future__ import annotations

from typing import Sequence

from benchmarks.table import grid, number
from benchmarks.targets import TARGETS
from benchmarks.verdicts import Claim, Document, judge

OURS = "edge"
"""How the labels of arms begin that are ours, too; nobody is a peer to himself."""


def render(document: Document) -> str:
    """
    :param document: what ``python -m benchmarks`` wrote.
    :return: a line for each target that is a ratio of CPU to somebody else's, as a Markdown table.
    """
    rows = [[row.heading, _shares(row.claims, document)] for row in TARGETS]
    return "\n".join(grid(["The same work", "our CPU, of theirs"], [row for row in rows if row[1]], left=2)) + "\n"


def _shares(claims: Sequence[Claim], document: Document) -> str:
    """Such as ``0.49–0.61 of sshd``: from the best kind of work to the worst."""
    found: dict[str, list[float]] = {}
    for claim in claims:
        if claim.limit is not None and claim.figure == "cost" and claim.peer and not claim.peer.startswith(OURS):
            medians = [value.median for value in judge(claim, document).found.values()]
            found.setdefault(claim.peer, []).extend(medians)
    return ", ".join(f"{_range(values)} of {peer}" for peer, values in found.items() if values)


def _range(values: Sequence[float]) -> str:
    low, high = (number(value) for value in (min(values), max(values)))
    return low if low == high else f"{low}–{high}"
