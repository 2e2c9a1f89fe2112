"""
``python -m benchmarks.publish``: make the figures of the last run those of the documentation: the JSON, the chart and the table of
targets in ``docs/benchmarks.md``.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from benchmarks import targets, targets_chart
from benchmarks.options import RESULTS
from benchmarks.verdicts import Document

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "benchmarks.md"
FIGURES = DOCS / "benchmarks.json"
CHART = DOCS / "benchmarks.svg"

BEGIN = "<!-- begin: made by python -m benchmarks.publish -->"
END = "<!-- end -->"


def with_figures(page: str, document: Document) -> str:
    """
    :param page: a page with `BEGIN` and `END` in it.
    :return: the page with what a run found between them.
    """
    made = f"{BEGIN}\n\n{caption(document)}\n\n{targets.render(document)}\n{END}"
    return re.sub(re.escape(BEGIN) + ".*?" + re.escape(END), lambda found: made, page, count=1, flags=re.DOTALL)


def caption(document: Document) -> str:
    """Where the figures come from, in a sentence."""
    facts = document["environment"]
    rounds = max(
        (
            len(samples)
            for suite in document["suites"]
            for cell in suite["cells"]
            for samples in cell["samples"].values()
        ),
        default=0,
    )
    machine = f"{facts['cpu']}, {facts['cores']} cores, {facts['kernel']}"
    return f"{machine}; Python {facts['python']}; up to {rounds} rounds of about {document['seconds']:g} s."


def main(path: Path = RESULTS / "latest.json") -> None:
    """
    :param path: what ``python -m benchmarks`` wrote.
    """
    text = path.read_text(encoding="utf-8")
    document = json.loads(text)
    FIGURES.write_text(text, encoding="utf-8")
    CHART.write_text(targets_chart.draw(document), encoding="utf-8")
    PAGE.write_text(with_figures(PAGE.read_text(encoding="utf-8"), document), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
