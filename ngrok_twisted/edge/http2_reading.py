"""
`VisitorFrames`: the frames in a visitor's bytes, free of I/O.

What is in them is h2's to read. Before it does, this holds back what h2 would take in without a bound: a frame that says it is
longer than frames may be is refused at its ninth byte, and a header block is refused once it is longer than heads may be,
however many frames it comes in.
"""

from __future__ import annotations

from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.http2_frames import ConnectionBroken, Frame, FrameReader


class VisitorFrames(FrameReader):
    """The frames behind a client's preface (RFC 9113 section 3.4)."""

    __slots__ = ("_preface", "_block", "_max_block")

    def __init__(self, max_block: int) -> None:
        """
        :param max_block: bytes of one header block, with all its continuations and the heads of their frames.
        """
        super().__init__()
        self._preface = h2.PREFACE
        self._block = 0
        self._max_block = max_block

    def feed(self, data: bytes) -> list[Frame]:
        """FrameReader."""
        if self._preface:
            data = self._after_preface(data)
        found = super().feed(data)
        for kind, flags, _, payload in found:
            if kind == h2.HEADERS or kind == h2.CONTINUATION:
                self._count_block(flags, len(payload))
        return found

    def _after_preface(self, data: bytes) -> bytes:
        """
        :raises ConnectionBroken: it is not a client that speaks HTTP/2.
        """
        preface = self._preface
        size = min(len(preface), len(data))
        if data[:size] != preface[:size]:
            raise ConnectionBroken(h2.PROTOCOL_ERROR, "the connection preface is wrong")
        self._preface = preface[size:]
        return data[size:]

    def _count_block(self, flags: int, size: int) -> None:
        if flags & h2.END_HEADERS:
            self._block = 0
            return
        self._block += h2.FRAME_HEAD + size
        if self._block > self._max_block:
            raise ConnectionBroken(h2.ENHANCE_YOUR_CALM, "a header block is too long")
