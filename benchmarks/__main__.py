"""
``python -m benchmarks``: run the suites, print the tables, write JSON and a chart.
"""

from __future__ import annotations

import json
import re
import signal
import sys
import time
from dataclasses import asdict
from typing import Any, Sequence

from benchmarks import chart, environment, table, targets
from benchmarks.figures import Outcome
from benchmarks.kinds import all_arms, all_suites
from benchmarks.options import Options, parse
from benchmarks.plan import plan, shares
from benchmarks.runner import run_suite

MINUTES = 60.0
"""In seconds."""

FORMAT = 1
"""The number of the JSON document's form; it goes up when a reader of the old one would be misled."""


def main(arguments: Sequence[str]) -> int:
    """
    :return: the exit status: 0 unless there is no figure at all; an arm or suite that cannot run here is no failure.
    """
    # A run that is ended from outside must still stop its servers, so let it unwind.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    suites, arms = all_suites(), all_arms()
    names, labels = [suite.name for suite in suites], [arm.label for arm in arms]
    options = parse(arguments, suites=names, arms=labels, now=time.time())
    if options.table:
        print(targets.render(json.loads(options.json.read_text(encoding="utf-8"))), end="")
        return 0
    facts = environment.facts()
    outcomes = []
    suites = [suite for suite in suites if suite.name in options.suites]
    asked = len(options.arms) < len(arms)
    arms = [arm for arm in arms if arm.label in options.arms]
    end = options.begun + options.minutes * MINUTES
    parts = plan(suites, arms, targets.claims() if options.whole else None)
    for part, share in zip(parts, shares(parts)):
        allowance = (end - time.time()) * share
        outcomes.append(run_suite(part.kind, part.arms, options.rounds, options.seconds, _say, asked, allowance))
        print(table.render(outcomes[-1]), flush=True)
        # After each suite, so that a run that is broken off leaves what it has.
        made = _write(options, facts, outcomes)
    print(targets.render(made))
    print("\n".join(f"{name}: {value}" for name, value in facts.items()))
    print(f"figures: {options.json}, chart: {options.svg}")
    return 0 if any(outcome.cells for outcome in outcomes) else 1


def document(options: Options, facts: dict[str, str], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All figures, for machines: every sample of every round, so that any other statistic can be made of them."""
    return {
        "format": FORMAT,
        "environment": facts,
        "rounds": options.rounds,
        "seconds": options.seconds,
        "suites": [asdict(outcome) for outcome in outcomes],
    }


def _write(options: Options, facts: dict[str, str], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Write all that there is so far. :return: it, as a document."""
    made = document(options, facts, outcomes)
    text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    # A line for each sample: a run has more than a thousand.
    text = re.sub(r"\{[^{}]*\"units\"[^{}]*\}", lambda found: " ".join(found[0].split()), text)
    for path, content in ((options.json, text), (options.svg, chart.draw(outcomes))):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return made


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
