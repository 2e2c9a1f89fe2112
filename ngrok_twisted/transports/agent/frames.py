"""
Frames of the multiplexer: their layout, and `FrameReader`, which cuts them out of bytes that come in any pieces.

Pure. A body of data is never collected: each piece of it is handed on as a view of the bytes it came in, and a frame of
16 MiB takes no more room than one of 16 bytes. Source: agent-protocol.md, section 3.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any, Protocol

# Section 3.2, in the place where they stand in a header's first word.
RST, DATA, WNDINC, GOAWAY = 0x00, 0x10, 0x20, 0x30

# Flags of DATA.
FIN, SYN = 0x01, 0x02

# The top bits of an id and of an increment are reserved.
MASK = 0x7FFFFFFF

# Bytes either side may send on a new stream (section 3.5); it is not negotiated.
WINDOW = 0x40000

# The most bytes that we send in one frame: a stream with much to say lets others speak in between.
MAX_BODY = 64 * 1024

# Bytes of an agent's farewell that are kept, for the log.
MAX_TEXT = 256

# Frames of unknown types that are passed over. No agent has sent one yet; a peer that sends many speaks something else.
MAX_UNKNOWN = 64

HEADER_SIZE = 8

_TYPE = 0xF0
_FLAGS = 0x0F

# The first word and the size of a WNDINC frame.
_CREDIT = 4 << 8 | WNDINC
_CREDIT_SIZE = HEADER_SIZE + 4

_ONE = struct.Struct(">I")
_TWO = struct.Struct(">II")
_THREE = struct.Struct(">III")
_FOUR = struct.Struct(">IIII")

#: Packs a header: ``length << 8 | type | flags`` and the id.
pack_header = _TWO.pack


class ErrorCode(IntEnum):
    """Why a stream or a session ends. Section 3.6."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 4
    STREAM_REFUSED = 5
    STREAM_CANCELLED = 6
    STREAM_RESET = 7
    FRAME_SIZE_ERROR = 8
    ACCEPT_QUEUE_FULL = 9
    ENHANCE_YOUR_CALM = 10
    REMOTE_GONE_AWAY = 11
    STREAMS_EXHAUSTED = 12
    WRITE_TIMEOUT = 13
    SESSION_CLOSED = 14
    PEER_EOF = 15


class MuxError(Exception):
    """
    The agent broke the protocol: the session is over.

    :ivar code: the `ErrorCode` for the GOAWAY.
    :ivar text: a few words for it and for the log.
    """

    def __init__(self, code: ErrorCode, text: str) -> None:
        self.code = code
        self.text = text
        super().__init__(f"{text} ({code.name})")


def rst(id: int, code: int) -> bytes:
    """A frame that ends a stream at once, both ways."""
    return _THREE.pack(4 << 8 | RST, id, code)


def wndinc(id: int, increment: int) -> bytes:
    """
    A frame that lets the agent send more on a stream.

    :param increment: bytes, at least 1: the agents of the Go family end the session over a 0.
    """
    return _THREE.pack(4 << 8 | WNDINC, id, increment)


def goaway(last_id: int, code: int, text: str) -> bytes:
    """
    The frame that ends a session. The connection is to be closed behind it (section 3.7).

    :param last_id: of the last stream of the agent that was accepted.
    """
    debug = text.encode("utf-8", "replace")[:MAX_TEXT]
    return _FOUR.pack(8 + len(debug) << 8 | GOAWAY, 0, last_id, code) + debug


def joined(former: bytes, latter: bytes) -> bytes | None:
    """
    Two frames as one.

    :return: ``None`` if they are not both DATA of the same stream, the former without FIN.
    """
    if former[4:HEADER_SIZE] != latter[4:HEADER_SIZE] or former[3] & ~SYN != DATA or latter[3] & ~FIN != DATA:
        return None
    first, id = _TWO.unpack_from(former)
    second: int = _ONE.unpack_from(latter)[0]
    size = (first >> 8) + (second >> 8)
    head = pack_header(size << 8 | former[3] | latter[3], id)
    return b"".join((head, former[HEADER_SIZE:], latter[HEADER_SIZE:]))


class Receiver(Protocol):
    """
    Where the body of a DATA frame goes.

    :ivar batch: gets the pieces of bodies, in order: views that are good as long as the bytes that they were cut from.
    :ivar gone: nothing more is to be put there.
    """

    batch: list[memoryview]
    gone: bool


class FrameSink(Protocol):
    """What is told of frames. Each method may raise `MuxError`, which ends the reading."""

    def data_begins(self, id: int, flags: int, length: int) -> Any:
        """
        A DATA frame. Its body follows in pieces.

        :return: the `Receiver` of the body, or ``None``: it is thrown away.
        """

    def data_ends(self, receiver: Any) -> None:
        """The body of a frame with FIN is complete. Not called for bodies that nobody wanted."""

    def reset(self, id: int, code: int) -> None:
        """A RST frame."""

    def window_grows(self, id: int, increment: int) -> None:
        """A WNDINC frame; the increment may be 0."""

    def gone_away(self, code: int, text: str) -> None:
        """A GOAWAY frame. Nothing behind it is read."""


class FrameReader:
    """
    Cuts frames out of a byte stream.

    :ivar touched: the receivers that got something since it was last emptied, each once while its batch is not empty.
    :ivar ended: the agent has said farewell.
    """

    __slots__ = ("touched", "ended", "_sink", "_partial", "_left", "_receiver", "_fin", "_skip", "_unknown")

    def __init__(self, sink: FrameSink) -> None:
        self.touched: list[Any] = []
        self.ended = False
        self._sink = sink
        self._partial = b""  # of a frame that has to be whole
        self._left = 0  # of a DATA frame's body
        self._receiver: Any = None
        self._fin = False
        self._skip = 0  # of the body of an unknown frame
        self._unknown = 0

    def feed(self, data: Any) -> None:
        """
        Take the next bytes. After a `MuxError` nothing more may be fed.

        :param data: bytes-like.
        :raises MuxError: they are no frames, or the sink objects.
        """
        if self.ended:
            return
        if self._partial:
            data = self._partial + bytes(data)
            self._partial = b""
        view = data if data.__class__ is memoryview else memoryview(data)
        end = len(view)
        at = self._go_on(view, end) if self._left or self._skip else 0
        while end - at >= HEADER_SIZE:
            word, id = _TWO.unpack_from(view, at)
            if word & _TYPE == DATA:
                at = self._data(word, id & MASK, view, at + HEADER_SIZE, end)
            elif word == _CREDIT and id & MASK and end - at >= _CREDIT_SIZE:  # one for every 8 KiB of an upload
                self._sink.window_grows(id & MASK, _ONE.unpack_from(view, at + HEADER_SIZE)[0] & MASK)
                at += _CREDIT_SIZE
            else:
                after = self._control(word, id & MASK, view, at, end)
                if after < 0:
                    break
                at = after
                if self.ended:
                    return
        if at < end:
            self._partial = bytes(view[at:end])

    def _data(self, word: int, id: int, view: memoryview, at: int, end: int) -> int:
        """
        A frame of DATA, whose body begins at ``at``.

        :return: where its body ends in ``view``.
        """
        receiver = self._sink.data_begins(id, word & _FLAGS, word >> 8)
        stop = at + (word >> 8)
        if stop > end:
            self._left = stop - end
            self._receiver = receiver
            self._fin = word & FIN != 0
            stop = end
        if receiver is not None:
            if stop > at:
                if not receiver.batch:
                    self.touched.append(receiver)
                receiver.batch.append(view[at:stop])
            if word & FIN and not self._left:
                self._sink.data_ends(receiver)
        return stop

    def _go_on(self, view: memoryview, end: int) -> int:
        """
        Inside a body that began earlier.

        :return: where it ends in ``view``.
        """
        if self._skip:
            size = min(self._skip, end)
            self._skip -= size
            return size
        size = min(self._left, end)
        self._left -= size
        receiver = self._receiver
        if receiver is not None:
            if size and not receiver.gone:
                if not receiver.batch:
                    self.touched.append(receiver)
                receiver.batch.append(view[:size])
            if not self._left:
                self._receiver = None
                if self._fin and not receiver.gone:
                    self._sink.data_ends(receiver)
        return size

    def _control(self, word: int, id: int, view: memoryview, at: int, end: int) -> int:
        """
        A frame that is not DATA.

        :return: where the next one begins, or -1 where this one is not complete.
        """
        kind = word & _TYPE
        length = word >> 8
        if kind == GOAWAY:
            return self._farewell(length, view, at, end)
        if kind > GOAWAY:
            return self._pass_over(length, at, end)
        if length != 4:
            raise MuxError(ErrorCode.FRAME_SIZE_ERROR, f"a frame of type {kind >> 4} with {length} bytes")
        if not id:
            raise MuxError(ErrorCode.PROTOCOL_ERROR, f"a frame of type {kind >> 4} for no stream")
        if end - at < HEADER_SIZE + 4:
            return -1
        value = int.from_bytes(view[at + 8 : at + 12], "big")
        if kind == RST:
            self._sink.reset(id, value)
        else:
            self._sink.window_grows(id, value & MASK)
        return at + HEADER_SIZE + 4

    def _farewell(self, length: int, view: memoryview, at: int, end: int) -> int:
        # Agents of the Rust family announce 8 bytes too few (section 3.8, L3), so that this is the end of what can be read.
        at += HEADER_SIZE
        text_size = min(max(length - 8, 0), MAX_TEXT)
        if end - at < 8 + text_size:
            return -1
        self.ended = True
        text = bytes(view[at + 8 : at + 8 + text_size]).decode("utf-8", "replace")
        self._sink.gone_away(int.from_bytes(view[at + 4 : at + 8], "big"), text)
        return end

    def _pass_over(self, length: int, at: int, end: int) -> int:
        """Unknown types are passed over, as the Go family does."""
        self._unknown += 1
        if self._unknown > MAX_UNKNOWN:
            raise MuxError(ErrorCode.PROTOCOL_ERROR, "too many frames of unknown types")
        after = at + HEADER_SIZE + length
        self._skip = max(0, after - end)
        return min(after, end)
