"""
What lives as long as the process does is not looked at by the garbage collector again and again.

A full collection looks at every record and every edge, during which nobody is served: 60 ms for 2,000 edges, 300 ms for
10,000. It finds next to nothing there, since records hold no rings, and what is replaced goes by its reference count.
"""

from __future__ import annotations

import gc


def settle() -> None:
    """Collect once, and leave alone what is there now. To be called when the process is ready."""
    gc.collect()
    gc.freeze()
