"""
What lives as long as the process does is not looked at by the garbage collector again and again.

A full collection looks at every record and every edge, during which nobody is served: 60 ms for 2,000 edges, 300 ms for
10,000. It finds next to nothing there, since records hold no rings, and what is replaced goes by its reference count.

So it goes on: what has survived the second look at what is new is left alone from then on, and the next looks are at what is
newer. Ten thousand agents would otherwise keep everybody waiting for a second, again and again while they come. What is in
rings all the same, and falls out of use later, is found once a day.

The start of a server that was restarted in place is waited for, and takes a sixth longer with the collector, which finds
nothing in modules that are just imported. It is off until `settle`, if this module is imported before the others.
"""

from __future__ import annotations

import gc
import os
from time import monotonic
from typing import Callable, Mapping

from ngrok_twisted.handover import VARIABLE

# How many more objects there must be before those made since are looked at, instead of 700: the requests under way of a hundred
# visitors are that many, hold no rings, and are gone in a moment. Looking at them took a twentieth of the time of a busy
# server; to look at ten thousand takes a millisecond.
YOUNG = 5_000

if VARIABLE in os.environ:
    gc.disable()


HOURS = 3600.0

# Each second of these looks is at what the one before has left, too, and what is left then is not looked at again: twice the
# number above, which takes some 4 ms. A third look would cost a log-in among a thousand a third more, and twice as long at once.
OLDER = 0

# Looks at everything: none, until there has been none for so long.
NEVER = 1 << 30
THOROUGH = 24 * HOURS


def settle(seconds: Callable[[], float] = monotonic) -> None:
    """
    Collect once, and leave alone what is there now, and from now on what survives. To be called when the process is ready.

    :param seconds: a clock.
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # in no time; else the next full one would wait until there is a quarter more of all that
    gc.set_threshold(YOUNG, OLDER, NEVER)
    gc.callbacks[:] = [call for call in gc.callbacks if not isinstance(call, _Collected)]
    gc.callbacks.append(_Collected(seconds))
    gc.enable()


class _Collected:
    """
    Told by the garbage collector when it begins and when it is done.

    :ivar _least: the generation whose look is the last one that its objects get: 1, or 2 while all are to be looked at.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._thorough_at = seconds() + THOROUGH
        self._least = 1

    def __call__(self, phase: str, told: Mapping[str, int]) -> None:
        if phase != "stop" or told["generation"] < self._least:
            return
        if self._seconds() < self._thorough_at:
            gc.freeze()
            self._least = 1
            gc.set_threshold(YOUNG, OLDER, NEVER)
            return
        self._thorough_at = self._seconds() + THOROUGH
        gc.unfreeze()  # the next full collection, which is not far, looks at all of it
        self._least = 2
        gc.set_threshold(YOUNG, OLDER, 0)
