"""
`VisitorFrames`: the frames in a visitor's bytes, free of I/O.
"""

from __future__ import annotations

from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.http2_frames import ConnectionBroken, Frame, FrameReader


class VisitorFrames(FrameReader):
    """The frames behind a client's preface, of which the first are its settings (RFC 9113 section 3.4)."""

    __slots__ = ("_preface", "_greeted")

    def __init__(self) -> None:
        super().__init__()
        self._preface = h2.PREFACE
        self._greeted = False

    def feed(self, data: bytes) -> list[Frame]:
        """FrameReader."""
        if self._greeted:
            return super().feed(data)
        if self._preface:
            data = self._after_preface(data)
        found = super().feed(data)
        if found:
            self._greeted = True
            if found[0][0] != h2.SETTINGS:
                raise ConnectionBroken(h2.PROTOCOL_ERROR, "the connection does not begin with settings")
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
