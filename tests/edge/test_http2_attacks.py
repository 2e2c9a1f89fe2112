"""
Attacks on HTTP/2 that have names, and a few that have none: each connection that tries one is ended with the right code, before
it has cost much, and costs little memory until then. Others are not touched.
"""

from __future__ import annotations

import tracemalloc
from typing import Any, Callable

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import NOT_DONE_YET

from ngrok_twisted.edge.http2_patience import MOST, PER_SECOND, RESET
from ngrok_twisted.edge.http2_sending import QUEUE_BYTES
from ngrok_twisted.edge.site import HTTPLimits
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.wrapper import ResponseHead
from tests.edge.http2_visitor import GET, POST, Bare, get
from tests.edge.wire import Render

MEGABYTE = 1024 * 1024

#: How many resets a connection may cause at once.
MOST_RESETS = int(MOST) // RESET


def waiting(request: Any) -> int:
    return NOT_DONE_YET


class AttackCase(SynchronousTestCase):
    """A visitor that means no good."""

    def visitor(self, render: Any = waiting, **options: Any) -> Bare:
        return Bare(Render(render), **options)

    def attack(self, visitor: Bare, send: Callable[[int], None], most: int) -> int:
        """
        Do something again and again, until the connection is ended for it.

        :return: how often it could be done.
        """
        for count in range(most):
            send(count)
            if visitor.wire.ended:
                self.assertEqual(visitor.goaway(), h2.ENHANCE_YOUR_CALM)
                self.assertEqual(visitor.connection.streams, {})
                return count
            visitor.wire.clear()
        self.fail(f"it could be done {most} times")


class ResetTests(AttackCase):
    """Work that is begun and thrown away."""

    def test_rapid_reset(self) -> None:
        """Requests that are cancelled as soon as they are sent (CVE-2023-44487)."""
        visitor = self.visitor()
        stream = iter(range(1, 10**6, 2))

        def send(count: int) -> None:
            number = next(stream)
            visitor.send(visitor.headers(number, GET), h2.reset(number, h2.CANCEL))

        count = self.attack(visitor, send, 2 * MOST_RESETS)
        self.assertLessEqual(count, MOST_RESETS)
        self.assertTrue(all(request.gone for request in visitor.site.requests))
        self.assertEqual(len(visitor.flows), len(visitor.site.requests))

    def test_rapid_reset_in_one_read(self) -> None:
        """All in one go they come no further."""
        visitor = self.visitor()
        pairs = [visitor.headers(n, GET) + h2.reset(n, h2.CANCEL) for n in range(1, 20_001, 2)]
        visitor.send(*pairs)
        self.assertLessEqual(len(visitor.site.requests), MOST_RESETS + 1)
        self.assertEqual(visitor.goaway(), h2.ENHANCE_YOUR_CALM)

    def test_honest_cancellations(self) -> None:
        """A visitor may cancel as many requests as it lets be answered, for as long as it likes."""
        visitor = self.visitor()
        for number in range(1, 20_001, 4):
            visitor.send(visitor.headers(number, GET), visitor.headers(number + 2, GET))
            visitor.request.respond(ResponseHead(204, b"", [], None), last=True)
            visitor.send(h2.reset(number, h2.CANCEL))
            visitor.wire.clear()
        self.assertFalse(visitor.wire.ended)

    def test_slow_cancellations(self) -> None:
        """So it may cancel ten a second, and no more."""
        for each_second, allowed in ((int(PER_SECOND) // RESET, True), (2 * int(PER_SECOND) // RESET, False)):
            visitor = self.visitor()
            stream = iter(range(1, 10**6, 2))
            for _ in range(60):
                for _ in range(each_second):
                    number = next(stream)
                    visitor.send(visitor.headers(number, GET), h2.reset(number, h2.CANCEL))
                visitor.clock.advance(1)
            self.assertEqual(not visitor.wire.ended, allowed)

    def test_made_you_reset(self) -> None:
        """Requests that the server has to cancel, since something is wrong with them (CVE-2025-8671)."""
        wrong: dict[str, Callable[[Bare, int], bytes]] = {
            "a window beyond all": lambda v, n: v.headers(n, GET) + h2.window_update(n, h2.MAX_WINDOW),
            "data behind the end": lambda v, n: v.headers(n, GET) + v.data(n, b"x"),
            "a head behind the end": lambda v, n: v.headers(n, GET) + v.headers(n, GET),
            "a length that lies": lambda v, n: v.headers(n, [*POST, (b"content-length", b"1")], False)
            + v.data(n, b"xx"),
            "a malformed head": lambda v, n: v.headers(n, [*GET, (b"X", b"y")]),
            "a head of nothing": lambda v, n: v.block(n, b""),
            "trailers that cannot be": lambda v, n: v.headers(n, POST, False) + v.headers(n, [(b":path", b"/")]),
        }
        for what, frames in wrong.items():
            visitor = self.visitor()
            stream = iter(range(1, 10**6, 2))
            for _ in range(3 * MOST_RESETS):
                visitor.send(frames(visitor, next(stream)))
                if visitor.wire.ended:
                    break
                visitor.wire.clear()
            self.assertTrue(visitor.wire.ended, what)
            self.assertLessEqual(len(visitor.site.requests), MOST_RESETS + 1, what)
            self.assertIn(visitor.goaway(), (h2.ENHANCE_YOUR_CALM, h2.STREAM_CLOSED), what)

    def test_over_the_limit(self) -> None:
        """Requests beyond those that may be open at once, again and again."""
        visitor = self.visitor(limits=HTTPLimits(streams=10))
        for number in range(1, 21, 2):
            visitor.send(visitor.headers(number, GET))
        stream = iter(range(21, 10**6, 2))
        count = self.attack(visitor, lambda _: visitor.send(visitor.headers(next(stream), GET)), 2 * MOST_RESETS)
        self.assertLessEqual(count, MOST_RESETS)

    def test_far_over_the_limit(self) -> None:
        """A visitor that has not read how many may be open, and sends twice as many, loses no more than those."""
        visitor = self.visitor()
        visitor.send(*[visitor.headers(number, GET) for number in range(1, 401, 2)])
        self.assertEqual(visitor.resets(), {number: h2.REFUSED_STREAM for number in range(201, 401, 2)})
        self.assertEqual(len(visitor.connection.streams), 100)

    def test_late_heads(self) -> None:
        """Heads on a stream that is over, whichever side has reset it: each would have to be read, and answered."""
        for frames in (
            lambda v: v.headers(1, GET) + h2.reset(1, h2.CANCEL),
            lambda v: v.headers(1, [*POST, (b"X", b"y")], False),
        ):
            visitor = self.visitor()
            visitor.send(frames(visitor))
            frame = visitor.headers(1, GET)
            count = self.attack(visitor, lambda _: visitor.send(frame), 2 * int(MOST))
            self.assertGreater(count, 100)

    def test_heads_behind_the_last(self) -> None:
        """Heads that come after the visitor was told that they come too late."""
        visitor = self.visitor()
        visitor.send(visitor.headers(1, GET))
        visitor.connection.shut_down()
        visitor.clock.advance(10)
        stream = iter(range(3, 10**6, 2))
        count = self.attack(visitor, lambda _: visitor.send(visitor.headers(next(stream), GET)), 2 * int(MOST))
        self.assertGreater(count, 100)

    def test_late_data(self) -> None:
        """Data for streams that are over: a moment's worth is everybody's right, a flood is not."""
        visitor = self.visitor()
        visitor.send(visitor.headers(1, POST, end=False), h2.reset(1, h2.CANCEL))
        frame = visitor.data(1, b"x")
        count = self.attack(visitor, lambda _: visitor.send(frame), 2 * int(MOST))
        self.assertGreater(count, 100)


class FloodTests(AttackCase):
    """Frames that are cheap to send and do nothing."""

    def flood(self, *frames: bytes, before: bytes = b"", most: int = 2 * int(MOST)) -> Bare:
        visitor = self.visitor()
        visitor.send(before)
        visitor.wire.clear()
        count = self.attack(visitor, lambda _: visitor.send(*frames), most)
        self.assertLessEqual(count, MOST)
        return visitor

    def test_pings(self) -> None:
        """Pings (CVE-2019-9512)."""
        self.flood(h2.ping(b"12345678"))

    def test_answers_to_no_ping(self) -> None:
        """Answers that nobody asked for."""
        self.flood(h2.ping(b"12345678", ack=True))

    def test_settings(self) -> None:
        """Settings (CVE-2019-9515), empty or long."""
        self.flood(h2.settings_frame({}))
        self.flood(h2.settings_frame({number: 0 for number in range(100, 2000)}))
        self.flood(h2.SETTINGS_ACK)

    def test_priorities(self) -> None:
        """Priorities (CVE-2019-9513)."""
        self.flood(h2.frame_head(h2.PRIORITY, 0, 3, 5) + bytes(5))

    def test_unknown(self) -> None:
        """Frames that nobody knows."""
        self.flood(h2.frame_head(0x77, 0, 0, 0))

    def test_windows(self) -> None:
        """Windows that open by a byte."""
        self.flood(h2.window_update(0, 1))

    def test_resets_of_nothing(self) -> None:
        """Resets of a stream that is over."""
        visitor = self.visitor()
        before = visitor.headers(1, GET) + h2.reset(1, h2.CANCEL)
        self.flood(h2.reset(1, h2.CANCEL), before=before)

    def test_empty_data(self) -> None:
        """Data without data (CVE-2019-9518), padded or not."""
        visitor = self.visitor()
        before = visitor.headers(1, POST, end=False)
        self.flood(visitor.data(1, b""), before=before)
        self.flood(h2.frame_head(h2.DATA, h2.PADDED, 1, 1) + b"\0", before=before)

    def test_dribble(self) -> None:
        """A body that is taken a byte at a time (CVE-2019-9511) is not worth a frame each for long."""
        visitor = self.visitor(hello=h2.PREFACE + h2.settings_frame({h2.INITIAL_WINDOW_SIZE: 0}) + h2.SETTINGS_ACK)
        visitor.send(visitor.headers(1, GET))
        visitor.request.respond(ResponseHead(200, b"", [], None), [bytes(60_000)], last=True)
        count = self.attack(visitor, lambda _: visitor.send(h2.window_update(1, 1)), 2 * int(MOST))
        self.assertLessEqual(count, MOST + 100)

    def test_unread_answers(self) -> None:
        """Answers that the visitor does not read are no way to fill the memory."""
        visitor = self.visitor()
        visitor.connection.pauseProducing()
        visitor.wire.clear()
        for _ in range(int(MOST) - 10):
            visitor.send(h2.ping(b"12345678"))
        self.assertFalse(visitor.wire.ended)
        self.assertLess(len(visitor.wire.value()), 20 * MOST)
        for _ in range(20):
            visitor.send(h2.ping(b"12345678"))
        self.assertTrue(visitor.wire.ended)

    def test_unread_heads(self) -> None:
        """Nor are requests whose answers are only heads: the visitor is not listened to until it reads, or is dropped."""

        def render(request: Any) -> int:
            request.respond(ResponseHead(204, b"", [(b"x-large", b"v" * 500)], None), last=True)
            return NOT_DONE_YET

        visitor = self.visitor(render)
        visitor.connection.pauseProducing()
        visitor.wire.clear()
        number = 1
        while not visitor.wire.paused:
            visitor.send(visitor.headers(number, GET))
            number += 2
        self.assertLess(len(visitor.wire.value()), 70_000)
        visitor.connection.resumeProducing()
        self.assertFalse(visitor.wire.paused)
        visitor.connection.pauseProducing()
        while not visitor.wire.paused:
            visitor.send(visitor.headers(number, GET))
            number += 2
        visitor.clock.pump([1] * 305)
        self.assertTrue(visitor.wire.aborted)

    def test_steady_pings(self) -> None:
        """Who pings a hundred times a second may go on for ever."""
        visitor = self.visitor()
        visitor.send(visitor.headers(1, GET))
        for _ in range(60):
            visitor.send(*[h2.ping(b"12345678")] * int(PER_SECOND))
            visitor.clock.advance(1)
        self.assertFalse(visitor.wire.ended)

    def test_busy_uploads(self) -> None:
        """Nor does an honest upload, or a download with its windows, ever run out."""
        visitor = self.visitor()
        visitor.send(visitor.headers(1, POST, end=False))
        visitor.request.respond(ResponseHead(200, b"", [], None))
        receiver = _Sink()
        visitor.request.deliver_body(receiver)
        for _ in range(3 * int(MOST)):
            visitor.send(visitor.data(1, bytes(2000)))
            visitor.request.write(bytes(4000))
            visitor.send(h2.window_update(0, 4000), h2.window_update(1, 4000))
            visitor.wire.clear()
        self.assertFalse(visitor.wire.ended)


class HeadTests(AttackCase):
    """Heads that are made to hurt."""

    def test_continuations(self) -> None:
        """A header block without an end, in frames with something in them or with nothing."""
        for payload in (bytes(10_000), b""):
            visitor = self.visitor(limits=HTTPLimits(head_bytes=100_000))
            visitor.send(h2.frame_head(h2.HEADERS, 0, 1, 1) + b"\x82")
            frame = h2.frame_head(h2.CONTINUATION, 0, 1, len(payload)) + payload
            for _ in range(100):
                visitor.send(frame)
                if visitor.wire.ended:
                    break
            self.assertIn(visitor.goaway(), (h2.ENHANCE_YOUR_CALM, h2.PROTOCOL_ERROR))

    def test_memory_of_a_block(self) -> None:
        """A block that stays open takes the memory of a head, not more."""
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        visitor = self.visitor()
        before = tracemalloc.get_traced_memory()[0]
        visitor.send(h2.frame_head(h2.HEADERS, 0, 1, 1) + b"\x82")
        for _ in range(62):
            visitor.send(h2.frame_head(h2.CONTINUATION, 0, 1, h2.FRAME) + bytes(h2.FRAME))
        self.assertLess(tracemalloc.get_traced_memory()[0] - before, 2 * MEGABYTE)

    def test_bomb(self) -> None:
        """A few bytes that stand for megabytes end the connection, and are never spelled out."""
        visitor = self.visitor()
        value = b"x" * 4000
        visitor.send(visitor.headers(1, get("/", (b"x-bomb", value))))
        reference = visitor.encoder.encode([(b"x-bomb", value)])
        visitor.wire.clear()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before = tracemalloc.get_traced_memory()[0]
        visitor.send(visitor.block(3, reference * 16_000))
        self.assertLess(tracemalloc.get_traced_memory()[1] - before, MEGABYTE)
        self.assertEqual(visitor.goaway(), h2.ENHANCE_YOUR_CALM)

    def test_bombs_within_the_limit(self) -> None:
        """Heads of a megabyte, in a few bytes each, would cost whoever gets them a thousand times as much as the visitor."""
        visitor = self.visitor()
        field = (b"x-bomb", b"x" * 3000)
        visitor.send(visitor.headers(1, get("/", field)))
        reference = visitor.encoder.encode([field])
        self.assertEqual(len(reference), 1)
        stream = iter(range(3, 10**6, 2))
        send = lambda _: visitor.send(visitor.block(next(stream), visitor.encoder.encode(GET) + reference * 250))
        self.assertLessEqual(self.attack(visitor, send, 100), 2)

    def test_honest_tables(self) -> None:
        """A browser's cookies, in one byte each time, are what the table is for."""
        visitor = self.visitor(lambda request: b"")
        fields = [*GET, *[(b"cookie", b"%d=" % number + b"x" * 1000) for number in range(3)]]
        for number in range(1, 2001, 2):
            visitor.send(visitor.headers(number, fields))
            visitor.wire.clear()
        self.assertFalse(visitor.wire.ended)

    def test_unreadable(self) -> None:
        """A block that cannot be read ends the connection, since the next one could not be read either."""
        for block in (b"\x80", b"\xff\xff\xff\xff\xff\xff", b"\x40\x7f\x7fx"):
            visitor = self.visitor()
            visitor.send(visitor.block(1, block))
            self.assertEqual(visitor.goaway(), h2.COMPRESSION_ERROR)

    def test_long_frame(self) -> None:
        """A frame of megabytes is refused before it has come."""
        visitor = self.visitor()
        visitor.send(h2.frame_head(h2.DATA, 0, 1, 2**24 - 1))
        self.assertEqual(visitor.goaway(), h2.FRAME_SIZE_ERROR)

    def test_interleaved(self) -> None:
        """Nothing may come between the frames of a header block."""
        visitor = self.visitor()
        visitor.send(h2.frame_head(h2.HEADERS, 0, 1, 1) + b"\x82", h2.ping(b"12345678"))
        self.assertEqual(visitor.goaway(), h2.PROTOCOL_ERROR)


class WindowTests(AttackCase):
    """Visitors that take nothing."""

    def test_many_that_take_nothing(self) -> None:
        """As many requests as may be, for something long, with every window shut: memory is bounded, and all time out."""
        visitor = self.visitor(hello=h2.PREFACE + h2.settings_frame({h2.INITIAL_WINDOW_SIZE: 0}) + h2.SETTINGS_ACK)
        sources = []
        for number in range(1, 201, 2):
            visitor.send(visitor.headers(number, GET))
            sources.append(_Endless(visitor.request))
        streams = list(visitor.connection.streams.values())
        self.assertEqual(len(streams), 100)
        self.assertLessEqual(sum(stream._queued for stream in streams), 100 * (QUEUE_BYTES + _Endless.PIECE))
        visitor.wire.clear()
        for _ in range(306):
            visitor.send(h2.ping(b"12345678"))
            visitor.clock.advance(1)
        resets = visitor.resets()
        self.assertEqual((len(resets), set(resets.values())), (100, {h2.CANCEL}))
        self.assertTrue(all(source.stopped for source in sources))

    def test_shrinking(self) -> None:
        """Windows that shrink below nothing under way, and open too far."""
        visitor = self.visitor()
        visitor.send(visitor.headers(1, GET))
        visitor.request.respond(ResponseHead(200, b"", [], None), [bytes(65_535 + 10)])
        visitor.send(h2.settings_frame({h2.INITIAL_WINDOW_SIZE: 0}), h2.window_update(0, 1000))
        visitor.wire.clear()
        visitor.send(h2.window_update(1, 65_530))
        self.assertNotIn(h2.DATA, visitor.kinds())
        visitor.send(h2.settings_frame({h2.INITIAL_WINDOW_SIZE: h2.MAX_WINDOW}))
        self.assertIn(h2.DATA, visitor.kinds())
        visitor.send(h2.window_update(1, h2.MAX_WINDOW))
        self.assertEqual(visitor.resets(), {1: h2.FLOW_CONTROL_ERROR})
        self.assertTrue(visitor.request.gone)
        visitor.send(h2.window_update(0, h2.MAX_WINDOW))
        self.assertEqual(visitor.goaway(), h2.FLOW_CONTROL_ERROR)

    def test_bad_settings(self) -> None:
        """Settings that cannot be end the connection."""
        for name, value, code in (
            (h2.INITIAL_WINDOW_SIZE, 2**31, h2.FLOW_CONTROL_ERROR),
            (h2.MAX_FRAME_SIZE, 16383, h2.PROTOCOL_ERROR),
            (h2.MAX_FRAME_SIZE, 2**24, h2.PROTOCOL_ERROR),
            (h2.ENABLE_PUSH, 2, h2.PROTOCOL_ERROR),
        ):
            visitor = self.visitor()
            visitor.send(h2.settings_frame({name: value}))
            self.assertEqual(visitor.goaway(), code, name)

    def test_table_size(self) -> None:
        """A visitor without a table, or with a huge one, gets what it can read."""
        for size in (0, 4096, 2**32 - 1):
            visitor = self.visitor(lambda request: b"ok")
            visitor.send(h2.settings_frame({h2.HEADER_TABLE_SIZE: size}), visitor.headers(1, GET))
            self.assertIn(h2.DATA, visitor.kinds())

    def test_others_go_on(self) -> None:
        """Whatever one connection does, another's requests are answered."""
        good, bad = self.visitor(lambda request: b"ok"), self.visitor()
        for number in range(1, 401, 2):
            bad.send(bad.headers(number, GET), h2.reset(number, h2.CANCEL))
            good.send(good.headers(number, GET))
        self.assertTrue(bad.wire.ended)
        self.assertEqual([flow.status for flow in good.flows], [200] * 200)


class _Sink:
    def bodyReceived(self, data: Any) -> None:
        pass

    def bodyFinished(self, trailers: Any) -> None:
        pass

    def bodyFailed(self, reason: Any) -> None:
        pass


class _Endless:
    """A service that sends for as long as it may."""

    PIECE = 10_000

    def __init__(self, request: Any) -> None:
        self.paused = self.stopped = False
        request.registerProducer(self, True)
        request.respond(ResponseHead(200, b"", [], None))
        while not self.paused:
            request.write(bytes(self.PIECE))

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def stopProducing(self) -> None:
        self.stopped = True
