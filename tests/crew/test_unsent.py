"""
Tests of `ngrok_twisted.crew.unsent`.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.crew.frames import NO_DESCRIPTOR
from ngrok_twisted.crew.unsent import BUFFERS_MAX, Unsent, close


class Taking:
    """A socket that takes as many bytes of each write as it is told."""

    def __init__(self, *sizes: int) -> None:
        self.sizes = list(sizes)
        self.taken = b""
        self.rights: list[list[int]] = []

    def sendmsg(self, buffers: Any, rights: Any) -> int:
        data = b"".join(buffers)
        size = min(len(data), self.sizes.pop(0) if self.sizes else len(data))
        self.taken += data[:size]
        self.rights.append([descriptor for _, _, numbers in rights for descriptor in numbers])
        return size


def spare() -> int:
    """A descriptor."""
    return os.open(os.devnull, os.O_RDONLY)


class UnsentTests(SynchronousTestCase):
    """`Unsent`."""

    @given(st.lists(st.binary(min_size=1, max_size=30), min_size=1), st.lists(st.integers(1, 20)))
    def test_order(self, frames: list[bytes], sizes: list[int]) -> None:
        """However little is taken at a time, all of it leaves, in order."""
        unsent, end = Unsent(), Taking(*sizes)
        for data in frames:
            unsent.append(data, NO_DESCRIPTOR)
        while unsent:
            self.assertEqual(unsent.size, sum(map(len, frames)) - len(end.taken))
            unsent.write(end)  # type: ignore[arg-type]
        self.assertEqual((end.taken, unsent.size), (b"".join(frames), 0))

    def test_one_descriptor(self) -> None:
        """A write has one descriptor at most; it leaves with the first byte, and is closed here then."""
        unsent, end, numbers = Unsent(), Taking(1), [spare(), spare()]
        unsent.append(b"plain", NO_DESCRIPTOR)
        for descriptor in numbers:
            unsent.append(b"with", descriptor)
        unsent.append(b"last", NO_DESCRIPTOR)
        unsent.write(end)  # type: ignore[arg-type]
        self.assertRaises(OSError, os.fstat, numbers[0])
        os.fstat(numbers[1])
        while unsent:
            unsent.write(end)  # type: ignore[arg-type]
        self.assertEqual(end.rights[0], [numbers[0]])
        self.assertEqual([one for rights in end.rights for one in rights], numbers)
        self.assertEqual(end.taken, b"plainwithwithlast")
        self.assertRaises(OSError, os.fstat, numbers[1])

    def test_many(self) -> None:
        """No more buffers are offered at once than the kernel takes."""
        unsent, end = Unsent(), Taking()
        for _ in range(BUFFERS_MAX + 1):
            unsent.append(b"x", NO_DESCRIPTOR)
        unsent.write(end)  # type: ignore[arg-type]
        self.assertEqual((len(end.taken), len(unsent)), (BUFFERS_MAX, 1))

    def test_clear(self) -> None:
        """What is not sent is forgotten, and its descriptors are closed."""
        unsent, descriptor = Unsent(), spare()
        unsent.append(b"with", descriptor)
        unsent.clear()
        self.assertRaises(OSError, os.fstat, descriptor)
        self.assertEqual((len(unsent), unsent.size), (0, 0))

    def test_close(self) -> None:
        """No descriptor is no trouble."""
        close(NO_DESCRIPTOR)
