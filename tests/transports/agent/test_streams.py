"""Tests of `ngrok_twisted.transports.agent.streams`."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.transports.agent.frames import MAX_BODY, WINDOW, ErrorCode
from ngrok_twisted.transports.agent.limits import AgentLimits
from ngrok_twisted.transports.agent.mux import Mux
from ngrok_twisted.transports.agent.streams import CREDIT, Stream
from tests.transports.agent.wire import FIN, SYN, Frame, Wire, data, rst, wndinc

RST, DATA, WNDINC = 0, 1, 2


class Noting(Stream):
    """
    Writes down what it is told.

    :ivar greedy: it takes what comes at once.
    """

    def __init__(self, mux: Mux, greedy: bool = True) -> None:
        super().__init__(mux)
        self.events: list[Any] = []
        self.greedy = greedy

    def received(self, batch: list[memoryview]) -> None:
        body = b"".join(batch)
        if self.events and isinstance(self.events[-1], bytes):
            self.events[-1] += body
        else:
            self.events.append(body)
        if self.greedy:
            self.credit(len(body))

    def fin_received(self) -> None:
        self.events.append("fin")

    def reset_received(self, code: int) -> None:
        self.events.append(("reset", code))

    def connection_lost(self, reason: Any) -> None:
        self.events.append("lost")


class MuxTestCase(SynchronousTestCase):
    """
    A mux with an agent that is played by hand.

    :ivar accepted: the streams that the agent has opened, by id.
    """

    def setUp(self) -> None:
        self.build()

    def build(self, **limits: Any) -> Mux:
        """Start anew."""
        self.wire = Wire()
        self.accepted: dict[int, Noting] = {}
        self.mux = self.wire.mux = Mux(self.wire, self.accept, AgentLimits(**limits))
        return self.mux

    def accept(self, id: int) -> Stream:
        """Take any stream."""
        self.accepted[id] = Noting(self.mux)
        return self.accepted[id]

    def open(self, **options: Any) -> Noting:
        """A stream of ours."""
        stream = Noting(self.mux, **options)
        self.mux.open(stream)
        return stream

    def say(self, *sent: bytes) -> None:
        """The agent sends this, in one piece."""
        self.mux.receive(b"".join(sent))

    def bodies(self) -> bytes:
        """The data that were sent."""
        return b"".join(one.body for one in self.wire.take(DATA))


class SendTests(MuxTestCase):
    """`Stream.send`."""

    def test_syn(self) -> None:
        """SYN rides on the first frame of a stream of ours, and only there."""
        stream = self.open()
        self.assertEqual(self.wire.take(), [])
        stream.send((b"one", b" two"))
        stream.send((memoryview(b"three"),), fin=True)
        self.assertEqual(
            self.wire.take(), [Frame(DATA, stream.id, SYN, b"one two"), Frame(DATA, stream.id, FIN, b"three")]
        )

    def test_reply(self) -> None:
        """The agent's streams have no SYN from us."""
        self.say(data(3, b"?", SYN))
        self.accepted[3].send((b"!",), fin=True)
        self.assertEqual(self.wire.take(), [Frame(DATA, 3, FIN, b"!")])

    def test_nothing(self) -> None:
        """Nothing is sent for nothing, but an end is."""
        stream = self.open()
        stream.send(())
        stream.send((b"",))
        self.assertEqual(self.wire.take(), [])
        stream.send((), fin=True)
        stream.send((b"too late",))
        self.assertEqual(self.wire.take(), [Frame(DATA, stream.id, SYN | FIN, b"")])

    def test_frames(self) -> None:
        """Much is sent in frames of 64 KiB, in one write; FIN is on the last of them."""
        stream = self.open()
        text = bytes(range(256)) * 600
        stream.send((text[:100_000], b"", text[100_000:]), fin=True)
        self.assertEqual(self.wire.written, 1)
        sent = self.wire.take()
        self.assertEqual([(one.flags, len(one.body)) for one in sent], [(SYN, MAX_BODY), (0, MAX_BODY), (FIN, 22528)])
        self.assertEqual(b"".join(one.body for one in sent), text)

    def test_window(self) -> None:
        """What the window does not allow waits, and so does the end behind it."""
        stream = self.open()
        text = bytes(range(256)) * 2048
        stream.send((text,), fin=True)
        self.assertEqual(self.bodies(), text[:WINDOW])
        stream.send((b"too late",))
        self.say(wndinc(stream.id, 10))
        self.assertEqual(self.wire.take(), [Frame(DATA, stream.id, 0, text[WINDOW : WINDOW + 10])])
        self.say(wndinc(stream.id, WINDOW))
        sent = self.wire.take(DATA)
        self.assertEqual(b"".join(one.body for one in sent), text[WINDOW + 10 :])
        self.assertEqual([one.flags for one in sent][-2:], [0, FIN])

    def test_end_behind_what_waits(self) -> None:
        """An end that comes later waits behind what waits already."""
        stream = self.open()
        stream.send((bytes(WINDOW + 1),))
        stream.send((), fin=True)
        self.wire.take()
        self.say(wndinc(stream.id, 5))
        self.assertEqual(self.wire.take(), [Frame(DATA, stream.id, FIN, b"\0")])

    def test_blocked(self) -> None:
        """Small things go out while the connection is full."""
        stream = self.open()
        self.mux.block()
        stream.send((b"heartbeat",))
        self.assertEqual(self.bodies(), b"heartbeat")

    def test_buffers_are_free(self) -> None:
        """Buffers may be used again when `send` returns, even if their bytes wait."""
        stream = self.open()
        buffer = bytearray(b"x" * (WINDOW + 3))
        stream.send((memoryview(buffer),))
        buffer[:] = bytes(len(buffer))
        self.say(wndinc(stream.id, 3))
        self.assertEqual(self.bodies(), b"x" * (WINDOW + 3))

    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("send"), st.lists(st.integers(0, 200_000), max_size=3)),
                st.tuples(st.just("grow"), st.integers(1, 400_000)),
            ),
            max_size=20,
        )
    )
    def test_never_beyond_the_window(self, steps: list[Any]) -> None:
        """The agent never gets more than it has allowed, gets all that it allows, and in order."""
        self.build()
        stream = self.open()
        allowed, wanted, got = WINDOW, b"", b""
        for step, what in steps:
            if step == "send":
                buffers = [bytes([65 + n]) * size for n, size in enumerate(what)]
                wanted += b"".join(buffers)
                stream.send(buffers)
            else:
                allowed += what
                self.say(wndinc(stream.id, what))
            sent = self.wire.take()
            self.assertTrue(all(len(one.body) <= MAX_BODY for one in sent))
            got += b"".join(one.body for one in sent)
            self.assertEqual(got, wanted[:allowed])


class CreditTests(MuxTestCase):
    """What the agent is given back."""

    def test_steps(self) -> None:
        """Credit is given in steps of a quarter of the window, all that is owed at once, and never as 0."""
        stream = self.open(greedy=False)
        stream.credit(0)
        stream.credit(CREDIT - 1)
        self.assertEqual(self.wire.take(), [])
        stream.credit(11)
        self.assertEqual([(one.id, one.value) for one in self.wire.take(WNDINC)], [(stream.id, CREDIT + 10)])
        stream.credit(1)
        self.assertEqual(self.wire.take(), [])

    def test_owed(self) -> None:
        """What is only owed is told with the next credit."""
        stream = self.open(greedy=False)
        stream.owe(CREDIT)
        self.assertEqual(self.wire.take(), [])
        stream.credit(0)
        self.assertEqual(self.wire.take(WNDINC)[0].value, CREDIT)

    def test_after_the_end(self) -> None:
        """Who sends no more, or is gone, needs no credit."""
        one, other = self.open(greedy=False), self.open(greedy=False)
        self.say(data(one.id, b"x", FIN), rst(other.id))
        one.credit(WINDOW)
        other.credit(WINDOW)
        self.assertEqual(self.wire.take(), [])

    @given(st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 150_000)), max_size=20))
    def test_window_is_kept(self, steps: list[tuple[int, int]]) -> None:
        """An agent that honours its window is never refused, and what we hold for it never exceeds the window."""
        self.build()
        stream = self.open(greedy=False)
        allowed, held = WINDOW, 0
        for size, taken in steps:
            size = min(size, allowed)
            self.say(data(stream.id, bytes(size)))
            allowed -= size
            held += size
            taken = min(taken, held)
            held -= taken
            stream.credit(taken)
            allowed += sum(one.value for one in self.wire.take(WNDINC))
            self.assertLessEqual(held + allowed, WINDOW)
            self.assertGreater(held + allowed, WINDOW - CREDIT)
            self.assertEqual(stream.receive_window, allowed)
        self.assertFalse(stream.gone)


class EndTests(MuxTestCase):
    """The ends of a stream."""

    def test_both(self) -> None:
        """A stream is over when both sides have ended, whoever is first."""
        first, second = self.open(), self.open()
        first.send((b"x",), fin=True)
        self.say(data(first.id, b"y", FIN), data(second.id, b"z", FIN))
        self.assertEqual((first.gone, second.gone), (True, False))
        second.send((), fin=True)
        self.assertTrue(second.gone)
        self.assertEqual((first.events, second.events), ([b"y", "fin"], [b"z", "fin"]))
        self.assertEqual((self.mux.streams, self.wire.events), ({}, ["room", "room"]))

    def test_end_within(self) -> None:
        """Who ends a stream while it is given the last bytes still hears of the agent's end."""
        stream = self.open()
        stream.received = lambda batch: stream.send((b"bye",), fin=True)  # type: ignore[method-assign]
        self.say(data(stream.id, b"last", FIN))
        self.assertEqual((stream.events, stream.gone), (["fin"], True))

    def test_reset(self) -> None:
        """A reset of ours ends both sides; what waits is dropped, and no hook is called."""
        stream = self.open()
        stream.send((bytes(WINDOW + 1),))
        self.wire.take()
        stream.reset(ErrorCode.STREAM_CANCELLED)
        stream.reset(ErrorCode.STREAM_CANCELLED)
        stream.send((b"x",), fin=True)
        self.say(wndinc(stream.id, 5), data(stream.id, b"still on its way", FIN))
        self.assertEqual([(one.kind, one.value) for one in self.wire.take()], [(RST, 6), (RST, 4)])
        self.assertEqual((stream.events, stream.gone, self.mux.streams), ([], True, {}))
        self.assertEqual((stream._unsent.size, stream.batch), (0, []))

    def test_reset_unannounced(self) -> None:
        """The agent does not hear of a stream that was given up before it began."""
        stream = self.open()
        stream.reset(ErrorCode.STREAM_CANCELLED)
        self.assertEqual((self.wire.take(), self.mux.streams), ([], {}))

    def test_reset_by_the_agent(self) -> None:
        """What came before a reset is delivered first."""
        stream = self.open()
        self.say(data(stream.id, b"x"), rst(stream.id, 9))
        self.assertEqual((stream.events, stream.gone), ([b"x", ("reset", 9)], True))

    def test_reset_within(self) -> None:
        """A stream that is reset while it is given bytes is given no more."""
        stream = self.open()
        stream.received = lambda batch: stream.reset(ErrorCode.INTERNAL_ERROR)  # type: ignore[method-assign]
        self.say(data(stream.id, b"x", FIN))
        self.say(data(stream.id, b"y"))
        self.assertEqual(stream.events, [])

    def test_fin_then_reset(self) -> None:
        """An end is told even if a reset comes in the same read."""
        stream = self.open()
        self.say(data(stream.id, b"", FIN), rst(stream.id, 4))
        self.assertEqual(stream.events, ["fin", ("reset", 4)])

    def test_failure(self) -> None:
        """A stream whose hook fails is reset."""
        stream, other = self.open(), self.open()
        stream.received = lambda batch: 1 // 0  # type: ignore[method-assign, assignment, return-value]
        self.say(data(stream.id, b"x"), data(other.id, b"y"))
        stream.send((b"",))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((stream.gone, other.events), (True, [b"y"]))
