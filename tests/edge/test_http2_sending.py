"""
Tests for ``ngrok_twisted.edge.http2_sending`` and ``ngrok_twisted.edge.http2_output``: windows, turns and back-pressure.
"""

from __future__ import annotations

import tracemalloc
from typing import Any

from h2.settings import SettingCodes
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import NOT_DONE_YET

from ngrok_twisted.edge.http2_engine import DATA_BYTES
from ngrok_twisted.edge.http2_output import TURN_BYTES
from ngrok_twisted.edge.http2_sending import LOW_BYTES, QUEUE_BYTES
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.response import parse_response
from ngrok_twisted.wrapper import ResponseHead
from tests.edge.http2_visitor import GET, Bare, Visitor
from tests.edge.wire import Render

KILOBYTE = 1024

#: What a visitor says who lets anything be sent to it.
WIDE = h2.settings_frame({h2.INITIAL_WINDOW_SIZE: h2.MAX_WINDOW}) + h2.window_update(0, h2.MAX_WINDOW - 65535)


def waiting(request: Any) -> int:
    return NOT_DONE_YET


def head(length: int | None = None) -> ResponseHead:
    return ResponseHead(200, b"OK", [], length)


class Source:
    """A producer that remembers what it was told."""

    def __init__(self, request: Any) -> None:
        self.paused = False
        self.stopped = False
        request.registerProducer(self, True)

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def stopProducing(self) -> None:
        self.stopped = True


class WindowTests(SynchronousTestCase):
    """Nothing is sent that the visitor does not want yet."""

    def start(self, window: int = 10) -> Any:
        self.visitor = Visitor(Render(waiting), window=window)
        self.visitor.acknowledges = False
        answer = self.visitor.ask(GET)
        self.visitor.request.respond(head())
        return answer

    def open(self, size: int, stream: int | None = 1) -> None:
        self.visitor.client.increment_flow_control_window(size, stream)
        self.visitor.run()

    def test_window(self) -> None:
        """A body goes out as far as the stream's window reaches, and on as it opens."""
        answer = self.start(10)
        self.visitor.request.write(b"x" * 25)
        self.visitor.run()
        self.assertEqual(len(answer.body), 10)
        self.open(5)
        self.assertEqual(len(answer.body), 15)
        self.open(100)
        self.assertEqual(len(answer.body), 25)
        self.visitor.request.write(b"y" * 10)
        self.visitor.run()
        self.assertEqual(answer.body, b"x" * 25 + b"y" * 10)

    def test_one_byte(self) -> None:
        """A window of one byte lets one byte through."""
        answer = self.start(1)
        self.visitor.request.write(b"abc")
        self.visitor.request.finish()
        self.visitor.run()
        self.assertEqual(answer.body, b"a")
        self.open(1)
        self.assertEqual((answer.body, answer.ended), (b"ab", False))
        self.open(1)
        self.assertEqual(answer.body, b"abc")
        self.assertTrue(answer.ended)

    def test_no_window(self) -> None:
        """Heads and ends need no window."""
        answer = self.start(0)
        self.visitor.run()
        self.assertEqual(answer.status, 200)
        self.visitor.request.finish()
        self.visitor.run()
        self.assertTrue(answer.ended)

    def test_trailers_wait(self) -> None:
        """Trailers come behind the body, however long that waits."""
        answer = self.start(3)
        self.visitor.request.write(b"abcdef")
        self.visitor.request.finish([(b"x-sum", b"1")])
        self.visitor.run()
        self.assertEqual((answer.body, len(answer.heads)), (b"abc", 1))
        self.open(10)
        self.assertEqual((answer.body, answer.heads[1:], answer.ended), (b"abcdef", [{b"x-sum": b"1"}], True))

    def test_connection_window(self) -> None:
        """The connection's window is shared, and kept too."""
        visitor = Visitor(Render(waiting))
        visitor.acknowledges = False
        answers = [visitor.ask(GET) for _ in range(4)]
        for request in visitor.site.requests:
            request.respond(head(), [bytes(60 * KILOBYTE)], last=True)
        visitor.run()
        self.assertEqual(sum(len(answer.body) for answer in answers), h2.DEFAULT_WINDOW)
        visitor.client.increment_flow_control_window(10_000)
        visitor.run()
        self.assertEqual(sum(len(answer.body) for answer in answers), h2.DEFAULT_WINDOW + 10_000)
        for answer in answers:
            self.assertFalse(answer.ended and len(answer.body) != 60 * KILOBYTE)

    def test_settings_open_windows(self) -> None:
        """A larger initial window opens every stream; a smaller one may close some below nothing (section 6.9.2)."""
        answer = self.start(10)
        self.visitor.request.write(b"x" * 50)
        self.visitor.run()
        self.visitor.client.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 30})
        self.visitor.run()
        self.assertEqual(len(answer.body), 30)
        self.visitor.client.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
        self.visitor.run()
        self.open(25)
        self.assertEqual(len(answer.body), 30)
        self.open(7)
        self.assertEqual(len(answer.body), 32)

    def test_frame_size(self) -> None:
        """No frame is larger than everybody takes, and each fills a TLS record."""
        visitor = Bare(Render(waiting), hello=h2.PREFACE + WIDE)
        visitor.send(visitor.headers(1, GET))
        visitor.request.respond(head(), [bytes(100_000)], last=True)
        sizes = [len(payload) for kind, _, _, payload in visitor.frames() if kind == h2.DATA]
        self.assertEqual(sum(sizes), 100_000)
        self.assertEqual(set(sizes[:-1]), {DATA_BYTES})
        self.assertEqual(DATA_BYTES + h2.FRAME_HEAD, 16 * KILOBYTE)

    def test_buffers(self) -> None:
        """Buffers of any kind and number are sent in order, and may be used again at once."""
        answer = self.start(50_000)
        reused = bytearray(b"abc")
        for _ in range(2):
            self.visitor.request.write_batch([memoryview(reused), b"-", reused])
            reused[:] = b"XYZ"
        self.visitor.request.write_batch([bytes(30_000), memoryview(bytes(10_000))])
        self.visitor.request.write_batch([memoryview(reused)] * 5000)
        reused[:] = b"..."
        self.visitor.run()
        self.open(100_000)
        self.assertEqual(answer.body, b"abc-abcXYZ-XYZ" + bytes(40_000) + b"XYZ" * 5000)


class WriteTests(SynchronousTestCase):
    """What leaves together."""

    def start(self, *numbers: int) -> Bare:
        visitor = Bare(Render(waiting), hello=h2.PREFACE + WIDE + h2.SETTINGS_ACK)
        visitor.send(*[visitor.headers(number, GET) for number in numbers])
        visitor.frames()
        visitor.wire.writes.clear()
        return visitor

    def said(self, length: int) -> Any:
        """The head of a service that tells the length of its body."""
        return parse_response(b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: %d\r\n\r\n" % length, b"GET")

    def flags(self, visitor: Bare) -> list[tuple[int, int]]:
        return [(kind, flags & h2.END_STREAM) for kind, flags, _, _ in visitor.frames()]

    def test_pieces(self) -> None:
        """The head leaves with what is there of the body, and the end with the last of it."""
        visitor = self.start(1)
        visitor.request.respond(self.said(30), [b"x" * 10])
        visitor.request.write(b"y" * 10)
        visitor.request.write(b"z" * 10)
        visitor.request.finish()
        self.assertEqual(len(visitor.wire.writes), 3)
        self.assertEqual(self.flags(visitor), [(h2.HEADERS, 0), (h2.DATA, 0), (h2.DATA, 0), (h2.DATA, 1)])
        self.assertEqual((visitor.connection.streams, len(visitor.flows)), ({}, 1))

    def test_same_head(self) -> None:
        """The head of a response that a service has sent before is the same for the next visitor, whoever has it."""
        for _ in range(2):
            visitor = Visitor(Render(waiting))
            answers = [visitor.ask(GET) for _ in range(2)]
            for request in visitor.site.requests:
                request.respond(self.said(2), [b"ok"], last=True)
            visitor.run()
            for answer in answers:
                self.assertEqual(answer.heads, [{b":status": b"200", b"x": b"y", b"content-length": b"2"}])
                self.assertTrue(answer.ended)

    def test_as_told(self) -> None:
        """A whole response that is as its service told it before is sent so, to whomever, and in the window's time."""
        for window, sent in ((2, b"ok"), (1, b"o")):
            visitor = Visitor(Render(waiting), window=window)
            visitor.acknowledges = False
            answers = [visitor.ask(GET) for _ in range(2)]
            for request in visitor.site.requests:
                request.respond_as_told(self.said(2).said, b"ok")
            visitor.run()
            for answer in answers:
                self.assertEqual(answer.heads, [{b":status": b"200", b"x": b"y", b"content-length": b"2"}])
                self.assertEqual((answer.body, answer.ended), (sent, sent == b"ok"))
            self.assertEqual([flow.bytes_out for flow in visitor.flows], [2, 2])

    def test_nothing_as_told(self) -> None:
        """A response of no bytes ends with its head."""
        visitor = self.start(1)
        visitor.request.respond_as_told(self.said(0).said, b"")
        self.assertEqual(self.flags(visitor), [(h2.HEADERS, 1)])

    def test_to_head(self) -> None:
        """Nothing follows the head of a response to HEAD."""
        visitor = self.start()
        visitor.send(visitor.headers(1, [(b":method", b"HEAD"), *GET[1:]]))
        visitor.request.respond(parse_response(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"HEAD"), last=True)
        self.assertEqual(self.flags(visitor), [(h2.HEADERS, 1)])

    def test_changed(self) -> None:
        """A head that a module has changed is sent as it is now."""
        visitor = Visitor(Render(waiting))
        for value in (b"1", b"2"):
            answer = visitor.ask(GET)
            head = self.said(2)
            head.headers.append((b"x-more", value))
            visitor.request.respond(head, [b"ok"], last=True)
            visitor.run()
            self.assertEqual(answer.heads[0][b"x-more"], value)

    def test_trailers_behind_a_length(self) -> None:
        """Where trailers may still follow, the end waits for them."""
        visitor = self.start(1)
        visitor.request.respond(head(10), [b"x" * 5])
        visitor.request.write(b"y" * 5)
        self.assertEqual(self.flags(visitor), [(h2.HEADERS, 0), (h2.DATA, 0), (h2.DATA, 0)])
        visitor.request.finish([(b"x-sum", b"1")])
        self.assertEqual(self.flags(visitor), [(h2.HEADERS, 1)])

    def test_one_turn(self) -> None:
        """Answers that come in one turn of the reactor leave in one write."""
        visitor = self.start(1, 3, 5)
        for request in visitor.site.requests[:2]:
            request.respond(self.said(2), [b"ok"], last=True)
        self.assertEqual(visitor.wire.writes, [])
        visitor.clock.advance(0)
        self.assertEqual(len(visitor.wire.writes), 1)
        visitor.site.requests[2].respond(self.said(2), [b"ok"], last=True)
        self.assertEqual(len(visitor.wire.writes), 2)

    def test_answered_at_once(self) -> None:
        """So do those that are given while requests are read."""
        visitor = Bare(Render(lambda request: b"ok"))
        visitor.wire.writes.clear()
        visitor.send(*[visitor.headers(number, GET) for number in (1, 3, 5)])
        self.assertEqual(len(visitor.wire.writes), 1)
        self.assertEqual(len(visitor.flows), 3)

    def test_goodbye(self) -> None:
        """What waits for the end of the turn leaves before the connection ends."""
        for end in (lambda visitor: visitor.send(b"\xff" * 9), lambda visitor: visitor.connection.readConnectionLost()):
            visitor = self.start(1, 3, 5)
            for request in visitor.site.requests:
                request.respond(self.said(2), [b"ok"], last=True)
            end(visitor)
            self.assertTrue(visitor.wire.ended)
            self.assertEqual([kind for kind, _ in self.flags(visitor)][:6], [h2.HEADERS, h2.DATA] * 3)


class TurnTests(SynchronousTestCase):
    """Nobody gets more than its share."""

    def test_equal_shares(self) -> None:
        """Streams that have much to send take turns, a frame each."""
        visitor = Bare(Render(waiting), hello=h2.PREFACE + h2.settings_frame({h2.INITIAL_WINDOW_SIZE: h2.MAX_WINDOW}))
        for stream in range(1, 21, 2):
            visitor.send(visitor.headers(stream, GET))
        visitor.connection.output.full = True
        for request in visitor.site.requests:
            request.respond(head(), [bytes(60 * KILOBYTE)])
        visitor.connection.resumeProducing()
        visitor.frames()
        visitor.send(h2.window_update(0, 20 * DATA_BYTES))
        counts: dict[int, int] = {}
        for _, _, stream, payload in visitor.frames():
            counts[stream] = counts.get(stream, 0) + len(payload)
        self.assertEqual(set(counts.values()), {2 * DATA_BYTES})

    def test_slow_stream(self) -> None:
        """A stream without a window does not hold up the others."""
        visitor = Visitor(Render(waiting), window=0)
        slow, fast = visitor.ask(GET), visitor.ask(GET)
        for request in visitor.site.requests:
            request.respond(head(), [bytes(10_000)], last=True)
        visitor.client.increment_flow_control_window(10_000, 3)
        visitor.run()
        self.assertEqual((len(slow.body), len(fast.body), fast.ended), (0, 10_000, True))

    def test_long_turn(self) -> None:
        """What goes out in one go is bounded, so that other connections are looked after; the rest follows by itself."""
        visitor = Bare(Render(waiting), hello=h2.PREFACE + WIDE)
        visitor.connection.output.full = True
        for stream in range(1, 99, 2):
            visitor.send(visitor.headers(stream, GET))
            visitor.request.respond(head(), [bytes(60 * KILOBYTE)], last=True)
        visitor.frames()
        visitor.connection.resumeProducing()
        first = sum(len(payload) for kind, _, _, payload in visitor.frames() if kind == h2.DATA)
        self.assertTrue(TURN_BYTES <= first < TURN_BYTES + DATA_BYTES)
        for _ in range(5):
            visitor.clock.advance(0)
        rest = sum(len(payload) for kind, _, _, payload in visitor.frames() if kind == h2.DATA)
        self.assertEqual(first + rest, 49 * 60 * KILOBYTE)

    def test_reset_in_its_turn(self) -> None:
        """A stream that is broken off in its own turn is reset behind what it has sent."""
        visitor = Bare(Render(waiting), hello=h2.PREFACE + WIDE)
        visitor.connection.output.full = True
        visitor.send(visitor.headers(1, GET))
        request = visitor.request
        request.respond(head(), [bytes(QUEUE_BYTES + 10)])

        class Breaking(Source):
            def resumeProducing(self) -> None:
                request.abort()

        Breaking(request)
        visitor.connection.resumeProducing()
        kinds = [kind for kind, _, stream, _ in visitor.frames() if stream == 1]
        self.assertEqual((kinds[0], set(kinds[1:-1]), kinds[-1]), (h2.HEADERS, {h2.DATA}, h2.RST_STREAM))

    def test_gone_in_line(self) -> None:
        """A stream that ends while it stands in line is passed over."""
        visitor = Bare(Render(waiting), hello=h2.PREFACE + WIDE)
        visitor.connection.output.full = True
        for stream in (1, 3):
            visitor.send(visitor.headers(stream, GET))
            visitor.request.respond(head(), [b"x" * 100], last=True)
        visitor.send(h2.reset(1, h2.CANCEL))
        visitor.connection.resumeProducing()
        self.assertEqual([frame[2] for frame in visitor.frames() if frame[0] == h2.DATA], [3])


class BackPressureTests(SynchronousTestCase):
    """Who sends is told to stop."""

    def start(self) -> Source:
        self.visitor = Bare(Render(waiting))
        self.visitor.send(self.visitor.headers(1, GET))
        self.visitor.request.respond(head())
        return Source(self.visitor.request)

    def test_window(self) -> None:
        """A visitor that opens no window stops its service, and only its own."""
        source = self.start()
        self.visitor.send(self.visitor.headers(3, GET))
        other = Source(self.visitor.request)
        request = self.visitor.site.requests[0]
        request.write(bytes(h2.DEFAULT_WINDOW + QUEUE_BYTES))
        self.assertFalse(source.paused)
        request.write(b"x")
        self.assertEqual((source.paused, other.paused), (True, False))
        self.visitor.send(h2.window_update(0, 10**6), h2.window_update(1, QUEUE_BYTES - LOW_BYTES))
        self.assertTrue(source.paused)
        self.visitor.send(h2.window_update(1, 1000))
        self.assertFalse(source.paused)

    def test_transport(self) -> None:
        """A visitor that reads nothing stops them all, and what was written meanwhile is bounded."""
        source = self.start()
        self.visitor.frames()
        self.visitor.connection.pauseProducing()
        request = self.visitor.request
        while not source.paused:
            request.write(bytes(10_000))
        self.assertEqual(self.visitor.frames(), [])
        stream = self.visitor.connection.streams[1]
        self.assertLessEqual(stream._queued, QUEUE_BYTES + 10_000)
        self.visitor.connection.resumeProducing()
        self.assertTrue(self.visitor.frames())

    def test_memory(self) -> None:
        """What waits is let go of with the stream."""
        source = self.start()
        stream = self.visitor.connection.streams[1]
        self.visitor.request.write(bytes(h2.DEFAULT_WINDOW + QUEUE_BYTES + 1))
        self.visitor.send(h2.reset(1, h2.CANCEL))
        self.assertEqual((source.stopped, stream._queued, stream._queue), (True, 0, None))

    def test_crumbs(self) -> None:
        """What waits takes little more memory than it has bytes, however small the pieces are that it comes in."""
        visitor = Bare(Render(waiting), hello=h2.PREFACE + h2.settings_frame({h2.INITIAL_WINDOW_SIZE: 0}))
        visitor.send(visitor.headers(1, GET))
        visitor.request.respond(head())
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before = tracemalloc.get_traced_memory()[0]
        for number in range(30_000):
            visitor.request.write_batch([b"%02d" % (number % 100)])
        self.assertLess(tracemalloc.get_traced_memory()[0] - before, 3 * 60_000)
        visitor.frames()
        visitor.send(h2.window_update(1, 60_000))
        sent = b"".join(payload for kind, _, _, payload in visitor.frames() if kind == h2.DATA)
        self.assertEqual(sent, b"".join(b"%02d" % (number % 100) for number in range(30_000)))

    def test_stalled(self) -> None:
        """A stream whose visitor takes nothing for five minutes is cancelled; pings do not keep it."""
        source = self.start()
        self.visitor.request.write(bytes(h2.DEFAULT_WINDOW + 1))
        self.visitor.frames()
        for _ in range(304):
            self.visitor.clock.advance(1)
            self.visitor.send(h2.ping(b"here I a"))
        self.assertEqual((self.visitor.resets(), source.stopped), ({1: h2.CANCEL}, True))

    def test_slow_but_moving(self) -> None:
        """A visitor may be as slow as it likes, if it moves."""
        source = self.start()
        self.visitor.request.write(bytes(h2.DEFAULT_WINDOW + 10))
        self.visitor.send(h2.window_update(0, 100))
        for _ in range(9):
            self.visitor.clock.pump([1] * 250)
            self.visitor.send(h2.window_update(1, 1))
        self.assertFalse(source.stopped)
        self.assertEqual(self.visitor.resets(), {})

    def test_unchoked_in_its_turn(self) -> None:
        """A service that sends at once when it may go on again is in order, and ends as it should."""
        self.start()
        request = self.visitor.request
        request.unregisterProducer()
        request.write(b"a" * (h2.DEFAULT_WINDOW + QUEUE_BYTES + 1))

        class Eager(Source):
            def resumeProducing(self) -> None:
                request.write(b"b" * 10)
                request.finish()

        Eager(request)
        self.visitor.frames()
        self.visitor.send(h2.window_update(0, 10**6), h2.window_update(1, 10**6))
        frames = [frame for frame in self.visitor.frames() if frame[0] == h2.DATA]
        self.assertEqual(b"".join(frame[3] for frame in frames), b"a" * (QUEUE_BYTES + 1) + b"b" * 10)
        self.assertEqual(frames[-1][1], h2.END_STREAM)
