"""
What a process of the edge's was at, by its own CPU time: a sample is the instruction that was next and the Python function that
was running. It is for `benchmarks.profile`, which has the edge start with ``benchmarks/sampled`` on its path.

Python learns of a signal at the next call or loop, so that a sample may be charged to a function that begins just after it; what
C code and the kernel were doing in the meantime is charged to the function that had called them.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import time
from bisect import bisect_right
from pathlib import Path
from types import CodeType, FrameType
from typing import Iterable, Sequence

from benchmarks.cpu_clock import CPUClock, Instant

FOLDER = "NGROK_BENCH_SAMPLES"
"""The variable of the environment that names the folder for samples, a file for each process."""
RATE = 250
"""Samples for each second of CPU time. They make the work dearer by a tenth, where 1000 would by a quarter."""
KERNEL, NOWHERE = "kernel", "unknown"
"""What stands in the place of a library."""


class Sampler:
    """
    From `start` to the end of the process; all in memory until then.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._clock = CPUClock(RATE, signal.SIGPROF)
        self._found: list[tuple[int, Instant, CodeType]] = []

    def start(self) -> None:
        """To be called in the main thread, which is the one that is looked at."""
        signal.signal(signal.SIGPROF, self._ring)
        # A call of the kernel's that the signal comes in between goes on, instead of coming back early.
        signal.siginterrupt(signal.SIGPROF, False)
        atexit.register(self._end)
        self._clock.start()

    def _ring(self, number: int, frame: FrameType | None) -> None:
        if frame is not None:
            now, code = time.monotonic_ns(), frame.f_code
            self._found += [(now, instant, code) for instant in self._clock.instants()]

    def _end(self) -> None:
        signal.signal(signal.SIGPROF, signal.SIG_IGN)
        self._clock.stop()
        mapped = mappings(Path("/proc/self/maps").read_text(encoding="utf-8").splitlines())
        lines = [
            [at, library(instant, mapped), code.co_filename, code.co_qualname, code.co_firstlineno]
            for at, instant, code in self._found
        ]
        (self._folder / f"{os.getpid()}.json").write_text(json.dumps(lines), encoding="utf-8")


Mapping = tuple[int, int, str]
"""The first address of some code, the one behind its last, and the file that it is from."""


def mappings(lines: Iterable[str]) -> list[Mapping]:
    """
    :param lines: of ``/proc/<pid>/maps``.
    :return: those of code, in order.
    """
    found = []
    for line in lines:
        fields = line.split(maxsplit=5)
        if "x" in fields[1]:
            first, _, end = fields[0].partition("-")
            found.append((int(first, 16), int(end, 16), fields[5].strip() if len(fields) > 5 else NOWHERE))
    return sorted(found)


def library(instant: Instant, mapped: Sequence[Mapping]) -> str:
    """
    :param mapped: of `mappings`.
    :return: the file whose code was running; `KERNEL` or `NOWHERE` if it is none.
    """
    if instant.kernel:
        return KERNEL
    at = bisect_right(mapped, instant.address, key=lambda mapping: mapping[0]) - 1
    return mapped[at][2] if at >= 0 and instant.address < mapped[at][1] else NOWHERE


def start() -> None:
    """Start, if the environment asks for it."""
    folder = os.environ.get(FOLDER)
    if folder:
        Sampler(Path(folder)).start()
