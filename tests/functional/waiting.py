"""
Waiting for something to become true, with an end.
"""

from __future__ import annotations

import time
from typing import Callable, TypeVar

T = TypeVar("T")

# Seconds between two looks: short beside a person's patience, long beside a system call.
PAUSE = 0.02


class TooLate(AssertionError):
    """What was waited for did not happen in time."""


def wait_until(look: Callable[[], T], seconds: float, what: str | Callable[[], str]) -> T:
    """
    :param look: asked again and again until its answer is true.
    :param seconds: how long.
    :param what: what is waited for, for the reader of the failure; a callable is asked when the time is over.
    :return: the true answer.
    :raises TooLate: it did not come.
    """
    end = time.monotonic() + seconds
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > end:
            raise TooLate(f"after {seconds} s still no {what() if callable(what) else what}")
        time.sleep(PAUSE)
