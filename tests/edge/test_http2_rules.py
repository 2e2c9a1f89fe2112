"""
Tests for ``ngrok_twisted.edge.http2``: what frames there may be, and when.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import NOT_DONE_YET

from ngrok_twisted.edge.http2_engine import CONNECTION_WINDOW
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.wrapper import ResponseHead
from tests.edge.http2_visitor import GET, POST, Bare
from tests.edge.wire import Render


def waiting(request: Any) -> int:
    return NOT_DONE_YET


class RuleTests(SynchronousTestCase):
    """What RFC 9113 forbids: the connection ends, or one stream."""

    def visitor(self) -> Bare:
        """With a stream that is half closed, one that is open, and one that has ended."""
        visitor = Bare(Render(waiting))
        visitor.send(visitor.headers(1, GET), visitor.headers(3, POST, end=False), visitor.headers(7, GET))
        visitor.request.respond(ResponseHead(204, b"", [], None), last=True)
        visitor.frames()
        return visitor

    def test_connection_errors(self) -> None:
        """Frames that cannot be, or not there."""
        block = b"\x82\x87\x84\x41\1a"
        frame = lambda kind, number=0, payload=b"", flags=0: h2.frame_head(kind, flags, number, len(payload)) + payload
        for data, code in (
            (frame(h2.DATA, 0, b"x"), h2.PROTOCOL_ERROR),
            (frame(h2.DATA, 9, b"x"), h2.PROTOCOL_ERROR),
            (frame(h2.DATA, 2, b"x"), h2.PROTOCOL_ERROR),
            (frame(h2.DATA, 7, b"x"), h2.STREAM_CLOSED),
            (frame(h2.DATA, 5, b"x"), h2.STREAM_CLOSED),
            (frame(h2.DATA, 3, b"", h2.PADDED), h2.PROTOCOL_ERROR),
            (frame(h2.DATA, 3, b"\1", h2.PADDED), h2.PROTOCOL_ERROR),
            (frame(h2.HEADERS, 0, block, h2.END_HEADERS), h2.PROTOCOL_ERROR),
            (frame(h2.HEADERS, 2, block, h2.END_HEADERS), h2.PROTOCOL_ERROR),
            (frame(h2.HEADERS, 8, block, h2.END_HEADERS), h2.PROTOCOL_ERROR),
            (frame(h2.HEADERS, 5, block, h2.END_HEADERS), h2.STREAM_CLOSED),
            (frame(h2.HEADERS, 7, block, h2.END_HEADERS), h2.STREAM_CLOSED),
            (frame(h2.HEADERS, 9, block) + frame(h2.HEADERS, 11, block), h2.PROTOCOL_ERROR),
            (frame(h2.HEADERS, 9, block) + frame(0x77), h2.PROTOCOL_ERROR),
            (frame(h2.HEADERS, 9, block) + frame(h2.CONTINUATION, 11, b"", h2.END_HEADERS), h2.PROTOCOL_ERROR),
            (frame(h2.CONTINUATION, 3, b"", h2.END_HEADERS), h2.PROTOCOL_ERROR),
            (frame(h2.PRIORITY, 0, bytes(5)), h2.PROTOCOL_ERROR),
            (frame(h2.PRIORITY, 3, bytes(4)), h2.FRAME_SIZE_ERROR),
            (frame(h2.PRIORITY, 3, b"\0\0\0\3\0"), h2.PROTOCOL_ERROR),
            (frame(h2.RST_STREAM, 0, bytes(4)), h2.PROTOCOL_ERROR),
            (frame(h2.RST_STREAM, 9, bytes(4)), h2.PROTOCOL_ERROR),
            (frame(h2.RST_STREAM, 3, bytes(5)), h2.FRAME_SIZE_ERROR),
            (frame(h2.SETTINGS, 3), h2.PROTOCOL_ERROR),
            (frame(h2.SETTINGS, 0, bytes(5)), h2.FRAME_SIZE_ERROR),
            (frame(h2.SETTINGS, 0, bytes(6), h2.ACK), h2.FRAME_SIZE_ERROR),
            (h2.settings_frame({h2.ENABLE_PUSH: 2}), h2.PROTOCOL_ERROR),
            (h2.settings_frame({h2.INITIAL_WINDOW_SIZE: 2**31}), h2.FLOW_CONTROL_ERROR),
            (frame(h2.PUSH_PROMISE, 3, bytes(4), h2.END_HEADERS), h2.PROTOCOL_ERROR),
            (frame(h2.PING, 3, bytes(8)), h2.PROTOCOL_ERROR),
            (frame(h2.PING, 0, bytes(7)), h2.FRAME_SIZE_ERROR),
            (frame(h2.WINDOW_UPDATE, 0, bytes(4)), h2.PROTOCOL_ERROR),
            (frame(h2.WINDOW_UPDATE, 9, b"\0\0\0\1"), h2.PROTOCOL_ERROR),
            (frame(h2.WINDOW_UPDATE, 3, b"\0\0\1"), h2.FRAME_SIZE_ERROR),
            (h2.window_update(0, h2.MAX_WINDOW), h2.FLOW_CONTROL_ERROR),
        ):
            visitor = self.visitor()
            visitor.send(data)
            self.assertEqual(visitor.goaway(), code, data)
            self.assertTrue(all(request.gone for request in visitor.site.requests[:2]))

    def test_unasked_pings(self) -> None:
        """The answer to a ping that nobody sent changes nothing, whatever it holds."""
        for payload in (b"draining", b"alive???", bytes(8)):
            visitor = self.visitor()
            visitor.send(h2.ping(payload, ack=True))
            self.assertEqual(visitor.frames(), [])
            self.assertFalse(visitor.wire.ended)
            visitor.send(h2.ping(b"12345678"))
            self.assertEqual(visitor.kinds(), [h2.PING])

    def test_short_answer_leaves_nothing(self) -> None:
        """A stream that is reset because its answer was too short is not watched any longer, though its body still came."""
        visitor = Bare(Render(waiting))
        visitor.send(visitor.headers(1, POST, end=False))
        visitor.request.respond(ResponseHead(200, b"", [], 5), (b"ab",))
        visitor.request.finish()
        self.assertEqual(visitor.resets(), {1: h2.INTERNAL_ERROR})
        visitor.leave()
        self.assertEqual(visitor.clock.getDelayedCalls(), [])

    def test_stream_errors(self) -> None:
        """One stream is reset; the connection, and what else is on it, goes on."""
        visitor = self.visitor()
        for number, data, code in (
            (1, visitor.data(1, b"x"), h2.STREAM_CLOSED),
            (9, visitor.headers(9, GET) + visitor.headers(9, []), h2.STREAM_CLOSED),
            (11, visitor.headers(11, POST, end=False) + visitor.headers(11, [], end=False), h2.PROTOCOL_ERROR),
            (13, visitor.headers(13, GET) + h2.window_update(13, 0), h2.PROTOCOL_ERROR),
            (15, visitor.headers(15, GET) + h2.window_update(15, h2.MAX_WINDOW), h2.FLOW_CONTROL_ERROR),
        ):
            visitor.send(data)
            self.assertEqual(visitor.resets(), {number: code})
            self.assertNotIn(number, visitor.connection.streams)
        self.assertEqual(list(visitor.connection.streams), [3])
        self.assertFalse(visitor.wire.ended)

    def test_late_frames(self) -> None:
        """What is on its way to a stream that is reset, or has ended, is borne with."""
        visitor = self.visitor()
        visitor.send(h2.window_update(7, 10), h2.window_update(5, 10), h2.reset(7, h2.CANCEL), h2.reset(5, h2.CANCEL))
        visitor.request.channel.connection.streams[3].reset(h2.CANCEL)
        self.assertEqual(visitor.resets(), {3: h2.CANCEL})
        visitor.send(visitor.data(3, b"x"), visitor.headers(3, [(b"x-sum", b"1")]), h2.reset(3, h2.CANCEL))
        visitor.send(h2.reset(1, h2.CANCEL))
        self.assertEqual(visitor.frames(), [])
        visitor.send(visitor.data(1, b"x"))
        self.assertEqual(visitor.resets(), {1: h2.STREAM_CLOSED})
        self.assertFalse(visitor.wire.ended)

    def test_late_data_takes_room(self) -> None:
        """Data for a stream that is reset counts in the connection's window, which opens again."""
        visitor = self.visitor()
        visitor.connection.streams[3].reset(h2.CANCEL)
        visitor.frames()
        for _ in range(CONNECTION_WINDOW // 2 // 16_000 + 1):
            visitor.send(visitor.data(3, bytes(16_000)))
        ((kind, _, stream, _),) = visitor.frames()
        self.assertEqual((kind, stream), (h2.WINDOW_UPDATE, 0))
