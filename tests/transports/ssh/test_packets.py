"""Tests of `ngrok_twisted.transports.ssh.packets`."""

from __future__ import annotations

import random
import struct
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.net.turn import Turn
from ngrok_twisted.transports.ssh.ciphers import Suite
from ngrok_twisted.transports.ssh.framing import ClearOpener, ClearSealer, PacketError
from ngrok_twisted.transports.ssh.packets import MAX_MESSAGE, PACKET_DATA, PacketReader, PacketWriter


def derive(letter: bytes, size: int) -> bytes:
    """Key material."""
    return (letter * 64)[:size]


class Both:
    """A writer and a reader with a wire between them."""

    def __init__(self, suite: Suite | None = None) -> None:
        self.clock = Clock()
        self.wire = StringTransport()
        self.writer = PacketWriter(
            self.wire, suite.sealer(derive, b"ACE", 0) if suite else ClearSealer(), Turn(self.clock)
        )
        self.received: list[bytes] = []
        self.ends = 0
        opener = suite.opener(derive, b"ACE", 0) if suite else ClearOpener()
        self.reader = PacketReader(opener, self.message, self.end)

    def message(self, plain: memoryview, first: int, last: int) -> None:
        self.received.append(bytes(plain[first:last]))

    def end(self) -> None:
        self.ends += 1

    def turn(self) -> bytes:
        self.clock.advance(0)
        data = self.wire.value()
        self.wire.clear()
        return data


class PacketTests(SynchronousTestCase):
    """Messages in, messages out."""

    def test_coalesced(self) -> None:
        """Messages of one turn leave together at its end, in order."""
        both = Both()
        both.writer.send(b"one")
        both.writer.send(b"two")
        self.assertEqual(both.wire.value(), b"")
        both.reader.feed(both.turn())
        self.assertEqual(both.received, [b"one", b"two"])
        self.assertEqual(both.ends, 1)

    def test_missing(self) -> None:
        """How much of a packet that has begun is still to come is known as soon as its length is, where that is in clear."""
        aes = Suite(b"aes128-gcm@openssh.com")
        chacha = Suite(b"chacha20-poly1305@openssh.com")
        for suite, known in ((None, True), (aes, True), (chacha, False)):
            both = Both(suite)
            both.writer.send(bytes(5000))
            wire = both.turn()
            seen = []
            for first, last in ((0, 3), (3, 4), (4, 3000), (3000, len(wire))):
                both.reader.feed(wire[first:last])
                seen.append(both.reader.missing)
            size = len(wire)
            self.assertEqual(seen, [0, size - 4, size - 3000, 0] if known else [0, 0, 0, 0])

    def test_bulk_at_once(self) -> None:
        """Bulk goes out at once, behind what was queued before it, in packets of the agreed size."""
        both = Both()
        both.writer.send(b"before")
        both.writer.send_data(7, 1000, [b"a" * 1500, memoryview(b"b" * 700), b"c" * 300])
        both.reader.feed(both.wire.value())
        head = b"\x5e\0\0\0\7"
        bodies = [message[9:] for message in both.received[1:]]
        self.assertEqual(both.received[0], b"before")
        self.assertEqual(b"".join(bodies), b"a" * 1500 + b"b" * 700 + b"c" * 300)
        self.assertEqual([len(body) for body in bodies], [1000, 1000, 500])
        self.assertTrue(all(message.startswith(head) for message in both.received[1:]))

    @settings(deadline=None, max_examples=25)
    @given(
        st.lists(st.integers(1, 90_000), min_size=1, max_size=12),
        st.integers(1000, 32768),
        st.sampled_from([Suite(b"aes128-gcm@openssh.com"), Suite(b"aes128-ctr", b"hmac-sha2-256")]),
    )
    def test_bulk_whole(self, sizes: list[int], limit: int, suite: Suite) -> None:
        """However the buffers are cut, all bytes arrive once and in order."""
        both = Both(suite)
        buffers = [bytes((index + 1,)) * size for index, size in enumerate(sizes)]
        both.writer.send_data(0, limit, buffers)
        both.reader.feed(both.wire.value())
        self.assertEqual(b"".join(message[9:] for message in both.received), b"".join(buffers))
        self.assertTrue(all(len(message) - 9 == limit for message in both.received[:-1]))

    def test_full_packets(self) -> None:
        """Full packets, of which the views are kept, carry whatever was sealed in their places before, under any cipher."""
        suites = (
            Suite(b"aes128-gcm@openssh.com"),
            Suite(b"chacha20-poly1305@openssh.com"),
            Suite(b"aes256-gcm@openssh.com"),
            Suite(b"aes128-ctr", b"hmac-sha2-512-etm@openssh.com"),
        )
        data = random.Random(1).randbytes(20 * PACKET_DATA + 100)
        for number, suite in enumerate(suites):
            both = Both(suite)
            for limit in (PACKET_DATA, PACKET_DATA - 1, PACKET_DATA):
                both.writer.send_data(number, limit, [data[:300], memoryview(data)[300:]])
            both.reader.feed(both.wire.value())
            self.assertEqual(b"".join(message[9:] for message in both.received), 3 * data, suite)
            self.assertEqual(both.received[0][:9], struct.pack(">BII", 94, number, PACKET_DATA))

    def test_landing(self) -> None:
        """Bulk that was written to the places of packets arrives whole, behind what was queued, however much it is."""
        for suite in (Suite(b"aes128-gcm@openssh.com"), Suite(b"aes256-gcm@openssh.com")):
            both = Both(suite)
            places = both.writer.landing(1 << 30)
            assert places is not None
            self.assertEqual([len(place) for place in places], [PACKET_DATA] * 32)
            for size in (1, PACKET_DATA, PACKET_DATA + 1, 32 * PACKET_DATA - 1, 32 * PACKET_DATA):
                data, at = random.Random(size).randbytes(size), 0
                both.received.clear()
                both.writer.send(b"before")
                for place in both.writer.landing(size + PACKET_DATA) or []:
                    part = data[at : at + PACKET_DATA]
                    place[: len(part)] = part
                    at += PACKET_DATA
                both.writer.landed(3, size)
                both.reader.feed(both.turn())
                self.assertEqual(both.received[0], b"before")
                self.assertEqual(b"".join(message[9:] for message in both.received[1:]), data)

    def test_no_landing(self) -> None:
        """There are no places for less than a packet, nor for a cipher whose packets are longer."""
        self.assertIsNone(Both(Suite(b"aes128-gcm@openssh.com")).writer.landing(PACKET_DATA - 1))
        self.assertIsNone(Both(Suite(b"aes128-ctr", b"hmac-sha2-256")).writer.landing(1 << 30))
        self.assertIsNone(Both().writer.landing(1 << 30))

    def test_padding(self) -> None:
        """The padding of full packets differs from one to the next (RFC 4253 section 6)."""
        suite = Suite(b"aes128-gcm@openssh.com")
        both, opener = Both(suite), suite.opener(derive, b"ACE", 0)
        both.writer.send_data(0, PACKET_DATA, [bytes(3 * PACKET_DATA)])
        wire, at, paddings = memoryview(bytearray(both.wire.value())), 0, set()
        for _ in range(3):
            opened = opener.open(wire, at, len(wire))
            assert opened is not None
            at, _, last = opened
            paddings.add(bytes(wire[last : at - 16]))
        self.assertEqual((len(paddings), {len(padding) for padding in paddings}), (3, {6}))

    def test_gate(self) -> None:
        """While keys are exchanged messages wait, except those of the exchange."""
        both = Both()
        both.writer.send(b"before")
        both.writer.send_now(b"\x14kexinit")
        both.writer.held = True
        both.writer.send(b"after")
        both.writer.send_now(b"\x15")
        both.reader.feed(both.turn())
        self.assertEqual(both.received, [b"before", b"\x14kexinit", b"\x15"])
        self.assertEqual(both.writer.queued, 5)
        both.writer.held = False
        both.writer.flush()
        both.reader.feed(both.turn())
        self.assertEqual(both.received[3:], [b"after"])

    def test_many_small(self) -> None:
        """More than one wire buffer of small messages arrives whole."""
        both = Both()
        messages = [b"%d" % number * 100 for number in range(4000)]
        for message in messages:
            both.writer.send(message)
        both.reader.feed(both.turn())
        self.assertEqual(both.received, messages)

    def test_too_long(self) -> None:
        """A message that does not fit the buffers is a mistake of ours."""
        self.assertRaises(ValueError, Both().writer.send_now, bytes(MAX_MESSAGE + 1))

    def test_closed(self) -> None:
        """After the end nothing is written."""
        both = Both()
        both.writer.send(b"one")
        both.writer.close()
        both.writer.send(b"two")
        both.writer.send_now(b"three")
        self.assertEqual(both.turn(), b"")

    def test_new_keys_in_one_read(self) -> None:
        """What follows a change of keys in the same read is opened with the new ones."""
        both = Both()
        suite = Suite(b"aes128-gcm@openssh.com")
        both.writer.send_now(b"\x15")
        both.writer.sealer = suite.sealer(derive, b"ACE", 1)
        both.writer.send_now(b"secret")
        received: list[bytes] = []

        def message(plain: memoryview, first: int, last: int) -> None:
            received.append(bytes(plain[first:last]))
            if received == [b"\x15"]:
                reader.opener = suite.opener(derive, b"ACE", 1)

        reader = PacketReader(ClearOpener(), message, lambda: None)
        reader.feed(both.wire.value())
        self.assertEqual(received, [b"\x15", b"secret"])

    def test_nested_reads(self) -> None:
        """A read that happens within another does not disturb it."""
        outer, inner = Both(), Both()
        for both in (outer, inner):
            both.writer.send_data(1, 1000, [b"%d" % id(both) * 300])
        wires = outer.wire.value(), inner.wire.value()
        seen: list[bytes] = []

        def message(plain: memoryview, first: int, last: int) -> None:
            inner.reader.feed(wires[1])
            wires_left.clear()
            seen.append(bytes(plain[first:last]))

        wires_left: list[Any] = []
        PacketReader(ClearOpener(), message, lambda: None).feed(wires[0])
        outer.reader.feed(wires[0])
        self.assertEqual(seen, outer.received)

    def test_bad_packet_ends(self) -> None:
        """A packet that cannot be right raises, and nothing behind it is read."""
        both = Both()
        both.writer.send_now(b"good")
        self.assertRaises(PacketError, both.reader.feed, both.wire.value() + b"\xff" * 40)
        self.assertEqual(both.received, [b"good"])
