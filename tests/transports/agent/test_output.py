"""Tests of `ngrok_twisted.transports.agent.output`."""

from __future__ import annotations

from typing import Any, Callable

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ngrok_twisted.interfaces import IBatchTransport
from ngrok_twisted.transports.agent.frames import DATA, FIN, HEADER_SIZE, SYN, pack_header, rst, wndinc
from ngrok_twisted.transports.agent.output import ENOUGH, SMALL, FrameOutput


def data(id: int, body: bytes, flags: int = 0) -> bytes:
    """A frame of data."""
    return pack_header(len(body) << 8 | DATA | flags, id) + body


class Plain(StringTransport):
    """Notes how it is written to."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []

    def write(self, data: bytes) -> None:
        self.calls.append(1)
        super().write(data)


@implementer(IBatchTransport)
class Batching(Plain):
    """Takes several buffers at once."""

    def writeBatch(self, buffers: Any) -> None:
        self.calls.append(len(buffers))
        self.io.write(b"".join(buffers))


class FrameOutputTests(SynchronousTestCase):
    """Frames out."""

    def setUp(self) -> None:
        self.due: list[Callable[[], object]] = []
        self.overflows: list[int] = []
        self.use(Batching())

    def use(self, transport: Plain) -> None:
        """Write to another transport."""
        self.wire = transport
        self.output = FrameOutput(transport, self.due.append, 1000, lambda: self.overflows.append(1))

    def turn(self) -> None:
        """End the turn of the reactor."""
        due, self.due[:] = self.due[:], []
        for call in due:
            call()

    def test_turn(self) -> None:
        """Small frames of one turn leave together at its end, in order."""
        for data in (b"one", b"two", b"three"):
            self.output.write((data, b"."))
        self.assertEqual((self.wire.value(), len(self.due)), (b"", 1))
        self.turn()
        self.assertEqual((self.wire.value(), len(self.wire.calls)), (b"one.two.three.", 1))
        self.output.write((b"four",))
        self.turn()
        self.assertEqual(self.wire.value(), b"one.two.three.four")

    def test_held(self) -> None:
        """While a read is being worked on, they leave at its end."""
        self.output.held = True
        self.output.write((b"one",))
        self.output.write((b"two",))
        self.assertEqual((self.due, self.wire.calls), ([], []))
        self.output.held = False
        self.output.flush()
        self.assertEqual((self.wire.value(), len(self.wire.calls)), (b"onetwo", 1))
        self.output.flush()
        self.assertEqual(len(self.wire.calls), 1)

    def test_large(self) -> None:
        """A large one leaves at once, behind what waits, and is not copied for it."""
        self.output.write((b"one",))
        self.output.write((b"head", b"x" * SMALL))
        self.assertEqual((self.wire.value(), self.wire.calls), (b"onehead" + b"x" * SMALL, [3]))
        self.turn()
        self.assertEqual(len(self.wire.calls), 1)

    def test_joined(self) -> None:
        """What one stream says in one turn is one frame, up to a size; nothing else is put together."""
        first, second, end = data(2, b"head", SYN), data(2, b"body"), data(2, b"", FIN)
        for frame in (first, second, end):
            self.output.write((frame[:HEADER_SIZE], frame[HEADER_SIZE:]))
        self.turn()
        self.assertEqual(self.wire.value(), data(2, b"headbody", SYN | FIN))
        self.wire.clear()
        frames = [data(2, b"one"), data(4, b"two"), data(2, b"three"), wndinc(2, 9), wndinc(2, 9), data(2, b"x" * 5000)]
        frames += [data(2, b"y" * 5000), rst(2, 1), rst(2, 1)]
        for frame in frames:
            self.output.write((frame,))
        self.turn()
        self.assertEqual(self.wire.value(), b"".join(frames))

    def test_many_small(self) -> None:
        """Small ones that add up do not wait either."""
        count = ENOUGH // 1000 + 20
        for _ in range(count):
            self.output.write((b"x" * 1000,))
        self.assertGreater(len(self.wire.value()), ENOUGH)
        self.assertEqual(len(self.wire.calls), 1)
        self.turn()
        self.assertEqual(len(self.wire.value()), count * 1000)

    def test_buffers(self) -> None:
        """Buffers are free when the call returns, whatever becomes of what was in them."""
        for transport in (Plain(), Batching()):
            self.use(transport)
            buffer = bytearray(2 * SMALL)
            for letter, size in ((b"a", 10), (b"b", 2 * SMALL), (b"c", 10)):
                buffer[:size] = letter * size
                self.output.write((memoryview(buffer)[:size],))
            self.turn()
            self.assertEqual(transport.value(), b"a" * 10 + b"b" * 2 * SMALL + b"c" * 10)

    def test_full(self) -> None:
        """A full transport is written to all the same, for so many bytes; a drained one has them to spare again."""
        for _ in range(3):
            self.output.full = True
            self.output.write((b"x" * 900,))
            self.output.drained()
        self.assertEqual(self.overflows, [])
        self.output.write((b"x" * 2000,))
        self.output.full = True
        self.output.write((b"x" * 1000,))
        self.assertEqual(self.overflows, [])
        self.output.write((b"x",))
        self.assertEqual(self.overflows, [1])
        self.turn()
        self.assertEqual(len(self.wire.value()), 3 * 900 + 2000 + 1000)

    def test_closed(self) -> None:
        """Nothing is sent after the end, not even what waited."""
        self.output.write((b"waits",))
        self.output.close()
        self.output.write((b"late",))
        self.output.write((b"x" * 2 * SMALL,))
        self.output.flush()
        self.turn()
        self.assertEqual(self.wire.value(), b"")
