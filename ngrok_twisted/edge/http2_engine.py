"""
`Engine`: h2 as the edge uses it. It reads the frames that begin and end things, knows the state of every stream, and answers
what has to be answered by itself. Bodies and their windows, either way, go around it, and it is told what it has to know.

h2 would copy each byte of a body four times on its way out, compress each response anew, count its streams at each request, and
take 40 µs for a frame that opens a window. Here a frame is nine bytes in front of buffers that are handed along.

A connection that says GOAWAY goes on with what it has begun (RFC 9113 section 6.8). For h2 it would be over, so that it hears of
none: those of visitors are read here, and ours are written here.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, Sequence

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.stream import StreamInputs

from ngrok_twisted.edge.http2_hpack import BlockDecoder
from ngrok_twisted.upstream import http2_frames as h2
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

# Streams that h2 remembers after their end, so as to know late frames from wrong ones. Its own number would be megabytes for
# a connection that lives long.
_REMEMBERED = 512

# Closed streams that h2 may hold beside those that are open before it has to look through them; and when none is open, since
# a connection that rests should keep little.
_SWEEP = 64
_SWEEP_AT_REST = 8

_GOAWAY = Struct(">LL")


class Engine(H2Connection):
    """
    The server's side of one connection.

    :ivar blocks: the `BlockDecoder`, which has the fields of the block that was read last.
    """

    MAX_CLOSED_STREAMS = _REMEMBERED

    def __init__(self, max_streams: int, max_fields: int, max_bytes: int) -> None:
        """
        :param max_streams: how many a visitor is told that it may have open at once. They are counted by whoever asks.
        :param max_fields: of one head.
        :param max_bytes: of one head.
        """
        super().__init__(_CONFIGURATION)
        self.blocks = BlockDecoder(max_fields, max_bytes)
        self.decoder: Any = self.blocks
        self._greeting = _settings(max_streams, max_bytes)
        self._sweep_at = max_streams + _SWEEP
        self._sent_block = False
        self.receive_data(h2.PREFACE)  # `VisitorFrames` has seen the visitor's

    @property
    def open_inbound_streams(self) -> int:
        """
        H2Connection. It is asked at each request, and then looks through all streams; here only now and then, and it never
        says that there are too many: for h2 that is the end of the connection, also for a visitor that could not know.
        """
        if len(self.streams) > self._sweep_at:
            super().open_inbound_streams
        return 0

    def rest(self) -> None:
        """No stream is open: let go of those that were."""
        if len(self.streams) > _SWEEP_AT_REST:
            super().open_inbound_streams

    def greeting(self) -> bytes:
        """What a server says first."""
        self.increment_flow_control_window(CONNECTION_WINDOW - STREAM_WINDOW)
        return self._greeting + self.data_to_send()

    def window(self, stream: Any) -> int:
        """
        :param stream: h2's.
        :return: how many bytes of body may be sent on it now.
        """
        own: int = stream.outbound_flow_control_window
        return own if own < self.outbound_flow_control_window else self.outbound_flow_control_window

    def header_frames(self, stream: Any, block: bytes, end: bool = False) -> list[bytes]:
        """
        :param stream: h2's; it is ended if asked for.
        :param block: from `ngrok_twisted.edge.http2_hpack.block_of`.
        """
        if not self._sent_block:
            self._sent_block = True
            block = NO_TABLE + block
        if end:
            stream.state_machine.process_input(StreamInputs.SEND_END_STREAM)
        return h2.header_frames(stream.stream_id, block, end, self.max_outbound_frame_size)

    def data_frames(self, stream: Any, buffers: Sequence[Any], size: int, end: bool = False) -> list[Any]:
        """
        :param stream: h2's; its window must be as large, and it is ended if asked for.
        :param buffers: bytes-like.
        :param size: of all of them in bytes.
        :return: bytes-like objects to write; buffers are among them.
        """
        self.outbound_flow_control_window -= size
        stream.outbound_flow_control_window -= size
        last = 0
        if end:
            stream.state_machine.process_input(StreamInputs.SEND_END_STREAM)
            last = h2.END_STREAM
        stream_id = stream.stream_id
        if size <= DATA_BYTES:
            return [h2.frame_head(h2.DATA, last, stream_id, size), *buffers]
        parts: list[Any] = []
        whole = memoryview(buffers[0] if len(buffers) == 1 else b"".join(buffers))
        for start in range(0, size, DATA_BYTES):
            piece = whole[start : start + DATA_BYTES]
            flags = last if start + DATA_BYTES >= size else 0
            parts += (h2.frame_head(h2.DATA, flags, stream_id, len(piece)), piece)
        return parts

    def end_came(self, stream: Any) -> None:
        """
        The visitor's last data came.

        :param stream: h2's.
        """
        stream.state_machine.process_input(StreamInputs.RECV_END_STREAM)

    def window_came(self, stream: Any, size: int) -> bool:
        """
        The visitor opens a window.

        :param stream: h2's; ``None`` for the connection's.
        :param size: by how many bytes.
        :return: whether it may be as wide as that (RFC 9113 section 6.9.1).
        """
        opened = self if stream is None else stream
        opened.outbound_flow_control_window += size
        return 0 < size and opened.outbound_flow_control_window <= h2.MAX_WINDOW

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


# Fields are checked where they are read.
_CONFIGURATION = H2Configuration(
    client_side=False,
    header_encoding=None,
    validate_inbound_headers=False,
    normalize_inbound_headers=False,
    validate_outbound_headers=False,
    normalize_outbound_headers=False,
)
