"""
Runs the whole suite: ``python -m tests.run [options of trial]``.

Functional tests mostly wait for other programs, so that a machine with several processors runs two parts of the suite at a
time, each a ``trial`` of its own. What a part prints comes out when it has ended, and at the end stands one line for all.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Sequence

from tests import unit

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

#: Parts that run side by side. More would make tests wait for each other that look at what happens in time.
SIDE_BY_SIDE = 2

#: Parts of the functional tests: few enough that neighbours share a running edge, many enough to end at the same time.
PARTS = 10

#: What measures processor time, or needs ports that everybody knows: nothing runs beside it.
ALONE = ("tests.functional.test_life", "tests.functional.test_packaging")

_RAN = re.compile(r"^Ran (\d+) tests in ", re.MULTILINE)
_SKIPPED = re.compile(r"skips=(\d+)")
_BAD = re.compile(r"(?:failures|errors|unexpectedSuccesses)=(\d+)")


def functional() -> list[str]:
    """The dotted name of every functional test module, in order."""
    return [f"tests.functional.{path.stem}" for path in sorted((HERE / "functional").glob("test_*.py"))]


def parts(names: Sequence[str], count: int) -> list[list[str]]:
    """
    :return: the names in so many parts of neighbours, none empty, as even as can be.
    """
    count = min(count, len(names))
    bounds = [round(number * len(names) / count) for number in range(count + 1)] if count else []
    return [list(names[start:end]) for start, end in zip(bounds, bounds[1:])]


class Runner:
    """
    Runs parts, and keeps count.

    :ivar ran: how many tests have run.
    :ivar skipped: how many of them were skipped.
    :ivar bad: how many of them failed.
    :ivar failed: a part has not passed, for whatever reason.
    """

    def __init__(self, flags: Sequence[str]) -> None:
        """
        :param flags: options for ``trial``.
        """
        self._trial = [str(Path(sys.executable).with_name("trial")), *flags]
        self._print = threading.Lock()
        self._number = 0
        self.ran = self.skipped = self.bad = 0
        self.failed = False

    def run(self, waiting: Sequence[Sequence[str]], side_by_side: int) -> None:
        """
        :param waiting: parts, each a list of modules.
        :param side_by_side: how many may run at a time.
        """
        queue: SimpleQueue[Sequence[str]] = SimpleQueue()
        for part in waiting:
            queue.put(part)
        threads = [threading.Thread(target=self._work, args=(queue,)) for _ in range(side_by_side)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _work(self, queue: SimpleQueue[Sequence[str]]) -> None:
        while True:
            try:
                part = queue.get_nowait()
            except Empty:
                return
            self._part(part)

    def _part(self, names: Sequence[str]) -> None:
        with self._print:
            self._number += 1
            folder = ROOT / f"_trial_temp.{self._number}"
        done = subprocess.run(
            [*self._trial, f"--temp-directory={folder}", *names],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        with self._print:
            print(done.stdout, end="", flush=True)
            self._count(done.stdout, done.returncode)

    def _count(self, output: str, status: int) -> None:
        found = _RAN.findall(output)
        summary = output[max(output.rfind("\nRan "), 0) :]
        self.ran += int(found[-1]) if found else 0
        self.skipped += sum(map(int, _SKIPPED.findall(summary)))
        self.bad += sum(map(int, _BAD.findall(summary)))
        self.failed = self.failed or status != 0 or not found


def main(flags: Sequence[str]) -> int:
    """
    :param flags: options for ``trial``.
    :return: the exit status.
    """
    began = time.monotonic()
    runner = Runner(flags)
    together = [name for name in functional() if name not in ALONE]
    runner.run([list(unit.names()), *parts(together, PARTS)], min(SIDE_BY_SIDE, os.cpu_count() or 1))
    runner.run([list(ALONE)], 1)
    verdict = "FAILED" if runner.failed else "PASSED"
    print(f"\nThe whole suite: ran {runner.ran} tests in {time.monotonic() - began:.0f} s")
    print(f"{verdict} (skips={runner.skipped}, failures and errors={runner.bad})", flush=True)
    return 1 if runner.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
