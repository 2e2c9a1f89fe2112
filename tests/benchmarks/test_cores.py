"""Tests of `benchmarks.cores`."""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from benchmarks.cores import give, leave_one
from benchmarks.workshop import Workshop


class CoresTests(SynchronousTestCase):
    """Tests of `leave_one` and `give`."""

    def setUp(self) -> None:
        """Whatever happens, this process may run where it could."""
        self.usual = os.sched_getaffinity(0)
        self.addCleanup(os.sched_setaffinity, 0, self.usual)

    def test_apart(self) -> None:
        """Servers have the first core for themselves, with what they started, until the workshop closes."""
        if len(self.usual) < 2:
            raise SkipTest("one core is shared by all")
        first = {min(self.usual)}
        with Workshop() as workshop:
            core = leave_one(workshop)
            self.assertEqual((core, os.sched_getaffinity(0)), (first, self.usual - first))
            server = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
            try:
                give(core, [server.pid])
                self.assertEqual(os.sched_getaffinity(server.pid), first)
            finally:
                server.communicate(b"\n")
            give(core, [server.pid])  # which is gone
        self.assertEqual(os.sched_getaffinity(0), self.usual)

    def test_one_core(self) -> None:
        """Where there is one core, everybody stays on it."""
        os.sched_setaffinity(0, {min(self.usual)})
        with Workshop() as workshop:
            leave_one(workshop)
            self.assertEqual(os.sched_getaffinity(0), {min(self.usual)})
