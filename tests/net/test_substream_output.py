"""Tests of `ngrok_twisted.net.substream_output`."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from twisted.internet.error import ConnectionAborted, ConnectionDone

from ngrok_twisted.net.substream_output import MAX_OUTGOING
from tests.net.substreams import HalfService, Source, SubstreamTestCase


class Pull:
    """A pull producer."""

    def __init__(self, transport: Any, *pieces: bytes) -> None:
        self.transport = transport
        self.left = list(pieces)
        self.asked = 0

    def resumeProducing(self) -> None:
        self.asked += 1
        if self.left:
            self.transport.write(self.left.pop(0))
        else:
            self.transport.unregisterProducer()

    def stopProducing(self) -> None:
        """`IPullProducer`."""


class WriteTests(SubstreamTestCase):
    """What a protocol writes."""

    def test_at_once(self) -> None:
        """With room, each write goes out at once, as it is."""
        self.open()
        self.line.write(b"one")
        self.line.writeSequence(iter([b"two", b"", b"three"]))
        self.line.writeBatch([memoryview(b"four")])
        self.line.writeBatch([b"", b""])
        self.assertEqual(self.line.said, [b"one", b"twothree", b"four"])

    def test_window(self) -> None:
        """What the window does not take waits; the producer is paused meanwhile."""
        self.open(window=50)
        source = self.source()
        self.line.writeBatch([b"a" * 40, memoryview(b"b" * 40)])
        self.assertEqual((self.said(), source.events), ([b"a" * 40 + b"b" * 10], ["pause"]))
        self.line.grow(20)
        self.assertEqual((self.said(), source.events), ([b"b" * 20], ["pause"]))
        self.line.grow(20)
        self.assertEqual((self.said(), source.events), ([b"b" * 10], ["pause", "resume"]))
        self.assertEqual(self.carrier.waiting, {})

    def test_blocked(self) -> None:
        """While the connection is full bytes wait, in order."""
        self.open()
        source = self.source()
        self.carrier.blocked = True
        self.line.write(b"one")
        self.carrier.blocked = False
        self.line.write(b"two")
        self.assertEqual((self.said(), source.events), ([b"onetwo"], ["pause", "resume"]))

    def test_turns(self) -> None:
        """In its turn a stream sends as much as it is told."""
        self.open()
        self.carrier.blocked = True
        self.line.write(b"x" * 100)
        self.carrier.blocked = False
        self.line.drain(30)
        self.assertEqual((self.said(), list(self.carrier.waiting)), ([b"x" * 30], [self.line]))
        self.line.drain()
        self.assertEqual((self.said(), self.carrier.waiting), ([b"x" * 70], {}))

    def test_without_a_producer(self) -> None:
        """Who writes on and on to a peer that does not read is stopped at a bound."""
        protocol = self.open(window=0)
        for _ in range(MAX_OUTGOING // 65536):
            self.line.write(bytes(65536))
        self.turn()
        self.assertEqual(protocol.events, [])
        self.line.write(b"x")
        self.turn()
        self.assertEqual((protocol.events, self.said()), ([ConnectionAborted], ["ABORT"]))

    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("write"), st.integers(0, 60)),
                st.tuples(st.just("grow"), st.integers(1, 60)),
                st.tuples(st.just("block"), st.booleans()),
            ),
            max_size=30,
        )
    )
    def test_any_order(self, steps: list[Any]) -> None:
        """Bytes go out in order, never beyond the window, and the producer is paused exactly while some wait."""
        self.open(window=50)
        source = self.source()
        written = b""
        for number, (step, what) in enumerate(steps):
            if step == "write":
                body = bytes([number]) * what
                written += body
                self.line.write(body)
            elif step == "grow":
                self.line.grow(what)
            else:
                self.carrier.blocked = what
                if not what and self.carrier.waiting:
                    self.line.drain()
            sent = b"".join(self.line.said)
            self.assertTrue(written.startswith(sent))
            waits = len(sent) < len(written)
            self.assertTrue(not waits or self.carrier.blocked or not self.line.send_window)
            self.assertEqual(waits, source.events[-1:] == ["pause"])
            self.assertEqual(waits, self.line in self.carrier.waiting)
        self.assertNotIn(["pause", "pause"], [source.events[n : n + 2] for n in range(len(source.events))])


class ProducerTests(SubstreamTestCase):
    """Producers."""

    def test_two(self) -> None:
        """There is one producer at a time."""
        self.open()
        self.source()
        self.assertRaises(RuntimeError, self.line.registerProducer, Source(), True)

    def test_late(self) -> None:
        """A producer that comes when the stream is full is paused, and one that comes too late is stopped."""
        self.open(window=0)
        self.line.write(b"x")
        first = self.source()
        self.line.grow(1)
        self.assertEqual(first.events, ["pause", "resume"])
        self.line.write(b"x")
        self.line.unregisterProducer()
        self.line.grow(1)
        second = self.source()
        self.line.write(b"x")
        self.assertEqual((first.events[2:], second.events), (["pause"], ["pause"]))
        self.line.unregisterProducer()
        self.line.peer_left()
        self.assertEqual(self.source().events, ["stop"])

    def test_pull(self) -> None:
        """A pull producer is asked once for each write, while there is room."""
        self.open(window=5)
        pull = Pull(self.line, b"abc", b"def", b"ghi")
        self.line.registerProducer(pull, False)
        for _ in range(5):
            self.turn()
        self.assertEqual((self.said(), pull.asked), ([b"abcde"], 2))
        self.line.grow(100)
        for _ in range(5):
            self.turn()
        self.assertEqual((self.said(), pull.asked), ([b"fghi"], 4))
        self.assertIsNone(self.line.producer)

    def test_pull_and_write(self) -> None:
        """Writes beside a pull producer's do not make it be asked more often."""
        self.open(window=1)
        due: list[Any] = []
        self.line.later = due.append  # type: ignore[method-assign]
        self.line.registerProducer(Pull(self.line, b"x"), False)
        for _ in range(3):
            self.line.write(b"yz")
            self.line.grow(9)
        self.assertEqual(len(due), 1)

    def test_lost(self) -> None:
        """A producer is stopped when the stream is lost."""
        self.open()
        source = self.source()
        self.line.peer_left()
        self.assertEqual(source.events, ["stop"])


class EndTests(SubstreamTestCase):
    """The ends that a protocol asks for."""

    def test_lose_connection(self) -> None:
        """What was written goes out first; the protocol hears of its end in a later turn."""
        protocol = self.open(window=2)
        self.line.write(b"bye")
        self.line.loseConnection()
        self.turn()
        self.assertEqual((self.said(), protocol.events), ([b"by"], []))
        self.line.grow(1)
        self.assertEqual((self.said(), protocol.events), ([b"e", "CLOSE"], [ConnectionDone]))

    def test_lose_connection_drained(self) -> None:
        """With nothing to send the end is a turn away, and comes once."""
        protocol = self.open()
        self.line.loseConnection()
        self.line.loseConnection()
        self.assertEqual(protocol.events, [])
        self.turn()
        self.assertEqual((self.said(), protocol.events), (["CLOSE"], [ConnectionDone]))

    def test_written_after(self) -> None:
        """What is written before the end of that turn still counts, and does not wait for ever either."""
        protocol = self.open(window=0)
        self.line.loseConnection()
        self.line.write(b"x")
        self.line.loseWriteConnection()
        self.turn()
        self.assertEqual((self.said(), protocol.events), ([], []))
        self.carrier.clock.pump([1] * 70)
        self.assertEqual((self.said(), protocol.events), (["ABORT"], [ConnectionAborted]))

    def test_both_closes(self) -> None:
        """Who closes a stream has closed its write side."""
        self.open(HalfService)
        self.line.loseConnection()
        self.line.loseWriteConnection()
        self.turn()
        self.line.loseWriteConnection()
        self.line.abortConnection()
        self.assertEqual(self.said(), ["CLOSE"])

    def test_pull_producer_at_the_end(self) -> None:
        """A pull producer that has more to say when what it said is out goes on until it leaves."""
        protocol = self.open(window=1)
        self.line.registerProducer(Pull(self.line, b"ab", b"c"), False)
        self.turn()
        self.line.loseConnection()
        self.turn()
        self.assertEqual((self.said(), protocol.events), ([b"a"], []))
        self.line.grow(10)
        self.turn()
        self.assertEqual((self.said(), protocol.events), ([b"bc", "CLOSE"], [ConnectionDone]))

    def test_with_a_producer(self) -> None:
        """A push producer does not keep a closed stream open, whether it unregisters or not."""
        for leaves in (False, True):
            protocol = self.open(window=2)
            self.source()
            self.line.write(b"bye")
            self.line.loseConnection()
            if leaves:
                self.line.unregisterProducer()
            self.line.grow(100)
            self.turn()
            self.assertEqual((self.said(), protocol.events), ([b"bye", "CLOSE"], [ConnectionDone]))

    def test_unregister_after(self) -> None:
        """A producer that leaves when all is out lets a closed stream end."""
        protocol = self.open()
        self.line.registerProducer(Pull(self.line, b"x"), False)
        self.line.loseWriteConnection()
        self.line.unregisterProducer()
        self.assertEqual((self.said(), protocol.events), (["FIN"], []))

    def test_linger(self) -> None:
        """A closed stream whose peer takes nothing more is aborted; one that goes on is not."""
        protocol = self.open(window=0)
        self.line.write(b"bye")
        self.line.loseConnection()
        for _ in range(5):
            self.carrier.clock.advance(40)
            if not self.line.said:
                self.line.grow(1)
            else:
                break
        self.line.said.clear()
        self.carrier.clock.pump([20] * 4)
        self.turn()
        self.assertEqual((self.said(), protocol.events), (["ABORT"], [ConnectionAborted]))
        self.assertEqual(self.carrier.waiting, {})

    def test_linger_progress(self) -> None:
        """Each byte that the peer takes prolongs the time for the rest."""
        protocol = self.open(window=0)
        self.line.write(b"byebye")
        self.line.loseConnection()
        for _ in range(5):
            self.carrier.clock.pump([1] * 40)
            self.line.grow(1)
        self.assertEqual((self.said(), protocol.events), ([b"byeby"], []))
        self.line.grow(1)
        self.assertEqual((self.said(), protocol.events), ([b"e", "CLOSE"], [ConnectionDone]))
        self.assertEqual(self.carrier.clock.getDelayedCalls(), [])

    def test_half_close(self) -> None:
        """The write side is closed behind what waits; what is written afterwards is dropped."""
        protocol = self.open(HalfService, window=1)
        self.line.write(b"ab")
        self.line.loseWriteConnection()
        self.line.write(b"c")
        self.assertEqual((self.said(), protocol.events), ([b"a"], []))
        self.line.grow(5)
        self.assertEqual((self.said(), protocol.events), ([b"b", "FIN"], ["write lost"]))
        self.line.loseWriteConnection()
        self.assertEqual(self.said(), [])

    def test_half_close_waits_for_the_producer(self) -> None:
        """A producer that is still there may have more to say to nobody: the end waits for it to leave."""
        self.open(window=1)
        self.source()
        self.line.write(b"ab")
        self.line.loseWriteConnection()
        self.line.grow(5)
        self.assertEqual(self.said(), [b"ab"])
        self.line.unregisterProducer()
        self.assertEqual(self.said(), ["FIN"])
