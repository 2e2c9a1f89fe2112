"""Tests of `benchmarks.load.processes`."""

from __future__ import annotations

import os
import sys

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.load.processes import in_processes


class InProcessesTests(SynchronousTestCase):
    """Tests of `in_processes`."""

    def test_reports(self) -> None:
        """The work is done in each of as many processes, none of which is this one."""
        pids = {report["pid"] for report in in_processes(2, lambda: {"pid": os.getpid()})}
        self.assertEqual(len(pids - {os.getpid()}), 2)

    def test_failure(self) -> None:
        """One that fails is no report of nothing."""

        def fail() -> dict[str, float]:
            sys.stderr = open(os.devnull, "w", encoding="utf-8")
            raise ValueError("no")

        self.assertRaises(RuntimeError, in_processes, 2, fail)
