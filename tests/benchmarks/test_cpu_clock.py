"""Tests of `benchmarks.cpu_clock`."""

from __future__ import annotations

import struct

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.cpu_clock import ATTRIBUTES, ATTRIBUTES_SIZE, Instant, behind, parse


def record(kind: int, mode: int, payload: bytes = b"") -> bytes:
    """As the kernel writes them."""
    return struct.pack("=IHH", kind, mode, 8 + len(payload)) + payload


class ParseTests(SynchronousTestCase):
    """Tests of `parse`."""

    def test_samples(self) -> None:
        """A sample has an address, and says whether that is the kernel's; other records are passed over."""
        samples = record(9, 2, struct.pack("=Q", 4096)) + record(9, 0x4001, struct.pack("=Q", 2**63))
        lost = record(2, 0, bytes(16))
        self.assertEqual(
            list(parse(lost + samples + lost)),
            [Instant(address=4096, kernel=False), Instant(address=2**63, kernel=True)],
        )

    def test_broken(self) -> None:
        """A record without a length ends nothing and hangs nothing."""
        self.assertEqual(list(parse(bytes(64))), [])


class RingTests(SynchronousTestCase):
    """Tests of `behind`."""

    def test_around(self) -> None:
        """What was written goes on at the beginning when the end is reached; positions only go up."""
        self.assertEqual(behind(b"abcdefgh", 2, 5), b"cde")
        self.assertEqual(behind(b"abcdefgh", 14, 18), b"ghab")
        self.assertEqual(behind(b"abcdefgh", 8, 8), b"")

    def test_attributes(self) -> None:
        """What the kernel is told has the length that it says it has."""
        self.assertEqual(ATTRIBUTES.size, ATTRIBUTES_SIZE)
