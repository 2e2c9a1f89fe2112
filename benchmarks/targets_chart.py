"""
The targets of a run as one SVG picture: a line for each, with a dot for every kind of work. What is left of the mark in the middle
meets the target; the scale is the share of the limit, so that lines of all kinds stand beside each other.
"""

from __future__ import annotations

from math import log2

from benchmarks.chart import WIDTH, Canvas
from benchmarks.targets import TARGETS
from benchmarks.verdicts import Claim, Document, against, judge, told

LABELS, FIGURES = 170, 250
"""Pixels on the left for whom it is compared with, and on the right for the figures."""
LOWEST, HIGHEST = -3.0, 1.0
"""Powers of two: from an eighth of the limit to twice of it; what lies beyond stands at the edge."""
MET, MISSED = "#0b7a75", "#b3413b"
LINE, RADIUS = 20, 4


def draw(document: Document) -> str:
    """
    :param document: what ``python -m benchmarks`` wrote.
    :return: an SVG document.
    """
    canvas = Canvas()
    for row in TARGETS:
        canvas.y += 26
        canvas.text(16, row.work, weight="bold")
        for claim in row.claims:
            if claim.limit is not None:
                canvas.y += LINE
                _draw_claim(canvas, claim, claim.limit, document)
    canvas.y += 24
    return canvas.document("Targets: what is left of the mark is within its limit")


def place(share: float) -> float:
    """
    :param share: of the limit; 1 is the limit itself.
    :return: how far to the right it stands, in pixels; the scale is that of doublings.
    """
    power = min(max(log2(share), LOWEST), HIGHEST) if share > 0 else LOWEST
    return LABELS + (power - LOWEST) / (HIGHEST - LOWEST) * (WIDTH - LABELS - FIGURES)


def _draw_claim(canvas: Canvas, claim: Claim, limit: float, document: Document) -> None:
    verdict = judge(claim, document)
    canvas.text(LABELS - 10, against(claim), anchor="end")
    canvas.text(WIDTH - FIGURES + 10, told(claim, verdict), size=11)
    canvas.mark(place(1))
    for found in verdict.found.values():
        within = found.median <= limit
        canvas.dot(place(found.median / limit), RADIUS, MET if within else MISSED)
