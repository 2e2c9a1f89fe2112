"""Tests of `ngrok_twisted.pages`."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted import pages
from ngrok_twisted.pages import PAUSE, gather_pages, huge_pages

HUGE = 2 << 20

MAPPINGS = """\
00400000-00a00000 r-xp 00000000 fe:00 1 /usr/bin/python3.11
Size:               6144 kB
Rss:                6144 kB
00a00000-01000000 rw-p 00600000 fe:00 1 /usr/bin/python3.11
Size:               6144 kB
Rss:                6144 kB
01100000-02300000 rw-p 00000000 00:00 0                                  [heap]
Size:              18432 kB
KernelPageSize:        4 kB
Rss:               17000 kB
Pss:               17000 kB
7f0000000000-7f0000800000 rw-p 00000000 00:00 0
Size:               8192 kB
Rss:                 100 kB
7f1000100000-7f1000700000 rw-p 00000000 00:00 0
Size:               6144 kB
Rss:                6144 kB
7f2000100000-7f2000200000 rw-p 00000000 00:00 0
Size:               1024 kB
Rss:                1024 kB
"""


class HugePagesTests(SynchronousTestCase):
    """`huge_pages`."""

    def test_chosen(self) -> None:
        """Whole huge pages of the heap and of memory without a file, where nearly all of it is in use."""
        self.assertEqual(
            list(huge_pages(MAPPINGS, HUGE)),
            [*range(0x01200000, 0x02200000, HUGE), 0x7F1000200000, 0x7F1000400000],
        )


class GatherTests(SynchronousTestCase):
    """`gather_pages`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.tell("always [madvise] never")
        (self.folder / "hpage_pmd_size").write_text(f"{HUGE}\n")
        (self.folder / "smaps").write_text(MAPPINGS)
        self.advised: list[tuple[int, int, int]] = []

    def tell(self, enabled: str) -> None:
        (self.folder / "enabled").write_text(enabled + "\n")

    def gather(self, result: int = 0) -> int:
        """:return: how often the system was asked."""

        def advise(start: int, size: int, what: int) -> int:
            self.advised.append((start, size, what))
            return result

        self.advised.clear()
        gather_pages(self.clock, self.folder, self.folder, advise)
        self.clock.pump([PAUSE] * 20)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return len(self.advised)

    def test_asked(self) -> None:
        """The system is asked for each; where it cannot, the next one is tried."""
        for result in (0, -1):
            self.assertEqual(self.gather(result), 10)
            self.assertEqual(self.advised[0], (0x01200000, HUGE, 25))

    def test_one_by_one(self) -> None:
        """Others are served between one and the next."""
        asked: list[int] = []

        def advise(start: int, size: int, what: int) -> int:
            asked.append(start)
            return 0

        gather_pages(self.clock, self.folder, self.folder, advise)
        self.assertEqual(len(asked), 1)
        self.clock.advance(PAUSE)
        self.assertEqual(len(asked), 2)

    def test_never(self) -> None:
        """An administrator who wants no huge pages gets none."""
        self.tell("always madvise [never]")
        self.assertEqual(self.gather(), 0)

    def test_unknown(self) -> None:
        """A system that knows nothing of them is left alone."""
        for name in ("smaps", "hpage_pmd_size", "enabled"):
            (self.folder / name).unlink()
            self.assertEqual(self.gather(), 0)

    def test_no_library(self) -> None:
        """Nor is anything done where the C library has no such call."""
        self.patch(pages, "CDLL", lambda name: object())
        gather_pages(self.clock, self.folder, self.folder)
        self.assertEqual(self.clock.getDelayedCalls(), [])
