"""
What lives as long as the process does is not looked at by the garbage collector again and again.

A full collection looks at every record and every edge, during which nobody is served: 60 ms for 2,000 edges, 300 ms for
10,000. It finds next to nothing there, since records hold no rings, and what is replaced goes by its reference count.

So it goes on: what has survived a full collection is left alone from then on, and the next one looks at what is new. Ten
thousand agents would otherwise keep everybody waiting for a second, again and again while they come. What is in rings all the
same, and falls out of use later, is found once a day.

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

# After how many such looks those that are left are looked at once more, and then all that came since the last full collection:
# some 30,000 objects, which takes 10 ms.
OLDER = (1, 0)

# After this time a full collection looks at everything once.
THOROUGH = 24 * HOURS


def settle(seconds: Callable[[], float] = monotonic) -> None:
    """
    Collect once, and leave alone what is there now, and from now on what survives. To be called when the process is ready.

    :param seconds: a clock.
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # in no time; else the next full one would wait until there is a quarter more of all that
    gc.set_threshold(YOUNG, *OLDER)
    gc.callbacks[:] = [call for call in gc.callbacks if not isinstance(call, _Collected)]
    gc.callbacks.append(_Collected(seconds))
    gc.enable()


class _Collected:
    """Told by the garbage collector when it begins and when it is done."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._thorough_at = seconds() + THOROUGH

    def __call__(self, phase: str, told: Mapping[str, int]) -> None:
        if phase != "stop" or told["generation"] < 2:
            return
        gc.freeze()
        if self._seconds() >= self._thorough_at:
            self._thorough_at = self._seconds() + THOROUGH
            gc.unfreeze()  # the next full collection looks at all of it
