"""
What a process is made of, once it is ready, goes into huge pages.

Modules, records and edges lie all over some ten thousand pages of 4 KiB. The processor remembers where fifteen hundred of them
are, and has to look a page up that it has not seen for a moment, so that whatever is not asked for all the time, such as the way of
a new connection, is slow for that alone. In pages of 2 MiB it is two dozen: a new TLS connection takes two in a hundred less.

Linux gathers pages into huge ones where it is told to (madvise(2), ``MADV_COLLAPSE``, from 6.1 on). What comes later stays in small
pages, which are given back one by one.
"""

from __future__ import annotations

import re
from ctypes import CDLL, c_int, c_size_t, c_void_p
from pathlib import Path
from typing import Any, Callable, Iterator

KIBIBYTE = 1024
SECONDS = 1.0

# Between two huge pages, of which each takes three to five milliseconds: others are served meanwhile. All are there after a second.
PAUSE = 0.02 * SECONDS

# How much of a mapping has to be in use: the rest of a huge page is taken, too.
MOSTLY = 0.75

_MADV_COLLAPSE = 25

# A mapping in /proc/<pid>/smaps, and what of it is in memory (proc(5)).
_MAPPING = re.compile(
    r"^([0-9a-f]+)-([0-9a-f]+) rw-p \S+ \S+ \S+ *(?:\[heap\])?\n(?:[A-Za-z_]+: .*\n)*?Rss: +([0-9]+) kB$", re.MULTILINE
)

Advise = Callable[[int, int, int], int]


def gather_pages(
    clock: Any,
    process: Path = Path("/proc/self"),
    system: Path = Path("/sys/kernel/mm/transparent_hugepage"),
    advise: Advise | None = None,
) -> None:
    """
    Do it, one after the other, where the system can and its administrator has not said ``never``. To be called when the process
    is ready.

    :param clock: an `IReactorTime`.
    :param process: what the system tells of the process.
    :param system: what it tells of huge pages.
    :param advise: madvise(2): the address, the length and what to do. What cannot be gathered stays as it is.
    """
    try:
        if "[never]" in (system / "enabled").read_text("ascii"):
            return
        huge = int((system / "hpage_pmd_size").read_text("ascii"))
        places = huge_pages((process / "smaps").read_text("ascii", "replace"), huge)
        gather = advise or _madvise()
    except (OSError, ValueError, AttributeError, TypeError):
        return  # another system, or none that tells

    def go_on() -> None:
        place = next(places, None)
        if place is not None:
            gather(place, huge, _MADV_COLLAPSE)
            clock.callLater(PAUSE, go_on)

    go_on()


def huge_pages(mappings: str, huge: int) -> Iterator[int]:
    """
    :param mappings: a ``/proc/<pid>/smaps``.
    :param huge: bytes of a huge page.
    :return: the addresses of those that it is worth to have: of the heap, and of memory without a file behind it.
    """
    for first, last, used in _MAPPING.findall(mappings):
        start, end = int(first, 16), int(last, 16)
        if int(used) * KIBIBYTE >= MOSTLY * (end - start):
            yield from range(-(-start // huge) * huge, end - huge + 1, huge)


def _madvise() -> Advise:
    """
    :raises OSError: there is no C library.
    :raises AttributeError: it has none.
    """
    madvise = CDLL(None).madvise
    madvise.argtypes = (c_void_p, c_size_t, c_int)
    return lambda start, size, what: int(madvise(start, size, what))
