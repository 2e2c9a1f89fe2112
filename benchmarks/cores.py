"""
A core for the servers, and the others for everybody else, where what counts is how long something takes.

On two cores that servers, visitors and services share, the kernel's choice of who runs beside whom moves a median by half from
one second to the next, whoever serves.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Iterable

from benchmarks import proc
from benchmarks.workshop import Workshop

_TASKS = Path("/proc")


def leave_one(workshop: Workshop) -> set[int]:
    """
    From now on this process and what it starts keep off the first core, until the workshop closes.

    :return: that core; with a single one nobody keeps off it.
    """
    usual = os.sched_getaffinity(0)
    first = {min(usual)}
    if usual != first:
        os.sched_setaffinity(0, usual - first)
        workshop.at_end(lambda: os.sched_setaffinity(0, usual))
    return first


def give(core: set[int], roots: Iterable[int]) -> None:
    """
    Servers get a core, and no other.

    :param roots: their processes; whatever descends from them comes along.
    """
    for stat in proc.tree(proc.running(), list(roots)):
        with suppress(OSError):  # it has ended meanwhile
            for task in os.listdir(_TASKS / str(stat.pid) / "task"):
                os.sched_setaffinity(int(task), core)
