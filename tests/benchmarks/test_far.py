"""Tests of `benchmarks.far`."""

from __future__ import annotations

import os
import struct

from twisted.trial.unittest import SynchronousTestCase

from benchmarks import far
from benchmarks.far import Lane, Translation, missing


def total(words: bytes) -> int:
    """The sum that a checksum is the complement of (RFC 1071)."""
    result = sum(struct.unpack(f">{len(words) // 2}H", words))
    while result >> 16:
        result = (result & 0xFFFF) + (result >> 16)
    return result


def packet(source: bytes, target: bytes, body: bytes) -> bytes:
    """An IPv4 packet with a TCP segment, and both checksums right."""
    segment = bytearray(struct.pack(">HHIIBBHHH", 1234, 80, 1, 2, 5 << 4, 0x18, 1000, 0, 0) + body)
    pseudo = source + target + struct.pack(">HH", 6, len(segment))
    struct.pack_into(">H", segment, 16, total(pseudo + bytes(segment)) ^ 0xFFFF)
    head = bytearray(struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 7, 0, 64, 6, 0, source, target))
    struct.pack_into(">H", head, 10, total(bytes(head)) ^ 0xFFFF)
    return bytes(head + segment)


class LaneTests(SynchronousTestCase):
    """Tests of `Lane`."""

    def test_delay(self) -> None:
        """A packet arrives after the delay and what its own length takes, and not before."""
        lane = Lane(0.05, bandwidth=8000, queue=1.0)
        lane.add(b"x" * 100, 10.0)
        self.assertAlmostEqual(lane.due or 0.0, 10.15)
        self.assertEqual(lane.arrived(10.14), [])
        self.assertEqual(lane.arrived(10.16), [b"x" * 100])
        self.assertIsNone(lane.due)

    def test_bandwidth(self) -> None:
        """Packets follow each other at the speed of the link, in their order."""
        lane = Lane(0.0, bandwidth=8000, queue=1.0)
        for letter in (b"a", b"b", b"c"):
            lane.add(letter * 100, 0.0)
        self.assertEqual(lane.arrived(0.21), [b"a" * 100, b"b" * 100])
        self.assertEqual(lane.arrived(0.31), [b"c" * 100])

    def test_queue(self) -> None:
        """What would wait too long is dropped, and later ones pass."""
        lane = Lane(0.0, bandwidth=8000, queue=0.15)
        for letter in (b"a", b"b", b"c"):
            lane.add(letter * 100, 0.0)
        self.assertEqual(lane.arrived(1.0), [b"a" * 100, b"b" * 100])
        lane.add(b"d", 1.0)
        self.assertEqual(lane.arrived(2.0), [b"d"])


class TranslationTests(SynchronousTestCase):
    """Tests of `Translation`."""

    def test_both_ways(self) -> None:
        """One address becomes another, both checksums stay right, and the way back undoes it."""
        loopback, servers, visitor = bytes((127, 0, 0, 1)), bytes((198, 18, 0, 1)), bytes((198, 18, 0, 2))
        for body in (b"", b"even", b"ff" * 700, os.urandom(64)):
            original = packet(visitor, servers, body)
            inward = Translation(16, "198.18.0.1", "127.0.0.1")(original)
            self.assertEqual(inward, packet(visitor, loopback, body))
            answer = packet(loopback, visitor, body)
            self.assertEqual(Translation(12, "127.0.0.1", "198.18.0.1")(answer), packet(servers, visitor, body))


class MissingTests(SynchronousTestCase):
    """Tests of `missing`."""

    def test_rights(self) -> None:
        """Who has no rights reads what to do."""
        self.patch(os, "geteuid", lambda: 1000)
        self.assertIn("root", missing())

    def test_device(self) -> None:
        """So does who has no device."""
        self.patch(os, "geteuid", lambda: 0)
        self.patch(far, "TUN", far.TUN / "nowhere")
        self.assertIn("tun", missing())
