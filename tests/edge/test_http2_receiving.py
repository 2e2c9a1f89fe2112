"""
Tests for ``ngrok_twisted.edge.http2_receiving``: bodies of requests.
"""

from __future__ import annotations

import tracemalloc
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import NOT_DONE_YET

from ngrok_twisted.edge.http2_engine import CONNECTION_WINDOW, STREAM_WINDOW
from ngrok_twisted.edge.http2_receiving import MAX_WINDOW, SPARE_WINDOW
from ngrok_twisted.errors import BadRequest
from ngrok_twisted.upstream import http2_frames as h2
from tests.edge.http2_visitor import POST, Bare, Visitor
from tests.edge.test_http2_stream import Body
from tests.edge.wire import Render

PIECE = bytes(16_000)


def waiting(request: Any) -> int:
    return NOT_DONE_YET


class DeliveryTests(SynchronousTestCase):
    """Who wants a body gets it."""

    def start(self, *fields: tuple[bytes, bytes]) -> Any:
        self.visitor = Bare(Render(waiting))
        self.visitor.send(self.visitor.headers(1, [*POST, *fields], end=False))
        self.visitor.frames()
        return self.visitor.request

    def test_waits(self) -> None:
        """A body waits until somebody wants it, and then comes in order, with its end."""
        request = self.start()
        self.visitor.send(self.visitor.data(1, b"one"), self.visitor.data(1, b"two", end=True))
        body = Body()
        request.deliver_body(body)
        self.assertEqual((body.data, body.ends, request.flow.bytes_in), (b"onetwo", [[]], 6))

    def test_crumbs(self) -> None:
        """A body that waits takes little more memory than it has bytes, however small its frames are."""
        request = self.start()
        frame = self.visitor.data(1, b"xy")
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(100):
            self.visitor.send(frame * 300)
        self.assertLess(tracemalloc.get_traced_memory()[0] - before, 3 * 60_000)
        body = Body()
        request.deliver_body(body)
        self.assertEqual(body.data, b"xy" * 30_000)

    def test_streams(self) -> None:
        """Afterwards it is handed on as it comes."""
        request = self.start()
        body = Body()
        request.deliver_body(body)
        for piece in (b"a", b"bc", b""):
            self.visitor.send(self.visitor.data(1, piece))
        self.assertEqual((body.data, body.ends), (b"abc", []))
        self.visitor.send(self.visitor.data(1, b"", end=True))
        self.assertEqual(body.ends, [[]])
        self.assertIsNone(request.receiver)

    def test_no_body(self) -> None:
        """One of no bytes has an end, too."""
        self.visitor = Bare(Render(waiting))
        self.visitor.send(self.visitor.headers(1, POST))
        body = Body()
        self.visitor.request.deliver_body(body)
        self.assertEqual(body.ends, [[]])

    def test_trailers(self) -> None:
        """Trailers come with the end."""
        request = self.start()
        body = Body()
        request.deliver_body(body)
        self.visitor.send(self.visitor.data(1, b"x"), self.visitor.headers(1, [(b"x-sum", b"1")]))
        self.assertEqual((body.data, body.ends), (b"x", [[(b"x-sum", b"1")]]))

    def test_trailers_without_body(self) -> None:
        """Trailers may follow the head at once, and wait for whoever wants the body."""
        request = self.start()
        self.visitor.send(self.visitor.headers(1, [(b"x-sum", b"1")]))
        body = Body()
        request.deliver_body(body)
        self.assertEqual(body.ends, [[(b"x-sum", b"1")]])

    def test_bad_trailers(self) -> None:
        """Trailers that cannot be end the stream, and its body with it."""
        request = self.start()
        body = Body()
        request.deliver_body(body)
        self.visitor.send(self.visitor.headers(1, [(b"X", b"1")]))
        self.assertEqual((self.visitor.resets(), len(body.ends)), ({1: h2.PROTOCOL_ERROR}, 1))

    def test_length(self) -> None:
        """A body with the length that was announced is whole."""
        request = self.start((b"content-length", b"6"))
        body = Body()
        request.deliver_body(body)
        self.assertEqual(request.body_length, 6)
        self.visitor.send(self.visitor.data(1, b"one"), self.visitor.data(1, b"two", end=True))
        self.assertEqual(body.ends, [[]])

    def test_lying_length(self) -> None:
        """One that is longer or shorter is none: who reads it is told, and the stream is reset."""
        for pieces in ((b"1234567",), (b"123456", b"7"), (b"12345", b"")):
            request = self.start((b"content-length", b"6"))
            body = Body()
            request.deliver_body(body)
            self.visitor.send(*[self.visitor.data(1, piece, end=piece is pieces[-1]) for piece in pieces])
            self.assertEqual(self.visitor.resets(), {1: h2.PROTOCOL_ERROR})
            self.assertIsInstance(body.ends[0], BadRequest)
            self.assertEqual((len(body.ends), request.gone, len(body.data) < 7), (1, True, True))

    def test_no_bytes_that_are_some(self) -> None:
        """A body that was to have no bytes has none."""
        self.start((b"content-length", b"0"))
        self.visitor.send(self.visitor.data(1, b"x", end=True))
        self.assertEqual(self.visitor.resets(), {1: h2.PROTOCOL_ERROR})

    def test_lying_length_with_trailers(self) -> None:
        """Trailers make it no better."""
        self.start((b"content-length", b"6"))
        self.visitor.send(self.visitor.data(1, b"123"), self.visitor.headers(1, [(b"x-sum", b"1")]))
        self.assertEqual(self.visitor.resets(), {1: h2.PROTOCOL_ERROR})

    def test_padding(self) -> None:
        """Padding is no part of the body, and is given back to the window like it."""
        request = self.start()
        body = Body()
        request.deliver_body(body)
        payload = b"\xffx" + bytes(255)
        frame = h2.frame_head(h2.DATA, h2.PADDED, 1, len(payload)) + payload
        self.visitor.send(*[frame] * 200)
        self.assertEqual(body.data, b"x" * 200)
        self.assertIn((h2.WINDOW_UPDATE, 1), [frame[:3:2] for frame in self.visitor.frames()])

    def test_asked_in_the_middle(self) -> None:
        """A receiver that is replaced while it gets something hands the rest to the next."""
        request = self.start()
        second = Body()

        class First(Body):
            def bodyReceived(self, data: Any) -> None:
                super().bodyReceived(data)
                request.receiver = second

        first = First()
        self.visitor.send(self.visitor.data(1, PIECE), self.visitor.data(1, b"two", end=True))
        request.deliver_body(first)
        self.assertEqual((first.data, second.data, second.ends), (PIECE, b"two", [[]]))


class WindowTests(SynchronousTestCase):
    """Windows open as somebody takes what came."""

    def start(self, **options: Any) -> Any:
        self.visitor = Bare(Render(waiting), **options)
        self.visitor.send(self.visitor.headers(1, POST, end=False))
        self.visitor.frames()
        return self.visitor.request

    def opened(self) -> dict[int, int]:
        """By how much each window was opened since the last call."""
        opened: dict[int, int] = {}
        for kind, _, stream, payload in self.visitor.frames():
            if kind == h2.WINDOW_UPDATE:
                opened[stream] = opened.get(stream, 0) + h2.read_number(kind, payload)
        return opened

    def test_unread(self) -> None:
        """A body that nobody takes does not open the stream's window: what waits is bounded by it."""
        request = self.start()
        self.visitor.send(*[self.visitor.data(1, PIECE)] * 4)
        self.assertEqual(self.opened(), {})
        self.visitor.send(self.visitor.data(1, PIECE))
        self.assertEqual(self.visitor.goaway(), h2.FLOW_CONTROL_ERROR)
        self.assertTrue(request.gone)

    def test_taken(self) -> None:
        """One that is taken opens it, in few steps, and wider each time."""
        request = self.start()
        request.deliver_body(Body())
        self.visitor.send(*[self.visitor.data(1, PIECE)] * 3)
        self.assertEqual(self.opened(), {1: 3 * len(PIECE) + STREAM_WINDOW})
        total = 3
        for _ in range(400):
            self.visitor.send(self.visitor.data(1, PIECE))
            total += 1
        stream = self.visitor.connection.streams[1]
        self.assertEqual(stream._window, MAX_WINDOW)
        self.assertLess(len(self.opened()), 20)

    def test_paused(self) -> None:
        """Who pauses gets nothing more, and the visitor is not asked for more."""
        request = self.start()
        body = Body()
        request.deliver_body(body)
        request.pause_body()
        self.visitor.send(*[self.visitor.data(1, PIECE)] * 4)
        self.assertEqual((body.data, self.opened()), (b"", {}))
        request.resume_body()
        self.assertEqual((len(body.data), list(self.opened())), (4 * len(PIECE), [1]))

    def test_paused_end(self) -> None:
        """The end waits, too."""
        request = self.start()
        body = Body()
        request.deliver_body(body)
        request.pause_body()
        self.visitor.send(self.visitor.data(1, b"x", end=True))
        self.assertEqual(body.ends, [])
        request.resume_body()
        self.assertEqual((body.data, body.ends), (b"x", [[]]))

    def test_pauses_while_it_gets(self) -> None:
        """A receiver that is full in the middle of what waited gets the rest later."""
        request = self.start()

        class Full(Body):
            def bodyReceived(self, data: Any) -> None:
                super().bodyReceived(data)
                request.pause_body()

        body = Full()
        self.visitor.send(*[self.visitor.data(1, PIECE)] * 3, self.visitor.data(1, b"", end=True))
        request.deliver_body(body)
        self.assertEqual(body.data, PIECE)
        for _ in range(3):
            request.resume_body()
        self.assertEqual((body.data, body.ends), (3 * PIECE, [[]]))

    def test_others_go_on(self) -> None:
        """Streams that nobody reads take nothing from the one that somebody does: the connection's window is given back."""
        request = self.start()
        request.deliver_body(Body())
        for stream in range(3, 101, 2):
            self.visitor.send(self.visitor.headers(stream, POST, end=False))
            self.visitor.send(*[self.visitor.data(stream, PIECE)] * 4)
        for _ in range(3 * CONNECTION_WINDOW // len(PIECE)):
            self.visitor.send(self.visitor.data(1, PIECE))
        self.assertIsNone(self.visitor.goaway())
        self.assertFalse(request.gone)

    def test_spare(self) -> None:
        """What wide windows take of a connection's memory is bounded, and comes back with the streams."""
        self.visitor = Bare(Render(waiting))
        for stream in range(1, 41, 2):
            self.visitor.send(self.visitor.headers(stream, POST, end=False))
            self.visitor.request.deliver_body(Body())
            for _ in range(80):
                self.visitor.send(self.visitor.data(stream, PIECE))
        windows = [stream._window for stream in self.visitor.connection.streams.values()]
        self.assertEqual(sum(windows), 20 * STREAM_WINDOW + SPARE_WINDOW)
        for stream in range(1, 41, 2):
            self.visitor.send(h2.reset(stream, h2.CANCEL))
        self.assertEqual(self.visitor.connection.windows.spare, SPARE_WINDOW)

    def test_ended(self) -> None:
        """No window is opened for a body that has ended."""
        request = self.start()
        self.visitor.send(*[self.visitor.data(1, PIECE)] * 3, self.visitor.data(1, PIECE, end=True))
        request.deliver_body(Body())
        self.assertEqual(self.opened(), {})

    def test_reset_while_it_waits(self) -> None:
        """A visitor that cancels takes back what waited; nobody who has not asked is told."""
        request = self.start()
        self.visitor.send(self.visitor.data(1, PIECE), h2.reset(1, h2.CANCEL))
        self.assertTrue(request.gone)
        request.deliver_body(Body())
        request.pause_body()
        request.resume_body()

    def test_reset_under_way(self) -> None:
        """Who reads a body hears that the rest will not come."""
        request = self.start()
        body = Body()
        request.deliver_body(body)
        self.visitor.send(self.visitor.data(1, b"x"), h2.reset(1, h2.CANCEL))
        self.assertEqual((body.data, len(body.ends), request.gone), (b"x", 1, True))


class EarlyAnswerTests(SynchronousTestCase):
    """Responses that do not wait for the body."""

    def test_both_ways(self) -> None:
        """A response may go out while the body still comes in."""
        visitor = Visitor(Render(waiting))
        answer = visitor.ask(POST, b"one", end=False)
        body = Body()
        request = visitor.request
        request.deliver_body(body)
        request.write(b"1")
        visitor.run()
        self.assertEqual(answer.body, b"1")
        visitor.client.send_data(1, b"two", end_stream=True)
        visitor.run()
        request.write(b"2")
        request.finish()
        visitor.run()
        self.assertEqual((answer.body, answer.ended, body.data, body.ends), (b"12", True, b"onetwo", [[]]))
        self.assertEqual(visitor.connection.streams, {})
