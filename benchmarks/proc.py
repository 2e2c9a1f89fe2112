"""
CPU time and memory of a tree of processes, out of ``/proc`` (Linux, proc(5)).

A server under test is rarely one process: sshd forks for every session, nginx has a worker. The figure is therefore the
sum over a process and all that descend from it, and for each of them its own time *and* that of its children that have
ended and been waited for. A session that comes and goes between two looks is thus counted, in its parent.
"""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import Callable, Iterable, Iterator

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
"""The grain of what ``stat`` tells: 100 on Linux, so 10 ms a process."""

PSS = "Pss"
"""Memory, each shared page divided among all who share it."""
PSS_OF_DATA = "Pss_Anon"
"""The same without program files, whose share falls when a stranger on the machine starts the same program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStat:
    """
    What one process has used, by one line of ``/proc/<pid>/stat``.

    :ivar pid: its number.
    :ivar parent: its parent's number.
    :ivar ticks: clock ticks of its own, in user and in kernel mode.
    :ivar reaped_ticks: clock ticks of its children that have ended and been waited for, and of theirs.
    :ivar kernel_ticks: those of all these that were in kernel mode.
    """

    pid: int
    parent: int
    ticks: int
    reaped_ticks: int
    kernel_ticks: int = 0


def parse_stat(line: str) -> ProcessStat:
    """
    Read one ``/proc/<pid>/stat``. The second field is the program's name in parentheses and may itself hold spaces and
    parentheses, so that fields are counted from the last closing one.

    :raises ValueError: this is no such line.
    """
    head, closing, tail = line.rpartition(")")
    pid, opening, _ = head.partition("(")
    fields = tail.split()
    if not closing or not opening or len(fields) < 15:
        raise ValueError(f"not a /proc stat line: {line!r}")
    user, system, reaped_user, reaped_system = map(int, fields[11:15])
    return ProcessStat(
        pid=int(pid),
        parent=int(fields[1]),
        ticks=user + system,
        reaped_ticks=reaped_user + reaped_system,
        kernel_ticks=system + reaped_system,
    )


def parse_memory(text: str, field: str) -> int:
    """
    :param text: a ``/proc/<pid>/smaps_rollup``.
    :param field: `PSS` or `PSS_OF_DATA`.
    :return: KiB.
    :raises ValueError: there is no such line.
    """
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0])
    raise ValueError(f"no {field} line in smaps_rollup")


def tree(stats: Iterable[ProcessStat], roots: Iterable[int]) -> list[ProcessStat]:
    """
    :param stats: all processes of the machine.
    :param roots: the processes to start from; one that is not there is left out.
    :return: those and all their descendants, each once.
    """
    by_pid: dict[int, ProcessStat] = {}
    children: dict[int, list[int]] = defaultdict(list)
    for stat in stats:
        by_pid[stat.pid] = stat
        children[stat.parent].append(stat.pid)
    found: dict[int, ProcessStat] = {}
    waiting = [pid for pid in roots if pid in by_pid]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found[pid] = by_pid[pid]
            waiting.extend(children[pid])
    return list(found.values())


def cpu_seconds(
    stats: Iterable[ProcessStat],
    roots: Iterable[int],
    exact: Callable[[int], float | None] = lambda pid: None,
) -> float:
    """
    :param exact: knows more exactly what a process has used by itself, such as `run_time`; or ``None``.
    :return: CPU seconds that the trees have used since they were started.
    """
    return sum(_own(stat, exact(stat.pid)) + stat.reaped_ticks / TICKS_PER_SECOND for stat in tree(stats, roots))


def kernel_seconds(stats: Iterable[ProcessStat], roots: Iterable[int]) -> float:
    """
    :return: CPU seconds that the trees have used in kernel mode since they were started, in clock ticks.
    """
    return sum(stat.kernel_ticks for stat in tree(stats, roots)) / TICKS_PER_SECOND


def _own(stat: ProcessStat, exact: float | None) -> float:
    """What is exact knows nothing of threads that have ended; then the clock ticks say more."""
    counted = stat.ticks / TICKS_PER_SECOND
    return counted if exact is None or counted - exact > 2 / TICKS_PER_SECOND else exact


def run_time(pid: int) -> float | None:
    """
    :return: CPU seconds of the threads of a process that live now, in nanoseconds' grain (``/proc/<pid>/task/*/schedstat``, whose
        first field is that); ``None`` where the kernel does not count so.
    """
    try:
        threads = os.listdir(f"/proc/{pid}/task")
        return sum(_nanoseconds(f"/proc/{pid}/task/{thread}/schedstat") for thread in threads) / 1e9
    except (OSError, ValueError, IndexError):
        return None


def _nanoseconds(path: str) -> int:
    with open(path, encoding="ascii") as file:
        return int(file.read().split()[0])


def running() -> Iterator[ProcessStat]:
    """Every process of the machine, now. One that ends while we look is left out."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    yield parse_stat(file.read())
            except (FileNotFoundError, ProcessLookupError):
                continue


def running_commands() -> Iterator[str]:
    """The names of the programs that run on the machine, each as often as it runs."""
    for stat in running():
        with suppress(OSError), open(f"/proc/{stat.pid}/comm", encoding="utf-8", errors="replace") as file:
            yield file.read().rstrip("\n")


def memory_kib(roots: Iterable[int], field: str = PSS) -> int:
    """
    :return: KiB of memory that the trees hold now; a process whose memory we may not see counts nothing.
    """
    total = 0
    for stat in tree(running(), roots):
        try:
            with open(f"/proc/{stat.pid}/smaps_rollup", encoding="ascii") as file:
                total += parse_memory(file.read(), field)
        except (OSError, ValueError):
            continue
    return total
