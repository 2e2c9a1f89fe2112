"""Tests of `benchmarks.sampler`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.cpu_clock import Instant
from benchmarks.sampler import KERNEL, NOWHERE, library, mappings

MAPS = """\
7f10-7f20 r-xp 00000000 08:01 11 /usr/lib/libc.so.6
1000-2000 r--p 00000000 08:01 10 /usr/bin/python3.11
2000-3000 r-xp 00001000 08:01 10 /usr/bin/python3.11
4000-4100 r-xp 00000000 00:00 0
7f40-7f50 r-xp 00000000 08:01 12 /home/a b/lib x.so
"""


class LibraryTests(SynchronousTestCase):
    """Tests of `mappings` and `library`."""

    def at(self, address: int) -> str:
        """Whose code is there."""
        return library(Instant(address, False), mappings(MAPS.splitlines()))

    def test_found(self) -> None:
        """An address belongs to the file whose code lies there, from its first byte to the one before its end."""
        self.assertEqual([self.at(0x2000), self.at(0x2FFF)], ["/usr/bin/python3.11"] * 2)
        self.assertEqual(self.at(0x7F10), "/usr/lib/libc.so.6")
        self.assertEqual(self.at(0x7F41), "/home/a b/lib x.so")

    def test_nowhere(self) -> None:
        """What is data, or no file's, or not there at all, is nobody's."""
        for address in (0, 0x1800, 0x3000, 0x4000, 0x7F20, 2**47):
            self.assertEqual(self.at(address), NOWHERE, hex(address))

    def test_kernel(self) -> None:
        """The kernel's instructions are not looked up."""
        self.assertEqual(library(Instant(0x2000, True), mappings(MAPS.splitlines())), KERNEL)
