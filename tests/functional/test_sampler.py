"""
A process that samples itself, as `benchmarks.profile` has the edge do.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from benchmarks import sampler
from benchmarks.cpu_clock import CPUClock
from benchmarks.profile import environment

WORK = """
import os, time

def count():
    end = time.process_time() + 0.3
    while time.process_time() < end:
        sum(range(20000))

def look():
    end = time.process_time() + 0.3
    while time.process_time() < end:
        for number in range(100):
            os.stat("/")

count()
look()
time.sleep(0.3)
"""


class SamplerTests(SynchronousTestCase):
    """Tests of `benchmarks.sampler` in a process of its own."""

    def test_processor_time(self) -> None:
        """What used the processor is found in proportion, with the kernel's part; what waited is not."""
        try:
            CPUClock(sampler.RATE, signal.SIGPROF).stop()
        except OSError as error:
            raise SkipTest(str(error)) from None
        folder = Path(self.mktemp())
        folder.mkdir()
        subprocess.run([sys.executable, "-c", WORK], env=environment(folder, os.environ), check=True, timeout=60)
        (file,) = folder.glob("*.json")
        found = [(library, name) for _, library, _, name, _ in json.loads(file.read_text(encoding="utf-8"))]
        names = [name for _, name in found]
        for name in ("count", "look"):
            self.assertApproximates(names.count(name), 0.3 * sampler.RATE, 0.1 * sampler.RATE)
        self.assertGreater(found.count((sampler.KERNEL, "look")), 5 * found.count((sampler.KERNEL, "count")))
        self.assertLess(len(found), 0.8 * sampler.RATE)
