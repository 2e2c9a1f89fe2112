"""
Tests for ``ngrok_twisted.upstream.http2_frames``; python-h2's frames are the measure.
"""

from __future__ import annotations

from hyperframe.frame import ContinuationFrame, Frame, HeadersFrame, PingFrame, RstStreamFrame, SettingsFrame
from hyperframe.frame import WindowUpdateFrame
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.http2_frames import ConnectionBroken, FrameReader

FRAMES = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 255), st.integers(0, h2.MAX_STREAM_ID), st.binary()))


def understood(data: bytes) -> list[Frame]:
    """What hyperframe reads."""
    frames = []
    while data:
        frame, size = Frame.parse_frame_header(memoryview(data[:9]))
        frame.parse_body(memoryview(data[9 : 9 + size]))
        frames.append(frame)
        data = data[9 + size :]
    return frames


class ReaderTests(SynchronousTestCase):
    """Bytes to frames."""

    @given(FRAMES, st.integers(1, 40))
    def test_any_cut(self, frames: list[tuple[int, int, int, bytes]], step: int) -> None:
        """However the bytes are cut, the frames are the same."""
        data = b"".join(h2.frame_head(kind, flags, number, len(body)) + body for kind, flags, number, body in frames)
        reader = FrameReader()
        read = []
        for start in range(0, len(data), step):
            read += [(*frame[:3], bytes(frame[3])) for frame in reader.feed(data[start : start + step])]
        self.assertEqual(read, frames)

    def test_reserved_bit(self) -> None:
        """The bit that means nothing is not looked at."""
        self.assertEqual(FrameReader().feed(b"\0\0\0\x03\0\x80\0\0\x05")[0][2], 5)

    def test_too_large(self) -> None:
        """A frame that is larger than we said we take is refused at its head."""
        with self.assertRaises(ConnectionBroken) as caught:
            FrameReader().feed(h2.frame_head(h2.DATA, 0, 1, h2.FRAME + 1))
        self.assertEqual(caught.exception.code, h2.FRAME_SIZE_ERROR)

    def test_kept(self) -> None:
        """No more than one frame is ever kept."""
        reader = FrameReader()
        frame = h2.frame_head(h2.DATA, 0, 1, h2.FRAME) + bytes(h2.FRAME)
        for _ in range(5):
            reader.feed(frame * 3 + frame[:-1])
            self.assertLessEqual(sum(map(len, reader._partial)), len(frame))
            reader.feed(frame[-1:])
            self.assertEqual(reader._partial, [])


class BeginningTests(SynchronousTestCase):
    """What somebody speaks."""

    def test_settings(self) -> None:
        """A server of HTTP/2 says its settings first; nothing else looks like them."""
        for size in (0, 6, 60):
            self.assertTrue(h2.begins(h2.frame_head(h2.SETTINGS, 0, 0, size) + bytes(size)))
        for data in (b"", b"HTTP/1.1 200 OK\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", bytes(20), h2.SETTINGS_ACK):
            self.assertFalse(h2.begins(data), data)
        self.assertFalse(h2.begins(h2.frame_head(h2.SETTINGS, 0, 3, 0)))


class WriterTests(SynchronousTestCase):
    """Frames to bytes."""

    def test_small_ones(self) -> None:
        """Others understand what is written."""
        settings, update, reset, ping = understood(
            h2.settings_frame({h2.ENABLE_PUSH: 0, h2.INITIAL_WINDOW_SIZE: 77})
            + h2.window_update(5, 99)
            + h2.reset(7, h2.CANCEL)
            + h2.ping(b"12345678", ack=True)
        )
        assert isinstance(settings, SettingsFrame) and isinstance(update, WindowUpdateFrame)
        assert isinstance(reset, RstStreamFrame) and isinstance(ping, PingFrame)
        self.assertEqual(settings.settings, {2: 0, 4: 77})
        self.assertEqual((update.stream_id, update.window_increment), (5, 99))
        self.assertEqual((reset.stream_id, reset.error_code), (7, 8))
        self.assertEqual((ping.opaque_data, "ACK" in ping.flags), (b"12345678", True))

    @given(st.integers(0, 70000), st.booleans())
    def test_header_blocks(self, size: int, end: bool) -> None:
        """A block of any size comes as HEADERS and as many CONTINUATIONs as it takes, and only the last one ends it."""
        first, *rest = understood(b"".join(h2.header_frames(3, b"x" * size, end, h2.FRAME)))
        assert isinstance(first, HeadersFrame)
        self.assertEqual("END_STREAM" in first.flags, end)
        self.assertTrue(all(isinstance(frame, ContinuationFrame) and frame.data for frame in rest))
        ends = ["END_HEADERS" in frame.flags for frame in (first, *rest)]
        self.assertEqual(ends, [False] * len(rest) + [True])
        self.assertEqual(sum(len(frame.data) for frame in (first, *rest)), size)

    def test_code_names(self) -> None:
        """Codes have their names, and unknown ones their numbers."""
        names = [h2.code_name(code) for code in (7, 8, 11, 99)]
        self.assertEqual(names, ["REFUSED_STREAM", "CANCEL", "ENHANCE_YOUR_CALM", "0x63"])


class PayloadTests(SynchronousTestCase):
    """What payloads say."""

    def code(self, function: object, *arguments: object) -> int:
        with self.assertRaises(ConnectionBroken) as caught:
            function(*arguments)  # type: ignore[operator]
        return caught.exception.code

    def test_settings(self) -> None:
        """Values that there cannot be are refused, unknown settings are not."""
        self.assertEqual(h2.read_settings(h2.settings_frame({3: 5, 0x99: 7})[9:]), {3: 5, 0x99: 7})
        for settings, code in (
            ({h2.INITIAL_WINDOW_SIZE: 2**31}, h2.FLOW_CONTROL_ERROR),
            ({h2.MAX_FRAME_SIZE: 16383}, h2.PROTOCOL_ERROR),
            ({h2.MAX_FRAME_SIZE: 2**24}, h2.PROTOCOL_ERROR),
            ({h2.ENABLE_PUSH: 1}, h2.PROTOCOL_ERROR),
            ({h2.ENABLE_CONNECT_PROTOCOL: 2}, h2.PROTOCOL_ERROR),
            (dict.fromkeys(range(100, 200), 0), h2.ENHANCE_YOUR_CALM),
        ):
            self.assertEqual(self.code(h2.read_settings, h2.settings_frame(settings)[9:]), code, settings)
        self.assertEqual(self.code(h2.read_settings, bytes(5)), h2.FRAME_SIZE_ERROR)

    def test_numbers(self) -> None:
        """A number has four bytes."""
        self.assertEqual(h2.read_number(h2.WINDOW_UPDATE, b"\x80\0\0\x01"), 1)
        self.assertEqual(h2.read_number(h2.RST_STREAM, b"\x80\0\0\x01"), 0x80000001)
        self.assertEqual(self.code(h2.read_number, h2.RST_STREAM, bytes(3)), h2.FRAME_SIZE_ERROR)

    def test_goaway(self) -> None:
        """A farewell has the last stream and a code, and may say more."""
        self.assertEqual(h2.read_goaway(b"\x80\0\0\x03\0\0\0\x0bbye"), (3, 11))
        self.assertEqual(self.code(h2.read_goaway, bytes(7)), h2.FRAME_SIZE_ERROR)

    def test_padding(self) -> None:
        """Padding is taken off, and cannot be more than there is."""
        self.assertEqual(h2.without_padding(0, b"\x02abcd"), b"\x02abcd")
        self.assertEqual(h2.without_padding(h2.PADDED, b"\x02abcd"), b"ab")
        self.assertEqual(h2.without_padding(h2.PADDED, b"\x04abcd"), b"")
        for payload in (b"\x05abcd", b""):
            self.assertEqual(self.code(h2.without_padding, h2.PADDED, payload), h2.PROTOCOL_ERROR)
