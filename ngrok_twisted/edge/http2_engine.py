"""
`Engine`: what a server knows of one connection besides its streams (RFC 9113), free of I/O: how far it has come, what it may send,
what visitors' header blocks mean. It makes the frames of responses: nine bytes in front of buffers that are handed along.

A stream is what `ngrok_twisted.edge.http2_sending.StreamWriter` is: it has a number and a ``send_window``.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, Iterable, Sequence

from ngrok_twisted.edge.http2_hpack import BlockDecoder
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.http2_frames import ConnectionBroken
from ngrok_twisted.upstream.http2_hpack import NO_TABLE
from ngrok_twisted.upstream.syntax import KILOBYTE

MEGABYTE = 1024 * KILOBYTE

#: What a visitor may send on all its streams together before it hears from us. It is given back at once, so that no stream
#: stands in the way of another; what is held is bounded by the windows of the streams.
CONNECTION_WINDOW = 4 * MEGABYTE

#: What it may send on one (RFC 9113 section 6.9.2).
STREAM_WINDOW = h2.DEFAULT_WINDOW

#: The payload of one DATA frame: with its head it fills a TLS record.
DATA_BYTES = 16 * KILOBYTE - h2.FRAME_HEAD

#: Streams that were reset, and are remembered for what was on its way to them.
REMEMBERED = 512

_GOAWAY = Struct(">LL")


class Engine:
    """
    The server's side of one connection.

    :ivar blocks: the `BlockDecoder`.
    :ivar highest: the latest stream that the visitor has begun.
    :ivar send_window: bytes of bodies that may be sent on all streams together.
    :ivar stream_window: and on one that begins now.
    """

    __slots__ = ("blocks", "highest", "send_window", "stream_window", "_greeting", "_sent_block", "_resets")

    def __init__(self, max_streams: int, max_fields: int, max_bytes: int) -> None:
        """
        :param max_streams: how many a visitor is told that it may have open at once. They are counted by whoever asks.
        :param max_fields: of one head.
        :param max_bytes: of one head.
        """
        self.blocks = BlockDecoder(max_fields, max_bytes)
        self.highest = 0
        self.send_window = self.stream_window = h2.DEFAULT_WINDOW
        self._greeting = _settings(max_streams, max_bytes)
        self._sent_block = False
        self._resets: dict[int, bool] = {}

    def greeting(self) -> bytes:
        """What a server says first."""
        return self._greeting + h2.window_update(0, CONNECTION_WINDOW - STREAM_WINDOW)

    # -- streams

    def never_was(self, number: int) -> bool:
        """Whether no visitor can have begun this stream yet (RFC 9113 section 5.1.1)."""
        return number > self.highest or not number & 1

    def reset(self, number: int, code: int) -> bytes:
        """
        End a stream at once.

        :return: the frame that says so.
        """
        self._remember(number, True)
        return h2.reset(number, code)

    def was_reset(self, number: int) -> None:
        """The visitor has ended a stream at once."""
        self._remember(number, False)

    def _remember(self, number: int, by_us: bool) -> None:
        resets = self._resets
        resets[number] = by_us
        if len(resets) > REMEMBERED:
            del resets[next(iter(resets))]

    def late(self, number: int) -> bytes:
        """
        Something came on a stream that is over, and not only to tidy up (RFC 9113 section 5.1).

        :return: what to answer, if anything: a visitor cannot know at once that we have reset a stream.
        :raises ConnectionBroken: it had said itself that nothing more would come.
        """
        by_us = self._resets.get(number)
        if by_us is None:
            raise ConnectionBroken(h2.STREAM_CLOSED, "a frame on a stream that has ended")
        return b"" if by_us else h2.reset(number, h2.STREAM_CLOSED)

    # -- windows

    def window(self, stream: Any) -> int:
        """:return: how many bytes of body may be sent on the stream now."""
        own: int = stream.send_window
        return own if own < self.send_window else self.send_window

    def window_came(self, stream: Any, size: int) -> bool:
        """
        The visitor opens a window.

        :param stream: ``None`` for the connection's.
        :param size: by how many bytes.
        :return: whether it may be as wide as that (RFC 9113 section 6.9.1).
        """
        opened = self if stream is None else stream
        opened.send_window += size
        return 0 < size and opened.send_window <= h2.MAX_WINDOW

    def settings_came(self, payload: Any, streams: Iterable[Any]) -> None:
        """
        What the visitor wants. Its table is not used, and no frame is larger than everybody takes.

        :param streams: those that are open: they get, or owe, the difference (RFC 9113 section 6.9.2).
        :raises ConnectionBroken: it cannot be.
        """
        window = h2.read_settings(payload, pushes=1).get(h2.INITIAL_WINDOW_SIZE, self.stream_window)
        more, self.stream_window = window - self.stream_window, window
        for stream in streams if more else ():
            stream.send_window += more
            if stream.send_window > h2.MAX_WINDOW:
                raise ConnectionBroken(h2.FLOW_CONTROL_ERROR, "a window that cannot be")

    # -- what is sent

    def header_frames(self, stream: Any, block: bytes, end: bool = False) -> list[bytes]:
        """
        :param block: from `ngrok_twisted.edge.http2_hpack.block_of`.
        :param end: nothing follows on the stream.
        """
        if not self._sent_block:
            self._sent_block = True
            block = NO_TABLE + block
        return h2.header_frames(stream.id, block, end, h2.FRAME)

    def data_frames(self, stream: Any, buffers: Sequence[Any], size: int, end: bool = False) -> list[Any]:
        """
        :param stream: its window must be as large.
        :param buffers: bytes-like.
        :param size: of all of them in bytes.
        :param end: nothing follows on the stream.
        :return: bytes-like objects to write; buffers are among them.
        """
        self.send_window -= size
        stream.send_window -= size
        last = h2.END_STREAM if end else 0
        if size <= DATA_BYTES:
            return [h2.frame_head(h2.DATA, last, stream.id, size), *buffers]
        parts: list[Any] = []
        whole = memoryview(buffers[0] if len(buffers) == 1 else b"".join(buffers))
        for start in range(0, size, DATA_BYTES):
            piece = whole[start : start + DATA_BYTES]
            flags = last if start + DATA_BYTES >= size else 0
            parts += (h2.frame_head(h2.DATA, flags, stream.id, len(piece)), piece)
        return parts

    def goaway(self, last_stream: int, code: int = h2.NO_ERROR, why: str = "") -> bytes:
        """
        :param last_stream: requests on later streams were not looked at, and may be sent again.
        :param why: for who looks into the connection.
        """
        payload = _GOAWAY.pack(last_stream, code) + why.encode("ascii", "replace")
        return h2.frame_head(h2.GOAWAY, 0, 0, len(payload)) + payload


def _settings(max_streams: int, max_bytes: int) -> bytes:
    """What differs from the defaults of RFC 9113 section 6.5.2."""
    return h2.settings_frame(
        {h2.MAX_CONCURRENT_STREAMS: max_streams, h2.MAX_HEADER_LIST_SIZE: max_bytes, h2.ENABLE_CONNECT_PROTOCOL: 1}
    )
