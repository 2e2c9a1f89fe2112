"""
What lives as long as the process does is not looked at by the garbage collector again and again.

A full collection looks at every record and every edge, during which nobody is served: 60 ms for 2,000 edges, 300 ms for
10,000. It finds next to nothing there, since records hold no rings, and what is replaced goes by its reference count.

The start of a server that was restarted in place is waited for, and takes a sixth longer with the collector, which finds
nothing in modules that are just imported. It is off until `settle`, if this module is imported before the others.
"""

from __future__ import annotations

import gc
import os

from ngrok_twisted.handover import VARIABLE

# How many more objects there must be before those made since are looked at, instead of 700: the requests under way of a hundred
# visitors are that many, hold no rings, and are gone in a moment. Looking at them took a twentieth of the time of a busy
# server; to look at ten thousand takes a millisecond.
YOUNG = 10_000

if VARIABLE in os.environ:
    gc.disable()


def settle() -> None:
    """
    Collect once, leave alone what is there now, and look less often at what is new. To be called when the process is ready.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
    gc.enable()
