"""
Tests of `ngrok_twisted.transports.agent.reading`.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.net.shares import SHARE
from ngrok_twisted.transports.agent.reading import FairReading


class Slow:
    """
    A clock, a transport and a reader, whose buffers take time.

    :ivar now: seconds.
    :ivar cost: seconds that a buffer takes.
    :ivar reads: what was read, call by call.
    :ivar due: what is to be done in the next turn.
    :ivar paused: whether the transport is to deliver nothing.
    """

    def __init__(self) -> None:
        self.now = 100.0
        self.cost = SHARE / 2
        self.reads: list[list[bytes]] = []
        self.due: list[Callable[[], object]] = []
        self.paused = False
        self.calls = 0

    def seconds(self) -> float:
        """IReactorTime."""
        return self.now

    def read(self, buffers: Iterable[Any]) -> None:
        """Take a while for each."""
        self.reads.append([])
        for buffer in buffers:
            self.reads[-1].append(bytes(buffer))
            self.now += self.cost

    def pauseProducing(self) -> None:
        """IPushProducer."""
        assert not self.paused
        self.paused = True
        self.calls += 1

    def resumeProducing(self) -> None:
        """IPushProducer."""
        assert self.paused
        self.paused = False

    def later(self, call: Callable[[], object]) -> None:
        """See `ngrok_twisted.net.turn.Turn.later`."""
        self.due.append(call)

    def turn(self) -> None:
        """The reactor goes round."""
        due, self.due = self.due, []
        for call in due:
            call()


class FairReadingTests(SynchronousTestCase):
    """Who gets what when."""

    def setUp(self) -> None:
        """Three buffers are more than a share."""
        self.slow = Slow()
        self.reading = FairReading(self.slow, self.slow.later, self.slow, self.slow.read)

    def test_at_once(self) -> None:
        """What takes no time is read at once, in one call."""
        self.slow.cost = 0
        self.reading.take([b"a"])
        self.reading.take([b"b", b"c"] * 100)
        self.assertEqual(self.slow.reads, [[b"a"], [b"b", b"c"] * 100])
        self.assertEqual((self.slow.due, self.slow.calls), ([], 0))

    def test_shares(self) -> None:
        """What takes long is read in shares, a turn for each; meanwhile nothing more comes."""
        self.reading.take([b"a", b"b", b"c", b"d", b"e"])
        self.assertEqual((self.slow.reads, self.slow.paused), ([[b"a", b"b"]], True))
        self.slow.turn()
        self.assertEqual((self.slow.reads[1:], self.slow.paused), ([[b"c", b"d"]], True))
        self.slow.turn()
        self.assertEqual((self.slow.reads[2:], self.slow.paused), ([[b"e"]], False))
        self.assertEqual(self.slow.due, [])

    def test_order(self) -> None:
        """What comes all the same waits behind what is left."""
        self.reading.take([b"a", b"b", b"c"])
        self.reading.take([b"d"])
        self.reading.take([b"e", b"f"])
        while self.slow.due:
            self.slow.turn()
        self.assertEqual(b"".join(b"".join(read) for read in self.slow.reads), b"abcdef")
        self.assertFalse(self.slow.paused)

    def test_copies(self) -> None:
        """What waits is kept, whatever becomes of the buffers."""
        buffer = bytearray(b"abc")
        view = memoryview(buffer)
        self.reading.take([view[:1], view[1:2], view[2:]])
        buffer[:] = b"xyz"
        self.slow.turn()
        self.assertEqual(self.slow.reads, [[b"a", b"b"], [b"c"]])

    def test_finish(self) -> None:
        """At the end all is read, however long it takes."""
        self.reading.take([b"a"] * 10)
        self.reading.finish()
        self.assertEqual(sum(map(len, self.slow.reads)), 10)
        self.slow.turn()
        self.assertEqual(sum(map(len, self.slow.reads)), 10)

    def test_drop(self) -> None:
        """What nobody wants any more is not read."""
        self.reading.take([b"a"] * 10)
        self.reading.drop()
        self.slow.turn()
        self.reading.finish()
        self.assertEqual(sum(map(len, self.slow.reads)), 2)
        self.assertTrue(self.slow.paused)
