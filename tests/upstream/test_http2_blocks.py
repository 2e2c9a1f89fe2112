"""
Tests for ``ngrok_twisted.upstream.http2_blocks``.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.http2_blocks import HeaderBlocks, check_priority
from ngrok_twisted.upstream.http2_frames import ConnectionBroken

PRIORITY = b"\0\0\0\3\x0f"


class HeaderBlocksTests(SynchronousTestCase):
    """Blocks out of frames."""

    def setUp(self) -> None:
        self.blocks = HeaderBlocks(100, 5)

    def code(self, call: Any, *arguments: Any) -> int:
        """The code that ends the connection."""
        return self.assertRaises(ConnectionBroken, call, *arguments).code

    def test_one_frame(self) -> None:
        """Most blocks come in one frame, whatever its length."""
        for block in (b"", b"block", bytes(1000)):
            whole = self.blocks.begun(h2.END_HEADERS, 7, memoryview(block))
            self.assertEqual((whole, self.blocks.open), ((7, h2.END_HEADERS, block), False))

    def test_many_frames(self) -> None:
        """A block in several frames has the flags of the first; the next one is none the worse."""
        for _ in range(2):
            self.assertIsNone(self.blocks.begun(h2.END_STREAM, 7, b"one "))
            self.assertTrue(self.blocks.open)
            self.assertIsNone(self.blocks.continued(0, 7, b"two "))
            self.assertEqual(self.blocks.continued(h2.END_HEADERS, 7, b"three"), (7, h2.END_STREAM, b"one two three"))
            self.assertFalse(self.blocks.open)

    def test_padding_and_priority(self) -> None:
        """Padding is no part of a block, nor what is said of priorities."""
        for flags, payload in (
            (h2.PADDED, b"\2block\0\0"),
            (h2.PRIORITIZED, PRIORITY + b"block"),
            (h2.PADDED | h2.PRIORITIZED, b"\1" + PRIORITY + b"block\0"),
        ):
            whole = self.blocks.begun(h2.END_HEADERS | flags, 7, memoryview(payload))
            assert whole is not None
            self.assertEqual(whole[2], b"block")

    def test_bad_frames(self) -> None:
        """More padding than payload, half a priority, a stream that depends on itself."""
        for flags, payload, code in (
            (h2.PADDED, b"", h2.PROTOCOL_ERROR),
            (h2.PADDED, b"\6block", h2.PROTOCOL_ERROR),
            (h2.PRIORITIZED, PRIORITY[:4], h2.FRAME_SIZE_ERROR),
            (h2.PADDED | h2.PRIORITIZED, b"\1" + PRIORITY, h2.FRAME_SIZE_ERROR),
            (h2.PRIORITIZED, b"\0\0\0\7\0block", h2.PROTOCOL_ERROR),
        ):
            self.assertEqual(self.code(self.blocks.begun, h2.END_HEADERS | flags, 7, payload), code, payload)

    def test_continues_nothing(self) -> None:
        """Only what continues the block that is open may come."""
        self.assertEqual(self.code(self.blocks.continued, h2.END_HEADERS, 7, b""), h2.PROTOCOL_ERROR)
        self.blocks.begun(0, 7, b"")
        self.assertEqual(self.code(self.blocks.continued, h2.END_HEADERS, 9, b""), h2.PROTOCOL_ERROR)

    def test_too_long(self) -> None:
        """A block that goes on and on is refused once it is too long, frames without anything in them counted."""
        self.blocks.begun(0, 7, bytes(60))
        self.assertIsNone(self.blocks.continued(0, 7, bytes(100 - 60 - 2 * h2.FRAME_HEAD)))
        self.assertEqual(self.code(self.blocks.continued, h2.END_HEADERS, 7, b""), h2.ENHANCE_YOUR_CALM)

    def test_too_many(self) -> None:
        """So it is once it comes in too many frames."""
        self.blocks.begun(0, 7, b"")
        for _ in range(4):
            self.blocks.continued(0, 7, b"")
        self.assertEqual(self.code(self.blocks.continued, h2.END_HEADERS, 7, b""), h2.ENHANCE_YOUR_CALM)


class PriorityTests(SynchronousTestCase):
    """What is said of priorities, read and forgotten."""

    def test_priority(self) -> None:
        """It has five bytes, and names another stream."""
        check_priority(5, PRIORITY)
        check_priority(5, b"\x80" + PRIORITY[1:])
        for payload, code in (
            (PRIORITY[:4], h2.FRAME_SIZE_ERROR),
            (PRIORITY + b"\0", h2.FRAME_SIZE_ERROR),
            (b"\x80\0\0\5\0", h2.PROTOCOL_ERROR),
        ):
            self.assertEqual(self.assertRaises(ConnectionBroken, check_priority, 5, payload).code, code)
