"""
Tests for ``ngrok_twisted.edge.http2_output``: the line, on its own. Windows and turns of real streams are in
``test_http2_sending``.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.http2_engine import Engine
from ngrok_twisted.edge.http2_output import BATCH_BYTES, JOINED_BYTES, TURN_BYTES, Output
from ngrok_twisted.edge.http2_patience import MOST, Patience
from tests.edge.wire import Wire


class Turns:
    """A stream that sends frames of some size."""

    def __init__(self, output: Output, sizes: list[int], order: list[Any], name: str) -> None:
        self.in_line = False
        self._output, self._sizes, self._order, self._name = output, sizes, order, name

    def take_turn(self) -> int:
        self._order.append(self._name)
        size = self._sizes.pop(0)
        if self._sizes:
            self._output.line_up(self)
        return size


class OutputTests(SynchronousTestCase):
    """Who sends when."""

    def setUp(self) -> None:
        self.clock, self.wire = Clock(), Wire()
        self.engine = Engine(100, 1000, 100_000)
        self.patience = Patience(self.clock)
        self.output = Output(self.engine, self.wire, self.clock, self.patience)
        self.order: list[Any] = []

    def stream(self, name: str, *sizes: int) -> Turns:
        stream = Turns(self.output, list(sizes), self.order, name)
        self.output.line_up(stream)
        return stream

    def test_in_turn(self) -> None:
        """Each sends one frame, then the next does; who stands in line once does not stand there twice."""
        first = self.stream("a", 1, 1, 1)
        self.stream("b", 1)
        self.stream("c", 1, 1)
        self.output.line_up(first)
        self.output.run()
        self.assertEqual("".join(self.order), "abcaca")

    def test_bounded(self) -> None:
        """After so many bytes others are looked after; the rest follows in the next turn of the reactor."""
        self.stream("a", TURN_BYTES // 2, TURN_BYTES // 2, 1)
        self.output.run()
        self.assertEqual(self.order, ["a", "a"])
        self.clock.advance(0)
        self.assertEqual(self.order, ["a", "a", "a"])

    def test_full(self) -> None:
        """Nobody has a turn while the transport is full, or the connection's window shut."""
        self.stream("a", 1)
        self.output.full = True
        self.output.run()
        self.output.full = False
        self.engine.send_window = 0
        self.output.run()
        self.assertEqual(self.order, [])
        self.engine.send_window = 1
        self.output.run()
        self.assertEqual(self.order, ["a"])

    def test_stop(self) -> None:
        """After the end nothing is sent, and no timer stays."""
        self.stream("a", TURN_BYTES, 1)
        self.output.run()
        output = Output(self.engine, self.wire, self.clock, self.patience, {1: None, 3: None})
        output.write((b"late",))
        self.output.stop()
        output.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.output.run()
        self.assertEqual(self.order, ["a"])

    def test_order(self) -> None:
        """What was to be said before goes before."""
        self.output.soon(b"12345678")
        self.output.write((b"one", b"two"))
        self.assertEqual((self.wire.value(), len(self.wire.writes)), (b"12345678onetwo", 1))
        self.output.flush()
        self.assertEqual(len(self.wire.writes), 1)

    def test_shared(self) -> None:
        """Where several streams are open, what they write in one turn of the reactor is one write; much is written at once."""
        streams = {1: None, 3: None}
        output = Output(self.engine, self.wire, self.clock, self.patience, streams)
        reused = bytearray(b"one")
        output.write((reused,), 3)
        reused[:] = b"---"
        output.write((b"two",), 3)
        self.assertEqual(self.wire.writes, [])
        self.clock.advance(0)
        self.assertEqual(self.wire.writes, [b"onetwo"])
        output.write((b"three",), 5)
        output.write((bytes(JOINED_BYTES + 1),), JOINED_BYTES + 1)
        self.assertEqual(self.wire.writes[1:], [b"three" + bytes(JOINED_BYTES + 1)])
        del streams[3]
        output.write((b"four",), 4)
        self.assertEqual(self.wire.writes[2:], [b"four"])

    def test_held(self) -> None:
        """What is said while frames are read leaves together, in one write of a bounded size."""
        self.output.hold()
        self.output.write((b"a",))
        self.output.flush()
        self.output.write((b"b",))
        self.assertEqual(self.wire.writes, [])
        self.output.release()
        self.assertEqual(self.wire.writes, [b"ab"])
        self.output.hold()
        for _ in range(BATCH_BYTES // 1000):
            self.output.write((bytes(1000),), 1000)
        self.assertEqual(len(self.wire.writes), 1)
        self.output.write((bytes(1000),), 1000)
        self.assertEqual(len(self.wire.writes), 2)

    def test_batches(self) -> None:
        """Large buffers are handed on, small ones joined."""
        batches: list[Any] = []
        self.wire.writeBatch = batches.append  # type: ignore[attr-defined]
        output = Output(self.engine, self.wire, self.clock, self.patience)
        output.write([b"head", bytes(20_000)], 20_000)
        output.write([b"head", b"x"], 1)
        self.assertEqual(([len(part) for part in batches[0]], self.wire.value()), ([4, 20_000], b"headx"))

    def test_earns(self) -> None:
        """What is sent makes up for windows that had to be opened."""
        self.patience.spend(MOST)
        self.output.write([bytes(1024)], 1024)
        self.assertTrue(self.patience.spend(2))
        self.assertFalse(self.patience.spend(1))
