"""
The frame of a packet: length, padding, bounds; and the packets before the first keys, which have nothing else.

A packet lies in the *wire* buffer as RFC 4253 section 6 lays it out: ``uint32 length, byte padding length, payload, padding``,
with its payload from `PAYLOAD` on. It is sealed and opened where it lies: plaintext in a buffer of its own would take as
much of the processor's cache once more, and a gigabyte a tenth longer.
"""

from __future__ import annotations

import os
import struct
from typing import Any, Protocol

# Where a payload begins in a packet: behind ``uint32 length, byte padding length``.
PAYLOAD = 5

# The most bytes that framing adds to a payload: length, padding length, 19 of padding, a 64-byte MAC.
OVERHEAD = 4 + 1 + 19 + 64

# RFC 4253 section 6.1 asks for 35000; OpenSSH's own bound is this one. Bytes.
MAX_PACKET = 256 * 1024

# RFC 4253 section 6: at least four bytes of padding, and here at least one byte of payload.
_MIN_LENGTH = 1 + 1 + 4

_HEAD = struct.Struct(">IB")
U32 = struct.Struct(">I")
WRAP = 0xFFFFFFFF

# What `open` gives: where the next packet starts, and the payload's bounds.
Opened = tuple[int, int, int]


class PacketError(Exception):
    """
    The peer's packet cannot be right; the connection must end.

    :ivar code: the reason of ``SSH_MSG_DISCONNECT``, RFC 4253 section 11.1.
    """

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        super().__init__(text)


PROTOCOL_ERROR = 2
MAC_ERROR = 5


class Sealer(Protocol):
    """
    Seals the packets of one direction under one set of keys.

    :ivar framed: its packets are as long as a `Frame`.
    """

    sequence: int
    framed: bool

    def seal(self, wire: memoryview, at: int, size: int) -> int:
        """
        :param wire: holds the payload, and `OVERHEAD` bytes around it, which are overwritten.
        :param at: where the packet begins in it, and `PAYLOAD` bytes on the payload.
        :param size: the payload's length.
        :return: the end of the packet in ``wire``.
        """

    def seal_framed(self, frame: Frame) -> int:
        """The same for a packet whose views are at hand, which costs half as much beside the encryption."""

    def sealed(self, message: bytes) -> bytes:
        """
        The same for a small message, which costs less without views of buffers.

        :return: the packet.
        """

    def rest(self) -> None:
        """Nothing is sent for a while: what can be made again is given back."""


class Opener(Protocol):
    """
    Opens the packets of one direction under one set of keys.

    :ivar limit: the longest ``packet_length`` accepted, bytes.
    :ivar trailer: bytes that follow a packet whose length stands before it in clear; -1 if the length is encrypted, or the
        cipher is too rare to matter: see `ngrok_twisted.transports.ssh.packets.PacketReader.missing`.
    """

    sequence: int
    limit: int
    trailer: int

    def open(self, wire: memoryview, start: int, end: int) -> Opened | None:
        """
        :param wire: what was received, from ``start`` to ``end``; a packet that is whole becomes its plaintext.
        :return: the bounds, or ``None`` while the packet is not whole.
        :raises PacketError: its length or its authentication is wrong.
        """

    def rest(self) -> None:
        """As `Sealer.rest`."""


class Restless:
    """What keeps its state from packet to packet, or is too rare to matter."""

    __slots__ = ()

    def rest(self) -> None:
        """`Sealer.rest`: it keeps what it has."""


class _Noise:
    """
    Random padding, drawn from the system in one go for many packets: a call for each would cost as much as the sealing.
    """

    __slots__ = ("_pool", "_at")

    # Bytes a draw: about a thousand packets.
    DRAW = 16 * 1024

    def __init__(self) -> None:
        self._pool = b""
        self._at = 0

    def take(self, count: int) -> bytes:
        """:return: ``count`` bytes that were never handed out before."""
        at = self._at
        if at + count > len(self._pool):
            self._pool = os.urandom(self.DRAW)
            at = 0
        self._at = at + count
        return self._pool[at : at + count]


noise = _Noise()


def pad(wire: memoryview, at: int, size: int, loose: int, block: int) -> int:
    """
    Write the length fields and the padding around a payload.

    :param loose: how many of the leading bytes do not count towards the block: 4 where the length is not encrypted.
    :return: the plaintext's end in ``wire``.
    """
    padding = block - (PAYLOAD - loose + size) % block
    if padding < 4:
        padding += block
    end = at + PAYLOAD + size + padding
    _HEAD.pack_into(wire, at, end - at - 4, padding)
    wire[end - padding : end] = noise.take(padding)
    return end


def check_length(length: int, limit: int, loose: int, block: int) -> None:
    """
    :param limit: the longest accepted, bytes.
    :raises PacketError: no packet is so long.
    """
    if not _MIN_LENGTH <= length <= limit or (length + 4 - loose) % block:
        raise PacketError(PROTOCOL_ERROR, f"bad packet length {length}")


def payload_bounds(wire: memoryview, at: int, stop: int, following: int) -> Opened:
    """
    :param at: where ``padding_length`` stands, in clear by now.
    :param stop: the end of the plaintext.
    :param following: where the next packet starts.
    :raises PacketError: the padding is too short, or leaves no payload.
    """
    last = stop - wire[at]
    if wire[at] < 4 or last <= at + 1:
        raise PacketError(PROTOCOL_ERROR, "bad padding length")
    return following, at + 1, last


class Frame:
    """
    Where packets of one size lie, for those of which there are many: all that does not change from one to the next. The
    views are those of a cipher that leaves the length in clear, fills blocks of 16 bytes, and has a tag of 16.

    :ivar wire: see `Sealer.seal`, as ``at`` and ``size``.
    :ivar lengths: what stands before the payload.
    :ivar before: its place.
    :ivar padding: that of the padding.
    :ivar count: bytes of padding.
    :ivar head: the packet's length, which is not encrypted.
    :ivar clear: the place of what is.
    :ivar sealed: that of the ciphertext and the tag.
    :ivar end: where the packet ends in ``wire``.
    """

    __slots__ = "wire at size lengths before padding count head clear sealed end".split()

    def __init__(self, wire: memoryview, at: int, size: int) -> None:
        self.wire, self.at, self.size = wire, at, size
        stop = pad(wire, at, size, 4, 16)
        self.before = wire[at : at + PAYLOAD]
        self.lengths = bytes(self.before)
        self.padding = wire[at + PAYLOAD + size : stop]
        self.count = len(self.padding)
        self.head = self.lengths[:4]
        self.end = stop + 16
        self.clear = wire[at + 4 : stop]
        self.sealed = wire[at + 4 : self.end]


class Sealing(Restless):
    """`Sealer.sealed` and `Sealer.seal_framed` by `Sealer.seal`."""

    __slots__ = ()
    framed = False

    def seal_framed(self: Any, frame: Frame) -> int:
        """`Sealer.seal_framed`."""
        return self.seal(frame.wire, frame.at, frame.size)

    def sealed(self: Any, message: bytes) -> bytes:
        """`Sealer.sealed`."""
        size = len(message)
        wire = memoryview(bytearray(size + OVERHEAD))
        wire[PAYLOAD : PAYLOAD + size] = message
        return bytes(wire[: self.seal(wire, 0, size)])


class ClearSealer(Sealing):
    """What is sent before the first keys."""

    __slots__ = ("sequence",)

    def __init__(self, sequence: int = 0) -> None:
        self.sequence = sequence

    def seal(self, wire: memoryview, at: int, size: int) -> int:
        """`Sealer.seal`."""
        self.sequence = self.sequence + 1 & WRAP
        return pad(wire, at, size, 0, 8)

    def sealed(self, message: bytes) -> bytes:
        """`Sealer.sealed`."""
        size = len(message)
        padding = 11 - size % 8  # so that eights are filled, with four of padding at least
        self.sequence = self.sequence + 1 & WRAP
        return _HEAD.pack(1 + size + padding, padding) + message + noise.take(padding)


class ClearOpener(Restless):
    """What is received before the first keys."""

    __slots__ = ("sequence", "limit")
    trailer = 0

    def __init__(self, sequence: int = 0, limit: int = MAX_PACKET) -> None:
        self.sequence = sequence
        self.limit = limit

    def open(self, wire: memoryview, start: int, end: int) -> Opened | None:
        """`Opener.open`."""
        if end - start < 4:
            return None
        length = U32.unpack_from(wire, start)[0]
        check_length(length, self.limit, 0, 8)
        stop = start + 4 + length
        if stop > end:
            return None
        self.sequence = self.sequence + 1 & WRAP
        return payload_bounds(wire, start + 4, stop, stop)
