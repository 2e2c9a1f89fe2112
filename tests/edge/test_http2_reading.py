"""
Tests for ``ngrok_twisted.edge.http2_reading``.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.http2_reading import VisitorFrames
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.http2_frames import ConnectionBroken

PING = h2.ping(b"12345678")
SETTINGS = h2.settings_frame({})


class VisitorFramesTests(SynchronousTestCase):
    """A visitor's bytes become frames."""

    def refused(self, reader: VisitorFrames, data: bytes) -> int:
        """The code that these bytes are refused with."""
        return self.assertRaises(ConnectionBroken, reader.feed, data).code

    def test_any_pieces(self) -> None:
        """However the bytes are cut, the frames are the same."""
        data = h2.PREFACE + SETTINGS + h2.frame_head(h2.DATA, 1, 3, 5) + b"hello" + PING
        whole = VisitorFrames().feed(data)
        self.assertEqual([frame[0] for frame in whole], [h2.SETTINGS, h2.DATA, h2.PING])
        self.assertEqual((whole[1][1:3], bytes(whole[1][3])), ((1, 3), b"hello"))
        for size in (1, 2, 7, 24, 25, 30):
            reader = VisitorFrames()
            found = [frame for at in range(0, len(data), size) for frame in reader.feed(data[at : at + size])]
            self.assertEqual([(*frame[:3], bytes(frame[3])) for frame in found], [(*f[:3], bytes(f[3])) for f in whole])

    def test_preface(self) -> None:
        """Who does not begin with the preface is refused at the first wrong byte."""
        self.assertEqual(self.refused(VisitorFrames(), b"GET / HTTP/1.1\r\n"), h2.PROTOCOL_ERROR)
        reader = VisitorFrames()
        self.assertEqual(reader.feed(h2.PREFACE[:20]), [])
        self.assertEqual(self.refused(reader, b"X"), h2.PROTOCOL_ERROR)

    def test_long_frame(self) -> None:
        """A frame that is too long is refused before any of it is kept."""
        reader = VisitorFrames()
        head = h2.frame_head(h2.DATA, 0, 1, h2.FRAME + 1)
        self.assertEqual(self.refused(reader, h2.PREFACE + head), h2.FRAME_SIZE_ERROR)

    def test_settings_first(self) -> None:
        """Whoever begins with anything but settings is refused."""
        reader = VisitorFrames()
        self.assertEqual(reader.feed(h2.PREFACE), [])
        self.assertEqual(self.refused(reader, PING + SETTINGS), h2.PROTOCOL_ERROR)
