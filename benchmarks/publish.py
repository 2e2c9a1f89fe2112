"""
``python -m benchmarks.publish``: make the figures of the last run those of the documentation: the JSON, the chart and the table of
targets in ``docs/benchmarks.md``, and the short one in ``README.md``.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from benchmarks import summary, targets, targets_chart
from benchmarks.options import RESULTS
from benchmarks.verdicts import Document

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "benchmarks.md"
FIRST_PAGE = DOCS.parent / "README.md"
FIGURES = DOCS / "benchmarks.json"
CHART = DOCS / "benchmarks.svg"

BEGIN = "<!-- begin: made by python -m benchmarks.publish -->"
END = "<!-- end -->"


def with_figures(page: str, document: Document) -> str:
    """
    :param page: a page with `BEGIN` and `END` in it.
    :return: the page with what a run found between them.
    """
    return between(page, BEGIN, f"{caption(document)}\n\n{targets.render(document)}")


def with_summary(page: str, document: Document) -> str:
    """As `with_figures`, with the few lines of `benchmarks.summary`."""
    return between(page, BEGIN, summary.render(document))


def between(page: str, begin: str, text: str) -> str:
    """
    :param begin: a line of the page; `END` is another one below it.
    :return: the page with nothing but a text between the two.
    """
    made = f"{begin}\n\n{text}\n{END}"
    return re.sub(re.escape(begin) + ".*?" + re.escape(END), lambda found: made, page, count=1, flags=re.DOTALL)


def unexplained(page: str, document: Document) -> list[str]:
    """
    :return: the headings of those targets that a run missed, and of which the page does not say why: those that it does not have,
        or that nothing stands under.
    """
    explained = set(re.findall(r"^### (.+)\n+[^#\s]", page, flags=re.MULTILINE))
    return [heading for heading in targets.missed(document) if heading not in explained]


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


def main(path: Path = RESULTS / "latest.json") -> int:
    """
    :param path: what ``python -m benchmarks`` wrote.
    :return: the exit status: 1 if a target is missed and the page does not say why; it is written in any case.
    """
    text = path.read_text(encoding="utf-8")
    document = json.loads(text)
    FIGURES.write_text(text, encoding="utf-8")
    CHART.write_text(targets_chart.draw(document), encoding="utf-8")
    page = with_figures(PAGE.read_text(encoding="utf-8"), document)
    PAGE.write_text(page, encoding="utf-8")
    FIRST_PAGE.write_text(with_summary(FIRST_PAGE.read_text(encoding="utf-8"), document), encoding="utf-8")
    for heading in unexplained(page, document):
        print(f"{PAGE.name} does not say why this target is missed: ### {heading}", file=sys.stderr)
    return 1 if unexplained(page, document) else 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
