"""
Tests for ``ngrok_twisted.edge.http2_engine``.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.http2_engine import CONNECTION_WINDOW, DATA_BYTES, REMEMBERED, STREAM_WINDOW, Engine
from ngrok_twisted.edge.http2_hpack import block_of
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.http2_frames import ConnectionBroken


class Stream:
    """A stream, as far as the engine knows it."""

    def __init__(self, engine: Engine, number: int = 1) -> None:
        self.id = number
        self.send_window = engine.stream_window


class EngineTests(SynchronousTestCase):
    """One connection, without I/O."""

    def setUp(self) -> None:
        self.engine = Engine(100, 1000, 100_000)

    def frames(self, parts: Any) -> list[Any]:
        """The frames in what was to be written."""
        return [(*frame[:3], bytes(frame[3])) for frame in h2.FrameReader().feed(b"".join(map(bytes, parts)))]

    def code(self, call: Any, *arguments: Any) -> int:
        """The code that ends the connection."""
        return self.assertRaises(ConnectionBroken, call, *arguments).code

    def test_greeting(self) -> None:
        """The settings, and a connection's window that is as wide as was said."""
        settings, window = self.frames([self.engine.greeting()])
        self.assertEqual(h2.read_settings(settings[3])[h2.MAX_CONCURRENT_STREAMS], 100)
        self.assertEqual(STREAM_WINDOW + h2.read_number(window[0], window[3]), CONNECTION_WINDOW)

    def test_window(self) -> None:
        """What is sent is taken off both windows, of which the smaller one counts."""
        engine, stream = self.engine, Stream(self.engine)
        self.assertEqual(engine.window(stream), h2.DEFAULT_WINDOW)
        engine.data_frames(stream, (bytes(1000),), 1000)
        self.assertEqual((engine.window(stream), stream.send_window), (h2.DEFAULT_WINDOW - 1000,) * 2)
        other = Stream(engine, 3)
        self.assertEqual(engine.window(other), h2.DEFAULT_WINDOW - 1000)
        self.assertTrue(engine.window_came(None, 5000))
        self.assertEqual(engine.window(other), h2.DEFAULT_WINDOW)

    def test_wide_windows(self) -> None:
        """No window opens by nothing, or beyond what there may be."""
        for stream in (None, Stream(self.engine)):
            self.assertFalse(self.engine.window_came(stream, 0))
            self.assertTrue(self.engine.window_came(stream, h2.MAX_WINDOW - h2.DEFAULT_WINDOW))
            self.assertFalse(self.engine.window_came(stream, 1))

    def test_settings(self) -> None:
        """The window of streams that are open, and of those to come, is what the visitor says."""
        engine, stream = self.engine, Stream(self.engine)
        engine.data_frames(stream, (bytes(100),), 100)
        for window in (50, 200, 0):
            settings = h2.settings_frame({h2.INITIAL_WINDOW_SIZE: window, h2.ENABLE_PUSH: 1})[h2.FRAME_HEAD :]
            engine.settings_came(settings, [stream])
            self.assertEqual((stream.send_window, engine.stream_window), (window - 100, window))
        engine.settings_came(h2.settings_frame({h2.MAX_FRAME_SIZE: 2**20})[h2.FRAME_HEAD :], [stream])
        self.assertEqual(stream.send_window, -100)

    def test_bad_settings(self) -> None:
        """Settings that cannot be end the connection."""
        stream = Stream(self.engine)
        stream.send_window = h2.MAX_WINDOW
        for name, value, code in (
            (h2.INITIAL_WINDOW_SIZE, h2.DEFAULT_WINDOW + 1, h2.FLOW_CONTROL_ERROR),
            (h2.INITIAL_WINDOW_SIZE, h2.MAX_WINDOW + 1, h2.FLOW_CONTROL_ERROR),
            (h2.ENABLE_PUSH, 2, h2.PROTOCOL_ERROR),
            (h2.MAX_FRAME_SIZE, 2**14 - 1, h2.PROTOCOL_ERROR),
        ):
            payload = h2.settings_frame({name: value})[h2.FRAME_HEAD :]
            self.assertEqual(self.code(self.engine.settings_came, payload, [stream]), code)

    def test_numbers(self) -> None:
        """Visitors begin streams with odd numbers, in order."""
        self.engine.highest = 5
        self.assertEqual([self.engine.never_was(number) for number in range(8)], [True, False] * 3 + [True, True])

    def test_late_frames(self) -> None:
        """What comes late is ignored where it was on its way, refused after a reset, and no longer borne after an end."""
        self.assertEqual(self.engine.reset(1, h2.CANCEL), h2.reset(1, h2.CANCEL))
        self.engine.was_reset(3)
        self.assertEqual(self.engine.late(1), b"")
        self.assertEqual(self.engine.late(3), h2.reset(3, h2.STREAM_CLOSED))
        self.assertEqual(self.code(self.engine.late, 5), h2.STREAM_CLOSED)

    def test_remembers_the_last(self) -> None:
        """The resets that are longest ago are forgotten."""
        for number in range(1, 2 * REMEMBERED + 3, 2):
            self.engine.was_reset(number)
        self.assertEqual(self.code(self.engine.late, 1), h2.STREAM_CLOSED)
        self.assertTrue(self.engine.late(3))

    def test_ends(self) -> None:
        """A head or data may be the last of a stream."""
        stream = Stream(self.engine)
        for end, flag in ((True, h2.END_STREAM), (False, 0)):
            for parts in (
                self.engine.header_frames(stream, b"\x88", end),
                self.engine.data_frames(stream, (b"x",), 1, end),
                self.engine.data_frames(stream, (), 0, end),
            ):
                self.assertEqual([frame[1] & h2.END_STREAM for frame in self.frames(parts)], [flag])

    def test_long_data(self) -> None:
        """Much data is cut into frames, the last of which ends the stream."""
        parts = self.engine.data_frames(Stream(self.engine), [b"a" * 20_000, b"b" * 20_000], 40_000, True)
        frames = self.frames(parts)
        self.assertEqual([len(frame[3]) for frame in frames], [DATA_BYTES, DATA_BYTES, 40_000 - 2 * DATA_BYTES])
        self.assertEqual([frame[1] for frame in frames], [0, 0, h2.END_STREAM])
        self.assertEqual(b"".join(frame[3] for frame in frames), b"a" * 20_000 + b"b" * 20_000)

    def test_no_copy(self) -> None:
        """A single large buffer is handed on as it is."""
        data = bytes(60_000)
        parts = self.engine.data_frames(Stream(self.engine), [data], len(data))
        self.assertTrue(all(part.obj is data for part in parts if isinstance(part, memoryview)))
        self.assertEqual(sum(len(part) for part in parts[1::2]), len(data))

    def test_first_block(self) -> None:
        """The first block says that there is no table, and no other does."""
        stream = Stream(self.engine)
        block = block_of([(b":status", b"200")])
        self.assertEqual(self.frames(self.engine.header_frames(stream, block))[0][3], b"\x20" + block)
        self.assertEqual(self.frames(self.engine.header_frames(stream, block))[0][3], block)

    def test_goaway(self) -> None:
        """A farewell holds the last stream, the code and the reason."""
        ((kind, _, stream, payload),) = self.frames([self.engine.goaway(7, h2.ENHANCE_YOUR_CALM, "too much")])
        self.assertEqual((kind, stream, h2.read_goaway(payload)), (h2.GOAWAY, 0, (7, h2.ENHANCE_YOUR_CALM)))
        self.assertEqual(payload[8:], b"too much")
