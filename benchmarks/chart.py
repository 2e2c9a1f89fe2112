"""
Outcomes as one SVG picture: a bar for every arm in every kind of work, its length the median of what a unit of
work takes, a line over it from the lowest round to the highest. Shorter is better.
"""

from __future__ import annotations

from typing import Iterable, Sequence
from xml.sax.saxutils import escape

from benchmarks.figures import Cell, Outcome, spread_of
from benchmarks.table import number

WIDTH = 760
LABELS = 170
"""Pixels on the left for the names."""
FIGURES = 90
"""Pixels on the right for the numbers."""
BAR, GAP = 16, 6
COLOURS = ("#0b7a75", "#9aa5b1", "#c3cad1", "#7b8794", "#d9b26a", "#b08968")
"""The product first; the peers in quiet tones."""


class Canvas:
    """
    Elements, and how far down they reach.

    :ivar y: pixels used so far.
    """

    def __init__(self) -> None:
        self.y = 12
        self._elements: list[str] = []

    def text(self, x: int, text: str, *, size: int = 12, weight: str = "normal", anchor: str = "start") -> None:
        """Write on the current line, whose middle is `y`."""
        self._elements.append(
            f'<text x="{x}" y="{self.y}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" '
            f'dominant-baseline="central">{escape(text)}</text>'
        )

    def bar(self, x: int, length: float, colour: str) -> None:
        """A bar around the current line."""
        self._elements.append(
            f'<rect x="{x}" y="{self.y - BAR / 2:g}" width="{max(length, 1):.1f}" height="{BAR}" fill="{colour}"/>'
        )

    def whisker(self, left: float, right: float) -> None:
        """A thin line along the current line."""
        self._elements.append(
            f'<path d="M{left:.1f} {self.y - 3}v6M{left:.1f} {self.y}H{right:.1f}M{right:.1f} {self.y - 3}v6" '
            'stroke="#1f2933" fill="none"/>'
        )

    def dot(self, x: float, radius: float, colour: str) -> None:
        """A dot on the current line."""
        self._elements.append(f'<circle cx="{x:.1f}" cy="{self.y}" r="{radius:g}" fill="{colour}" fill-opacity="0.8"/>')

    def mark(self, x: float) -> None:
        """A thin upright stroke through the current line."""
        self._elements.append(f'<path d="M{x:.1f} {self.y - 8}v16" stroke="#1f2933" fill="none"/>')

    def document(self, title: str) -> str:
        """The whole picture."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.y}" width="{WIDTH}" height="{self.y}" '
            f'role="img" font-family="system-ui, sans-serif" fill="#1f2933"><title>{escape(title)}</title>'
            f'<rect width="{WIDTH}" height="{self.y}" fill="#ffffff"/>' + "".join(self._elements) + "</svg>\n"
        )


def draw(outcomes: Iterable[Outcome]) -> str:
    """
    :return: an SVG document.
    """
    canvas = Canvas()
    for outcome in outcomes:
        if outcome.cells:
            _draw_outcome(canvas, outcome)
    canvas.y += 12
    return canvas.document("What a unit of work takes, medians; shorter is better")


def _draw_outcome(canvas: Canvas, outcome: Outcome) -> None:
    canvas.y += 12
    canvas.text(16, outcome.title, size=14, weight="bold")
    canvas.y += 20
    canvas.text(16, f"{outcome.unit.cost} of the server, median and range; shorter is better")
    for cell in outcome.cells:
        canvas.y += 26
        canvas.text(16, cell.name, weight="bold")
        _draw_cell(canvas, outcome, cell)
    canvas.y += 22


def _draw_cell(canvas: Canvas, outcome: Outcome, cell: Cell) -> None:
    """The bars of one kind of work, on a scale of their own: kinds are not compared, arms are."""
    pixels = (WIDTH - LABELS - FIGURES) / highest(cell, list(outcome.roles))
    for index, label in enumerate(outcome.roles):
        found = spread_of(cell.samples[label], lambda sample: sample.cost)
        if found is None:
            continue
        canvas.y += BAR + GAP
        canvas.text(LABELS - 8, label, anchor="end")
        canvas.bar(LABELS, found.median * pixels, COLOURS[index % len(COLOURS)])
        canvas.whisker(LABELS + found.low * pixels, LABELS + found.high * pixels)
        canvas.text(WIDTH - 16, number(found.median * outcome.unit.cost_scale), anchor="end")


def highest(cell: Cell, labels: Sequence[str]) -> float:
    """
    :return: the highest cost among all rounds; never zero.
    """
    return max((sample.cost for label in labels for sample in cell.samples[label]), default=1.0) or 1.0
