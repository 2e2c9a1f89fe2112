"""
A piece of load in several processes at once, for what one interpreter could not bring about.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Callable

Report = dict[str, float]


def in_processes(count: int, work: Callable[[], Report]) -> list[Report]:
    """
    :param work: called once in each of ``count`` children.
    :return: what each of them found.
    :raises RuntimeError: one failed; what it said stands on its standard error.
    """
    children = [_start(work) for _ in range(count)]
    reports = [_end(pid, reading) for pid, reading in children]
    if None in reports:
        raise RuntimeError("a process of the load failed")
    return [report for report in reports if report is not None]


def _start(work: Callable[[], Report]) -> tuple[int, int]:
    """
    :return: the child's number, and the descriptor where its report can be read.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    status = 1
    try:
        os.write(writing, json.dumps(work()).encode("ascii"))
        status = 0
    except BaseException:
        traceback.print_exc(file=sys.stderr)
    finally:
        os._exit(status)


def _end(pid: int, reading: int) -> Report | None:
    with open(reading, "rb") as pipe:
        text = pipe.read()
    _, status = os.waitpid(pid, 0)
    return json.loads(text) if status == 0 and text else None
