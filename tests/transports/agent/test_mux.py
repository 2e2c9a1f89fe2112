"""Tests of `ngrok_twisted.transports.agent.mux`."""

from __future__ import annotations

import tracemalloc
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from ngrok_twisted.errors import Overloaded, TunnelLost
from ngrok_twisted.transports.agent.frames import MASK, MAX_BODY, WINDOW, ErrorCode, MuxError
from ngrok_twisted.transports.agent.limits import AgentLimits
from ngrok_twisted.transports.agent.mux import RESERVE, Mux, StreamRefused
from ngrok_twisted.transports.agent.streams import CREDIT, Stream
from tests.transports.agent.test_streams import MuxTestCase, Noting
from tests.transports.agent.wire import FIN, SYN, Wire, cut, data, frame, goaway, places, rst, wndinc

RST, DATA, WNDINC, GOAWAY = 0, 1, 2, 3


class BulkStream(Noting):
    """
    Sends in turns, as streams with much to send do.

    :ivar left: bytes that it still wants to send.
    """

    def want(self, size: int) -> None:
        """Send so many bytes."""
        self.left = size
        self.mux.waiting[self] = None
        if not self.mux.blocked:
            self.drain(size)

    def drain(self, limit: int) -> None:
        """Send as much as may be sent."""
        size = min(limit, self.left, self.send_window)
        self.left -= size
        self.emit((bytes(size),), size)
        if not self.left:
            self.mux.waiting.pop(self)


class OpeningTests(MuxTestCase):
    """Streams of ours."""

    def test_ids(self) -> None:
        """Our ids are even and rise from 2."""
        self.assertEqual([self.open().id for _ in range(3)], [2, 4, 6])

    def test_limit(self) -> None:
        """Visitors may have only so many; a few more are there for ourselves; one that ends makes room."""
        self.build(max_streams=2)
        self.say(data(3, b"", SYN))
        self.mux.open(Noting(self.mux), visitor=True)
        self.assertEqual(self.mux.room, 0)
        self.assertRaises(Overloaded, self.mux.open, Noting(self.mux), visitor=True)
        for _ in range(RESERVE):
            self.open()
        self.assertRaises(Overloaded, self.open)
        self.assertEqual(self.mux.room, 0)
        for stream in tuple(self.mux.streams.values()):
            stream.reset(6)
        self.assertEqual(self.mux.room, 2)

    def test_no_ids_left(self) -> None:
        """Ids are not used twice: when they are used up nothing is opened any more."""
        self.mux._next = MASK - 1
        self.assertEqual((self.mux.room > 0, self.open().id), (True, 0x7FFFFFFE))
        self.assertRaises(Overloaded, self.open)
        self.assertEqual(self.mux.room, 0)

    def test_at_the_end(self) -> None:
        """Nothing is opened on a connection that ends, whoever ends it."""
        self.mux.go_away(0, "")
        self.assertRaises(TunnelLost, self.open)
        self.build()
        self.say(goaway())
        self.assertRaises(TunnelLost, self.open)
        self.assertEqual(self.mux.room, 0)
        self.build()
        self.mux.lost(Failure(ConnectionLost()))
        self.assertRaises(TunnelLost, self.open)


class PaceTests(MuxTestCase):
    """Streams of ours that the agent has not come to."""

    def opened(self, count: int) -> list[Noting]:
        """Streams that the agent was told of."""
        streams = [self.open() for _ in range(count)]
        for stream in streams:
            stream.send((b"x",))
        self.wire.take()
        return streams

    def test_room(self) -> None:
        """There is room for so many; any frame but a refusal says that the agent has come to one, and makes room."""
        for answer in (wndinc(2, 4), data(2, b"y"), data(2, b"", FIN), rst(2, 6)):
            self.build(max_unanswered=2)
            first, _ = self.opened(2)
            self.assertEqual((self.mux.room, self.mux.full, first.fresh), (0, False, True))
            self.say(answer)
            self.assertEqual((self.mux.room, first.fresh and not first.gone), (1, False))
            self.assertEqual(self.wire.events[0], "room")

    def test_once(self) -> None:
        """The connection hears of it where there was no room, and only then."""
        self.build(max_unanswered=3)
        self.opened(3)
        self.say(wndinc(2, 4), wndinc(4, 4), wndinc(2, 4))
        self.assertEqual(self.wire.events, ["room"])

    def test_agents_own(self) -> None:
        """Streams that the agent opens, with higher numbers, say nothing of ours."""
        self.build(max_unanswered=2)
        self.opened(2)
        self.say(data(101, b"x", SYN), wndinc(101, 5), wndinc(103, 5), rst(101, 9))
        self.assertEqual(self.mux.room, 0)

    def test_given_up(self) -> None:
        """One that was given up counts until the agent has come to it, unless it never heard of it."""
        self.build(max_unanswered=2)
        for answer in (wndinc(2, 4), data(2, b"y"), rst(2, 4)):
            self.build(max_unanswered=2)
            (first,) = self.opened(1)
            first.reset(6)
            self.assertEqual(self.mux.room, 1)
            self.say(answer)
            self.assertEqual(self.mux.room, 2)
        self.open().reset(6)
        self.assertEqual(self.mux.room, 2)

    def test_ourselves(self) -> None:
        """Commands and heartbeats do not wait for it."""
        self.build(max_unanswered=1)
        self.opened(2)
        self.assertEqual(self.mux.room, 0)
        self.open()

    def test_refused(self) -> None:
        """A stream that the agent has no place for ends, and the agent is told to let go of it; there is less room then."""
        self.build(max_unanswered=32)
        (stream,) = self.opened(1)
        self.say(rst(2, 9))
        self.assertEqual((stream.events, stream.gone), ([("reset", 9)], True))
        self.assertEqual([(one.kind, one.id, one.value) for one in self.wire.take()], [(RST, 2, 6)])
        self.assertEqual(self.mux.room, 16)

    def test_refused_late(self) -> None:
        """One that it has come to, and one that is over, are refused without a word of ours."""
        self.build(max_unanswered=32)
        first, second = self.opened(2)
        self.say(data(2, b"y"), rst(2, 9))
        self.assertEqual(first.events, [b"y", ("reset", 9)])
        second.reset(6)
        self.wire.take()
        self.say(rst(4, 9), rst(6, 9), rst(0x7FFFFFFE, 9))
        self.assertEqual(self.wire.take(), [])

    def test_renumbered(self) -> None:
        """A stream may go on under another id, which the agent hears of as of a new one; its place is kept."""
        self.build(max_streams=2)
        stream, _ = self.opened(2)
        stream.ask_again = lambda: True  # type: ignore[method-assign]
        self.say(rst(2, 9))
        self.assertEqual((stream.id, list(self.mux.streams), stream.events, self.mux.room), (2, [2, 4], [], 0))
        self.assertTrue(self.mux.renumber(stream))
        self.assertEqual((stream.id, list(self.mux.streams), stream.events, self.mux.room), (6, [4, 6], [], 0))
        self.wire.take()
        stream.send((b"y",))
        self.assertEqual([(one.id, one.flags) for one in self.wire.take()], [(6, SYN)])
        self.say(data(2, b"late"))
        self.assertEqual(stream.events, [])
        self.say(data(6, b"z"))
        self.assertEqual(stream.events, [b"z"])

    def test_not_renumbered(self) -> None:
        """Where no stream may be opened any more, or no id is left, it may not."""
        (stream,) = self.opened(1)
        self.mux._next = MASK + 1
        self.assertFalse(self.mux.renumber(stream))
        self.build()
        (stream,) = self.opened(1)
        self.mux.go_away(0, "")
        self.assertFalse(self.mux.renumber(stream))


class AcceptingTests(MuxTestCase):
    """Streams of the agent's."""

    def test_accept(self) -> None:
        """A SYN makes a stream; its first bytes may come with it, and its end."""
        self.say(data(3, b"hello", SYN), data(5, b"", SYN), data(7, b"all", SYN | FIN))
        self.assertEqual(
            {id: one.events for id, one in self.accepted.items()}, {3: [b"hello"], 5: [], 7: [b"all", "fin"]}
        )
        self.assertEqual((self.mux.accepted, list(self.mux.streams)), (3, [3, 5, 7]))
        self.accepted[7].send((), fin=True)
        self.assertEqual(self.mux.accepted, 2)

    def test_refused(self) -> None:
        """One that is not wanted is reset with the code, once, and its body is nobody's."""

        def refuse(id: int) -> Stream:
            raise StreamRefused(ErrorCode.ENHANCE_YOUR_CALM)

        self.mux._accept = refuse
        self.say(data(3, b"hello", SYN), data(3, b"more"), data(3, b"", FIN))
        self.assertEqual([(one.kind, one.id, one.value) for one in self.wire.take()], [(RST, 3, 10)])

    def test_accept_fails(self) -> None:
        """A fault of ours costs one stream."""
        self.mux._accept = lambda id: 1 // 0  # type: ignore[assignment, return-value]
        self.say(data(3, b"hello", SYN))
        self.assertEqual([one.value for one in self.wire.take()], [ErrorCode.INTERNAL_ERROR])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_flood(self) -> None:
        """There are only so many at a time; further ones are refused, and cost no memory."""
        self.build(max_requests=5)
        self.say(*(data(id, b"x", SYN) for id in range(3, 203, 2)))
        self.assertEqual((len(self.accepted), self.mux.accepted), (5, 5))
        self.assertEqual({one.value for one in self.wire.take(RST)}, {ErrorCode.ACCEPT_QUEUE_FULL})
        self.say(rst(3), data(203, b"x", SYN))
        self.assertEqual((len(self.accepted), len(self.mux.streams)), (6, 5))

    def test_rapid_reset(self) -> None:
        """Streams that are opened and reset at once leave nothing behind."""
        for id in range(3, 2003, 2):
            self.say(data(id, b"x", SYN), rst(id))
        self.assertEqual((self.mux.accepted, self.mux.streams, self.wire.take()), (0, {}, []))

    def test_used_twice(self) -> None:
        """An id that was used ends the session."""
        self.say(data(3, b"", SYN))
        with self.assertRaises(MuxError):
            self.say(data(3, b"", SYN))

    def test_bad_ids(self) -> None:
        """An agent may not open a stream with an even id, or with 0 or 1."""
        for id in (0, 1, 2, 4, 0x80000002):
            self.build()
            with self.assertRaises(MuxError) as caught:
                self.say(data(id, b"", SYN))
            self.assertEqual(caught.exception.code, ErrorCode.PROTOCOL_ERROR)

    def test_after_our_farewell(self) -> None:
        """Whoever comes behind our farewell is refused."""
        self.mux.go_away(0, "")
        self.wire.take()
        self.say(data(3, b"", SYN))
        self.assertEqual([one.value for one in self.wire.take(RST)], [ErrorCode.STREAM_REFUSED])


class ReceivingTests(MuxTestCase):
    """What comes for streams."""

    def test_one_call(self) -> None:
        """What one read brings for a stream arrives in one call, as it is, and in order."""
        stream, other = self.open(), self.open()
        calls: list[Any] = []
        stream.received = lambda batch: calls.append([bytes(view) for view in batch])  # type: ignore[method-assign]
        first, second = data(stream.id, b"one"), data(stream.id, b"two") + data(other.id, b"x")
        self.mux.receive_batch([first, second[:9], second[9:]])
        self.assertEqual(calls, [[b"one", b"t", b"wo"]])
        self.assertEqual(other.events, [b"x"])

    def test_beyond_the_window(self) -> None:
        """Data beyond the window cost the stream, and one RST; the session goes on."""
        stream, other = self.open(greedy=False), self.open()
        self.say(data(stream.id, bytes(WINDOW)))
        self.say(data(stream.id, b"x"), data(stream.id, b"y"), data(other.id, b"z"))
        self.assertEqual([(one.kind, one.id, one.value) for one in self.wire.take()], [(RST, stream.id, 3)])
        self.assertEqual(stream.events, [bytes(WINDOW), ("reset", 3)])
        self.assertEqual(other.events, [b"z"])

    def test_huge_frame(self) -> None:
        """A frame beyond the window is refused by its header; none of its body is kept."""
        stream, other = self.open(), self.open()
        self.say(frame(1, stream.id, length=0xFFFFFF))
        self.assertEqual([(one.id, one.value) for one in self.wire.take(RST)], [(stream.id, 3)])
        tracemalloc.start()
        body = bytes(65536)
        for _ in range(255):
            self.mux.receive(body)
        self.mux.receive(body[:-1])
        kept = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        self.assertLess(kept, 200_000)
        self.say(data(other.id, b"next"))
        self.assertEqual((stream.events, other.events), ([("reset", 3)], [b"next"]))

    def test_streamed(self) -> None:
        """A frame is handed on as it comes."""
        stream = self.open()
        whole = frame(1, stream.id, b"x" * 100_000, FIN)
        self.mux.receive(whole[:50_000])
        self.assertEqual(stream.events, [b"x" * 49_992])
        self.mux.receive(whole[50_000:])
        self.assertEqual(stream.events, [b"x" * 100_000, "fin"])

    def test_reset_in_the_middle_of_a_frame(self) -> None:
        """The rest of a frame for a stream that we have reset meanwhile is nobody's."""
        stream = self.open()
        whole = data(stream.id, b"x" * 100, FIN)
        self.mux.receive(whole[:50])
        stream.reset(6)
        self.mux.receive(whole[50:])
        self.assertEqual(stream.events, [b"x" * 42])

    def test_unknown(self) -> None:
        """Data for a stream that is not there draw one RST, however often; an empty end, RST and WNDINC draw nothing."""
        self.say(data(99, b"", FIN), rst(99), wndinc(99, 5), wndinc(99, 0))
        self.assertEqual(self.wire.take(), [])
        self.say(*[data(99, b"x")] * 100, data(98), data(97, b"x", FIN), data(99, b"", FIN))
        self.assertEqual([(one.id, one.value) for one in self.wire.take()], [(99, 4), (98, 4), (97, 4)])

    def test_for_no_stream(self) -> None:
        """Data for stream 0 end the session."""
        self.assertRaises(MuxError, self.say, data(0, b"x"))

    def test_after_fin(self) -> None:
        """Data behind the end cost the stream."""
        stream = self.open()
        self.say(data(stream.id, b"x", FIN), data(stream.id, b"y"))
        self.assertEqual([(one.id, one.value) for one in self.wire.take()], [(stream.id, 4)])
        self.assertEqual(stream.events, [b"x", "fin", ("reset", 4)])

    def test_no_increment(self) -> None:
        """A WNDINC of 0 costs the stream."""
        stream = self.open()
        self.say(wndinc(stream.id, 0x80000000))
        self.assertEqual((self.wire.take()[0].value, stream.events), (1, [("reset", 1)]))

    def test_credit_of_one_read(self) -> None:
        """All credit that one read brings counts before a stream hears of it, once, and before its data."""
        stream = self.open()
        stream.window_opened = lambda: stream.events.append(("window", stream.send_window))  # type: ignore[method-assign]
        self.say(data(stream.id, b"x"), *[wndinc(stream.id, 8192)] * 20)
        self.say(wndinc(stream.id, 1))
        size = WINDOW + 20 * 8192
        self.assertEqual(stream.events, [("window", size), b"x", ("window", size + 1)])

    def test_credit_before_the_end(self) -> None:
        """Credit for a stream that the same read ends is nobody's."""
        stream = self.open()
        stream.window_opened = lambda: stream.events.append("window")  # type: ignore[method-assign]
        self.say(wndinc(stream.id, 8192), rst(stream.id, 6))
        self.assertEqual(stream.events, [("reset", 6)])

    def test_overflow(self) -> None:
        """A window may grow to 2^31 - 1; beyond costs the stream."""
        stream = self.open()
        self.say(wndinc(stream.id, MASK - WINDOW))
        self.assertEqual((stream.send_window, self.wire.take()), (MASK, []))
        self.say(wndinc(stream.id, 1))
        self.assertEqual((self.wire.take()[0].value, stream.events), (3, [("reset", 3)]))

    def test_before_a_fault(self) -> None:
        """What came before a fault is delivered."""
        stream = self.open()
        self.assertRaises(MuxError, self.say, data(stream.id, b"x"), frame(0, 3, b"short"))
        self.assertEqual(stream.events, [b"x"])

    @given(
        st.lists(
            st.one_of(
                st.builds(
                    data, st.integers(1, 12), st.binary(max_size=50), st.sampled_from((0, 0, 0, SYN, FIN, SYN | FIN))
                ),
                st.builds(data, st.integers(1, 12), st.just(bytes(100_000))),
                st.builds(rst, st.integers(1, 12), st.integers(0, 20)),
                st.builds(wndinc, st.integers(1, 12), st.sampled_from((0, 1, 65536, MASK))),
                st.builds(goaway, st.integers(0, 20), st.binary(max_size=20)),
                st.binary(min_size=1, max_size=4),
            ),
            max_size=12,
        ),
        places(1000),
    )
    def test_any_split(self, sent: list[bytes], at: list[int]) -> None:
        """
        However the bytes of an agent are split, honest or not, the same happens; no stream holds more than its window, and no
        more is sent than there are frames.
        """
        whole = b"".join(sent)
        outcomes = []
        for pieces in ([whole], cut(whole, at), [whole[n : n + 7] for n in range(0, min(len(whole), 2000), 7)]):
            self.build(max_requests=3)
            ours = [self.open(greedy=False) for _ in range(3)]
            for stream in ours:
                stream.send((b"x",))
            error = None
            try:
                for piece in pieces:
                    self.mux.receive(piece)
            except MuxError as caught:
                error = caught.code
            streams = {**self.accepted, **{stream.id: stream for stream in ours}}
            for stream in ours:
                self.assertLessEqual(sum(len(event) for event in stream.events if isinstance(event, bytes)), WINDOW)
            replies = self.wire.take()
            self.assertLessEqual(len(replies), len(ours) + len(whole) // 8)
            self.assertLessEqual(self.mux.accepted, 3)
            outcome = {id: (stream.events, stream.gone) for id, stream in streams.items()}
            outcomes.append((outcome, error, self.wire.events[-1:], len(replies)))
        self.assertEqual(outcomes[0], outcomes[1])
        if len(whole) <= 2000:
            self.assertEqual(outcomes[0], outcomes[2])


class FarewellTests(MuxTestCase):
    """GOAWAY, and the end."""

    def test_ours(self) -> None:
        """Our farewell names the last stream of the agent's that was taken; it is said once."""
        self.say(data(7, b"", SYN), data(5, b"", SYN))
        self.mux.go_away(ErrorCode.ENHANCE_YOUR_CALM, "calm")
        self.mux.go_away(0, "again")
        (sent,) = self.wire.take()
        self.assertEqual((sent.kind, sent.id, sent.body), (GOAWAY, 0, b"\0\0\0\7\0\0\0\x0acalm"))

    def test_theirs(self) -> None:
        """Behind the agent's farewell nothing is heard; what came before is delivered first."""
        stream = self.open()
        stream.received = lambda batch: self.wire.events.append(b"".join(batch))  # type: ignore[method-assign]
        self.say(data(stream.id, b"x"), goaway(11, b"bye"), data(stream.id, b"y"))
        self.say(data(stream.id, b"z"))
        self.assertEqual(self.wire.events, [b"x", ("gone", 11, "bye")])
        self.assertTrue(self.mux.ended)

    def test_lost(self) -> None:
        """All streams hear of a lost connection, and nothing can be done with them."""
        streams = [self.open(), self.open()]
        streams[0].connection_lost = lambda reason: 1 // 0  # type: ignore[method-assign, assignment, return-value]
        self.say(data(3, b"", SYN))
        self.mux.lost(Failure(ConnectionLost()))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((streams[1].events, self.accepted[3].events), (["lost"], ["lost"]))
        self.wire.take()
        streams[1].send((b"x",), fin=True)
        streams[1].reset(1)
        self.mux.go_away(0, "")
        self.mux.receive(data(5, b"x", SYN))
        self.assertEqual((self.wire.take(), self.mux.streams, self.mux.accepted), ([], {}, 0))

    def test_lost_within(self) -> None:
        """A connection that is lost while bytes are delivered delivers no more."""
        one, other = self.open(), self.open()
        lost = Failure(ConnectionLost())
        one.received = lambda batch: self.mux.lost(lost)  # type: ignore[method-assign]
        self.say(data(one.id, b"x"), data(other.id, b"y"))
        self.assertEqual((one.events, other.events), (["lost"], ["lost"]))


class TurnTests(MuxTestCase):
    """Streams that wait for the connection."""

    def bulk(self, *sizes: int) -> list[BulkStream]:
        """Streams that want to send so much on a full connection."""
        self.mux.block()
        streams = []
        for size in sizes:
            stream = BulkStream(self.mux)
            self.mux.open(stream)
            stream.want(size)
            streams.append(stream)
        return streams

    def test_in_turns(self) -> None:
        """When there is room, each stream sends one frame in its turn."""
        self.bulk(150_000, 100_000, 10)
        self.assertEqual(self.wire.take(), [])
        self.mux.unblock()
        sent = [(one.id, len(one.body)) for one in self.wire.take()]
        self.assertEqual(
            sent, [(2, MAX_BODY), (4, MAX_BODY), (6, 10), (2, MAX_BODY), (4, 34464), (2, 150_000 - 2 * MAX_BODY)]
        )
        self.assertEqual(self.mux.waiting, {})

    def test_full_again(self) -> None:
        """When the connection is full again, the next turn begins where this one ended."""
        self.bulk(100_000, 100_000, 100_000)
        order = []
        for _ in range(6):
            self.wire.room = MAX_BODY // 2
            self.mux.unblock()
            order += [one.id for one in self.wire.take()]
            self.assertTrue(self.mux.blocked)
        self.assertEqual(order, [2, 4, 6, 2, 4, 6])

    def test_no_window(self) -> None:
        """A stream that waits for its window does not hold up the others."""
        first, second = self.bulk(WINDOW + 5, 70_000)
        self.mux.unblock()
        self.assertEqual((first.left, second.left), (5, 0))
        self.assertEqual(list(self.mux.waiting), [first])
        self.mux.unblock()

    def test_failure(self) -> None:
        """A stream that fails in its turn is dropped."""
        first, second = self.bulk(5, 5)
        first.drain = lambda limit: 1 // 0  # type: ignore[method-assign, assignment, return-value]
        self.mux.unblock()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((first.gone, second.left, self.mux.waiting), (True, 0, {}))

    def test_double_failure(self) -> None:
        """One that cannot even be dropped harms no other."""
        first, second = self.bulk(5, 5)
        first.drain = lambda limit: 1 // 0  # type: ignore[method-assign, assignment, return-value]
        first.failed = lambda: [].pop()  # type: ignore[method-assign]
        self.mux.unblock()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(self.flushLoggedErrors(IndexError)), 1)
        self.assertEqual(second.left, 0)

    @given(st.lists(st.integers(1, 400_000), min_size=1, max_size=6), st.lists(st.integers(1, 300_000), max_size=30))
    def test_fair(self, sizes: list[int], rooms: list[int]) -> None:
        """While several streams have something to send, none gets more than a frame ahead of another."""
        self.build()
        streams = self.bulk(*sizes)
        sent = dict.fromkeys((stream.id for stream in streams), 0)
        for room in rooms:
            self.wire.room = room
            self.mux.unblock()
            for one in self.wire.take():
                sent[one.id] += len(one.body)
            eager = [sent[stream.id] for stream in streams if stream.left and stream.send_window]
            self.assertLessEqual(max(eager, default=0) - min(eager, default=0), MAX_BODY)


class TwoEndsTests(MuxTestCase):
    """A mux against an agent that honours the protocol."""

    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 2), st.integers(1, 90_000)), max_size=40))
    def test_bytes_arrive(self, steps: list[Any]) -> None:
        """Whatever the order of writes and reads, all bytes arrive in order in both directions, within the windows."""
        self.build()
        streams = [self.open() for _ in range(3)]
        ours = {stream.id: b"" for stream in streams}
        theirs, got = dict(ours), dict(ours)
        allowed = dict.fromkeys(ours, WINDOW)
        for outwards, which, size in steps:
            stream = streams[which]
            body = bytes([size % 251]) * size
            if outwards:
                ours[stream.id] += body
                stream.send((body,))
            elif size <= allowed[stream.id]:
                theirs[stream.id] += body
                allowed[stream.id] -= size
                self.say(data(stream.id, body))
            for sent in self.wire.take():
                if sent.kind == WNDINC:
                    self.assertGreaterEqual(sent.value, CREDIT)
                    allowed[sent.id] += sent.value
                else:
                    got[sent.id] += sent.body
                    if len(got[sent.id]) % 3:
                        self.say(wndinc(sent.id, len(sent.body) or 1))
            self.assertTrue(all(left > 0 for left in allowed.values()))
        for stream in streams:
            self.say(wndinc(stream.id, 10_000_000))
        for sent in self.wire.take(DATA):
            got[sent.id] += sent.body
        self.assertEqual(got, ours)
        self.assertEqual({stream.id: b"".join(stream.events) for stream in streams}, theirs)


class OutputTests(MuxTestCase):
    """What the connection is told."""

    def test_over(self) -> None:
        """It hears once of each stream that is over: there is room for another."""
        stream = self.open()
        stream.send((b"x",))
        self.say(data(3, b"", SYN), rst(3), rst(3))
        stream.reset(6)
        self.assertEqual(self.wire.events, ["room", "room"])

    def test_interface(self) -> None:
        """The limits are the connection's."""
        limits = AgentLimits(max_streams=7)
        self.assertEqual(Mux(Wire(), self.accept, limits).room, 7)
