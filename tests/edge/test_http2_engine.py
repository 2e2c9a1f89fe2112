"""
Tests for ``ngrok_twisted.edge.http2_engine``: what is written around h2, and the names inside h2 that this stands on. An h2
that moves one of them fails here.
"""

from __future__ import annotations

from typing import Any

from h2.connection import H2Connection
from h2.stream import H2Stream, StreamInputs
from hpack import Encoder
from hpack.table import HeaderTable
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.http2_engine import CONNECTION_WINDOW, DATA_BYTES, Engine
from ngrok_twisted.edge.http2_hpack import block_of
from ngrok_twisted.upstream import http2_frames as h2
from tests.edge.http2_visitor import GET, HELLO


class EngineTests(SynchronousTestCase):
    """One connection, without I/O."""

    def setUp(self) -> None:
        self.engine = Engine(100, 1000, 100_000)
        self.engine.greeting()
        self.engine.receive_data(HELLO[len(h2.PREFACE) :])
        self.engine.data_to_send()

    def stream(self, number: int = 1, end: bool = True) -> Any:
        """A new stream of the visitor's."""
        block = Encoder().encode(GET)
        flags = h2.END_HEADERS | (h2.END_STREAM if end else 0)
        self.events = self.engine.receive_data(h2.frame_head(h2.HEADERS, flags, number, len(block)) + block)
        return self.engine.streams[number]

    def frames(self, parts: Any) -> list[Any]:
        """The frames in what was to be written."""
        return [(*frame[:3], bytes(frame[3])) for frame in h2.FrameReader().feed(b"".join(map(bytes, parts)))]

    def test_fields_stay_here(self) -> None:
        """h2 tells of a request, and knows nothing of its fields."""
        self.stream()
        self.assertEqual((self.events[0].headers, list(self.engine.blocks.fields)), ([], GET))

    def test_window(self) -> None:
        """What is sent is taken off both windows, of which the smaller one counts."""
        stream = self.stream()
        self.assertEqual(self.engine.window(stream), h2.DEFAULT_WINDOW)
        self.engine.data_frames(stream, (bytes(1000),), 1000)
        self.assertEqual(self.engine.window(stream), h2.DEFAULT_WINDOW - 1000)
        self.assertEqual(self.engine.local_flow_control_window(1), h2.DEFAULT_WINDOW - 1000)
        other = self.stream(3)
        self.assertEqual(self.engine.window(other), h2.DEFAULT_WINDOW - 1000)
        self.engine.receive_data(h2.window_update(0, 5000))
        self.assertEqual(self.engine.window(other), h2.DEFAULT_WINDOW)

    def test_greeting(self) -> None:
        """The connection's window is as wide as was said."""
        self.assertEqual(self.engine.inbound_flow_control_window, CONNECTION_WINDOW)

    def test_ends(self) -> None:
        """h2 hears of the end of a stream, by a head or by data."""
        for number, write in (
            (1, lambda stream: self.engine.header_frames(stream, b"\x88", True)),
            (3, lambda stream: self.engine.data_frames(stream, (), 0, True)),
        ):
            stream = self.stream(number)
            parts = write(stream)
            self.assertTrue(stream.closed)
            self.assertEqual([frame[1] & h2.END_STREAM for frame in self.frames(parts)], [h2.END_STREAM])

    def test_half(self) -> None:
        """A stream whose visitor has not ended stays half open."""
        stream = self.stream(end=False)
        self.engine.data_frames(stream, (), 0, True)
        self.assertTrue(stream.open)
        self.engine.receive_data(h2.frame_head(h2.DATA, h2.END_STREAM, 1, 0))
        self.assertTrue(stream.closed)

    def test_long_data(self) -> None:
        """Much data is cut into frames, the last of which ends the stream."""
        self.engine.receive_data(h2.window_update(0, 10**6) + h2.settings_frame({h2.INITIAL_WINDOW_SIZE: 10**6}))
        stream = self.stream()
        parts = self.engine.data_frames(stream, [b"a" * 20_000, b"b" * 20_000], 40_000, True)
        frames = self.frames(parts)
        self.assertEqual([len(frame[3]) for frame in frames], [DATA_BYTES, DATA_BYTES, 40_000 - 2 * DATA_BYTES])
        self.assertEqual([frame[1] for frame in frames], [0, 0, h2.END_STREAM])
        self.assertEqual(b"".join(frame[3] for frame in frames), b"a" * 20_000 + b"b" * 20_000)

    def test_no_copy(self) -> None:
        """A single large buffer is handed on as it is."""
        self.engine.receive_data(h2.window_update(0, 10**6) + h2.settings_frame({h2.INITIAL_WINDOW_SIZE: 10**6}))
        data = bytes(100_000)
        parts = self.engine.data_frames(self.stream(), [data], len(data))
        self.assertTrue(all(part.obj is data for part in parts if isinstance(part, memoryview)))
        self.assertEqual(sum(len(part) for part in parts[1::2]), len(data))

    def test_first_block(self) -> None:
        """The first block says that there is no table, and no other does."""
        stream = self.stream()
        block = block_of([(b":status", b"200")])
        self.assertEqual(self.frames(self.engine.header_frames(stream, block))[0][3], b"\x20" + block)
        self.assertEqual(self.frames(self.engine.header_frames(stream, block))[0][3], block)

    def test_goaway(self) -> None:
        """A farewell holds the last stream, the code and the reason, and h2 goes on."""
        ((kind, _, stream, payload),) = self.frames([self.engine.goaway(7, h2.ENHANCE_YOUR_CALM, "too much")])
        self.assertEqual((kind, stream, h2.read_goaway(payload)), (h2.GOAWAY, 0, (7, h2.ENHANCE_YOUR_CALM)))
        self.assertEqual(payload[8:], b"too much")
        self.stream()

    def test_rest(self) -> None:
        """Streams that are over are let go of, and late frames for them are no mistake."""
        for number in range(1, 61, 2):
            self.engine.data_frames(self.stream(number), (), 0, True)
        self.engine.rest()
        self.assertEqual(len(self.engine.streams), 0)
        self.engine.receive_data(h2.window_update(5, 100) + h2.reset(7, h2.CANCEL))

    def test_counts_seldom(self) -> None:
        """h2's own count of open streams is spared."""
        self.stream()
        self.assertEqual(self.engine.open_inbound_streams, 0)
        for number in range(3, 401, 2):
            self.engine.data_frames(self.stream(number), (), 0, True)
        self.assertLess(len(self.engine.streams), 200)


class SeamTests(SynchronousTestCase):
    """What is used of h2 and hpack that is not in their manuals."""

    def test_h2(self) -> None:
        """A connection has its decoder, its streams and its window; a stream its window and its machine."""
        engine = Engine(100, 1000, 100_000)
        self.assertIs(engine.decoder, engine.blocks)
        self.assertEqual((engine.streams, engine.outbound_flow_control_window), ({}, 65_535))
        self.assertIn("outbound_flow_control_window", H2Stream(1, engine.config, 1, 1).__dict__)
        self.assertTrue(hasattr(StreamInputs, "SEND_END_STREAM"))
        self.assertIsInstance(H2Connection.open_inbound_streams, property)
        self.assertIsInstance(H2Connection.MAX_CLOSED_STREAMS, int)

    def test_hpack(self) -> None:
        """A table is asked by index, grows by pairs, and has a size."""
        table = HeaderTable()
        table.add(b"a", b"b")
        self.assertEqual((table.get_by_index(2), table.get_by_index(62)), ((b":method", b"GET"), (b"a", b"b")))
        self.assertEqual(table.maxsize, 4096)
        table.maxsize = 0
        self.assertRaises(Exception, table.get_by_index, 62)
