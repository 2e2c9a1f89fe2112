"""
HTTP/2 frames (RFC 9113 sections 4 and 6): bytes to frames and back, free of I/O and of memory of what came before.
"""

from __future__ import annotations

import struct
from typing import Any

from ngrok_twisted.upstream.syntax import KILOBYTE

#: What a client sends before everything else (section 3.4).
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

# Types of frames (section 6).
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)

# Flags. ACK is for SETTINGS and PING, the others for DATA and HEADERS.
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITIZED = 0x1, 0x1, 0x4, 0x8, 0x20

# Error codes (section 7).
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT = range(5)
STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR = range(5, 10)
CONNECT_ERROR, ENHANCE_YOUR_CALM, INADEQUATE_SECURITY, HTTP_1_1_REQUIRED = range(10, 14)

_CODE_NAMES = (
    *("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED"),
    *("FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM"),
    *("INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"),
)

# Settings (section 6.5.2; RFC 8441 section 3 for the last).
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = range(1, 5)
MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = 5, 6
ENABLE_CONNECT_PROTOCOL = 8

#: Bytes: the window of a stream, and of the connection, as long as nobody says otherwise (section 6.9.2).
DEFAULT_WINDOW = 65535

#: Bytes: the largest window there may be (section 6.9.1).
MAX_WINDOW = 2**31 - 1

#: Bytes: the payload of a frame that everybody takes (section 4.2). We never say that we take more.
FRAME = 16 * KILOBYTE

#: Settings in one frame. There are a dozen that somebody has defined.
MAX_SETTINGS = 64

#: The highest number of a stream (section 5.1.1).
MAX_STREAM_ID = 2**31 - 1

#: Bytes: what stands before a payload.
FRAME_HEAD = 9

_NUMBER = 0x7FFFFFFF
_PACK_HEAD = struct.Struct(">HBBBL").pack
_UNPACK_HEAD = struct.Struct(">HBBBL").unpack_from
_UNPACK_SETTINGS = struct.Struct(">HL").iter_unpack
_UNPACK_NUMBER = struct.Struct(">L").unpack_from

#: One frame: its type, its flags, the number of its stream, its payload (a ``memoryview``).
Frame = tuple[int, int, int, Any]


class ConnectionBroken(Exception):
    """
    The peer breaks the protocol in a way that ends the connection (section 5.4.1).

    :ivar code: the error code for the ``GOAWAY``.
    """

    def __init__(self, code: int, why: str) -> None:
        self.code = code
        super().__init__(why)


class StreamBroken(Exception):
    """
    The peer breaks the protocol in a way that ends one stream (section 5.4.2).

    :ivar code: the error code for the ``RST_STREAM``.
    """

    def __init__(self, why: str, code: int = PROTOCOL_ERROR) -> None:
        self.code = code
        super().__init__(why)


def code_name(code: int) -> str:
    """
    :param code: an error code.
    :return: such as ``REFUSED_STREAM``, or the number of one that nobody has defined.
    """
    return _CODE_NAMES[code] if code < len(_CODE_NAMES) else f"{code:#x}"


class FrameReader:
    """
    Takes the bytes of a connection and gives its frames.

    What it keeps is less than one frame of the largest size.
    """

    __slots__ = ("_partial", "_wanted")

    def __init__(self) -> None:
        self._partial: list[bytes] = []
        self._wanted = 0

    def feed(self, data: bytes) -> list[Frame]:
        """
        :param data: the next bytes.
        :return: the frames that are complete; their payloads are views on ``data``, or on a copy of it.
        :raises ConnectionBroken: a frame is larger than we said we take.
        """
        if self._partial:
            self._partial.append(data)
            self._wanted -= len(data)
            if self._wanted > 0:
                return []
            data = b"".join(self._partial)
            self._partial = []
        frames: list[Frame] = []
        view = memoryview(data)
        position, end = 0, len(data)
        while end - position >= FRAME_HEAD:
            high, low, kind, flags, number = _UNPACK_HEAD(data, position)
            size = high << 8 | low
            if size > FRAME:
                raise ConnectionBroken(FRAME_SIZE_ERROR, "a frame is too large")
            stop = position + FRAME_HEAD + size
            if stop > end:
                self._keep(data[position:], stop - end)
                return frames
            frames.append((kind, flags, number & _NUMBER, view[position + FRAME_HEAD : stop]))
            position = stop
        if position < end:
            self._keep(data[position:], FRAME_HEAD - (end - position))
        return frames

    def _keep(self, rest: bytes, wanted: int) -> None:
        self._partial.append(rest)
        self._wanted = wanted


def frame_head(kind: int, flags: int, stream: int, size: int) -> bytes:
    """
    What stands before a payload.

    :param size: of the payload, in bytes.
    """
    return _PACK_HEAD(size >> 8, size & 0xFF, kind, flags, stream)


def header_frames(stream: int, block: bytes, end_stream: bool, size: int) -> list[bytes]:
    """
    A header block as one ``HEADERS`` frame, and as many ``CONTINUATION`` frames as it takes.

    :param size: bytes that the peer takes in one frame.
    :return: heads and payloads, in turn.
    """
    ends = END_STREAM if end_stream else 0
    if len(block) <= size:
        return [frame_head(HEADERS, ends | END_HEADERS, stream, len(block)), block]
    parts = [frame_head(HEADERS, ends, stream, size), block[:size]]
    for position in range(size, len(block), size):
        piece = block[position : position + size]
        flags = END_HEADERS if position + size >= len(block) else 0
        parts += (frame_head(CONTINUATION, flags, stream, len(piece)), piece)
    return parts


def settings_frame(settings: dict[int, int]) -> bytes:
    """
    :param settings: identifiers to values.
    """
    payload = b"".join([struct.pack(">HL", name, value) for name, value in settings.items()])
    return frame_head(SETTINGS, 0, 0, len(payload)) + payload


#: The answer to a ``SETTINGS`` frame.
SETTINGS_ACK = frame_head(SETTINGS, ACK, 0, 0)


def window_update(stream: int, size: int) -> bytes:
    """
    :param stream: 0 for the window of the connection.
    :param size: bytes more.
    """
    return frame_head(WINDOW_UPDATE, 0, stream, 4) + struct.pack(">L", size)


def reset(stream: int, code: int) -> bytes:
    """
    :param code: an error code.
    """
    return frame_head(RST_STREAM, 0, stream, 4) + struct.pack(">L", code)


def ping(payload: Any, ack: bool = False) -> bytes:
    """
    :param payload: 8 bytes.
    """
    return frame_head(PING, ACK if ack else 0, 0, 8) + bytes(payload)


def goaway(code: int) -> bytes:
    """
    A client's farewell: no stream of the server's was ever opened.

    :param code: an error code.
    """
    return frame_head(GOAWAY, 0, 0, 8) + struct.pack(">LL", 0, code)


def begins(data: bytes) -> bool:
    """
    :param data: what a server has said so far.
    :return: whether it speaks HTTP/2: then it begins with its settings, whatever it was asked (section 3.4).
    """
    return len(data) >= FRAME_HEAD and data[3] == SETTINGS and data[0] == data[4] == 0 and not any(data[5:FRAME_HEAD])


def read_number(kind: int, payload: Any) -> int:
    """
    The number that a ``WINDOW_UPDATE`` or ``RST_STREAM`` holds.

    :raises ConnectionBroken: it holds anything else.
    """
    if len(payload) != 4:
        raise ConnectionBroken(FRAME_SIZE_ERROR, "a frame has the wrong size")
    number: int = _UNPACK_NUMBER(payload)[0]
    return number & _NUMBER if kind == WINDOW_UPDATE else number


def read_settings(payload: Any, pushes: int = 0) -> dict[int, int]:
    """
    :param pushes: the most that ``ENABLE_PUSH`` may be: 1 from a client.
    :return: identifiers to values, unknown ones too; of one that is there twice, the later value.
    :raises ConnectionBroken: it is cut, too long, or holds a value that there cannot be (section 6.5.2).
    """
    if len(payload) % 6:
        raise ConnectionBroken(FRAME_SIZE_ERROR, "SETTINGS of the wrong size")
    if len(payload) > 6 * MAX_SETTINGS:
        raise ConnectionBroken(ENHANCE_YOUR_CALM, "too many settings")
    settings = dict(_UNPACK_SETTINGS(payload))
    if settings.get(INITIAL_WINDOW_SIZE, 0) > MAX_WINDOW:
        raise ConnectionBroken(FLOW_CONTROL_ERROR, "the initial window is too large")
    if not FRAME <= settings.get(MAX_FRAME_SIZE, FRAME) < 2**24:
        raise ConnectionBroken(PROTOCOL_ERROR, "the size of frames is out of range")
    if settings.get(ENABLE_PUSH, 0) > pushes:
        raise ConnectionBroken(PROTOCOL_ERROR, "pushes that cannot be asked for")
    if settings.get(ENABLE_CONNECT_PROTOCOL, 0) > 1:
        raise ConnectionBroken(PROTOCOL_ERROR, "ENABLE_CONNECT_PROTOCOL is neither 0 nor 1")
    return settings


def read_goaway(payload: Any) -> tuple[int, int]:
    """
    :return: the highest stream that was or will be worked on, and the error code.
    :raises ConnectionBroken: it is cut.
    """
    if len(payload) < 8:
        raise ConnectionBroken(FRAME_SIZE_ERROR, "GOAWAY of the wrong size")
    return _UNPACK_NUMBER(payload)[0] & _NUMBER, _UNPACK_NUMBER(payload, 4)[0]


def without_padding(flags: int, payload: Any) -> Any:
    """
    What is left of a payload without its padding (section 6.1).

    :raises ConnectionBroken: there is more padding than payload.
    """
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise ConnectionBroken(PROTOCOL_ERROR, "more padding than payload")
    return payload[1 : len(payload) - payload[0]]
