"""
WebSocket as a server speaks it (RFC 6455), without I/O: the handshake's answer, frames in, frames out.

`FrameReader` hands the payload of data frames on as it comes, so that no message is ever held, however long it is; where
messages begin and end, and whether they are text or binary, is checked and then forgotten. Extensions are not spoken.
"""

from __future__ import annotations

from base64 import b64encode
from binascii import Error as NotBase64
from binascii import a2b_base64
from hashlib import sha1

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

#: What `FrameReader.feed` calls the payload of a data frame, or a piece of one.
DATA = BINARY

# Close codes (section 7.4.1).
NORMAL, GOING_AWAY, PROTOCOL_ERROR, NO_CODE, INVALID_DATA, INTERNAL_ERROR = 1000, 1001, 1002, 1005, 1007, 1011

#: The version that RFC 6455 defines.
VERSION = b"13"

# Section 1.3.
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

# Section 5.5: the longest payload of a control frame.
_CONTROL_MAX = 125

# Below this a number is the quickest way to unmask (0.4 µs), above it a table for each of the mask's bytes (1.1 ns a byte).
_NUMBER_MAX = 512

_TABLES = tuple(bytes(byte ^ mask for byte in range(256)) for mask in range(256))

# Codes that may stand in a Close frame: those of RFC 6455 and its registry; 3000 and above belong to applications.
_CLOSE_CODES = frozenset((*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)))


class WebSocketError(Exception):
    """
    The peer breaks the protocol: the connection is failed (section 7.1.7).

    :ivar code: the close code to send.
    """

    def __init__(self, code: int, why: str) -> None:
        self.code = code
        super().__init__(why)


def accepted(key: bytes) -> bytes | None:
    """
    The value of ``Sec-WebSocket-Accept`` (section 4.2.2).

    :param key: the client's ``Sec-WebSocket-Key``.
    :return: ``None`` if it is not 16 bytes in Base64.
    """
    try:
        if len(a2b_base64(key, strict_mode=True)) != 16:
            return None
    except NotBase64:
        return None
    return b64encode(sha1(key + _GUID).digest())


def frame_head(opcode: int, size: int) -> bytes:
    """
    What stands before the payload of a whole, unmasked frame (section 5.2).

    :param size: of the payload, in bytes.
    """
    if size < 126:
        return bytes((0x80 | opcode, size))
    if size < 0x10000:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big")
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big")


def close_payload(code: int) -> bytes:
    """
    What a Close frame says (section 5.5.1).

    :param code: `NO_CODE` for a frame that says nothing.
    """
    return b"" if code == NO_CODE else code.to_bytes(2, "big")


def close_code(payload: bytes) -> int:
    """
    The code in a Close frame (section 5.5.1).

    :return: `NO_CODE` if there is none.
    :raises WebSocketError: it is none that may be sent, or what follows is not text.
    """
    if not payload:
        return NO_CODE
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or code not in _CLOSE_CODES:
        raise WebSocketError(PROTOCOL_ERROR, "a Close frame with a code that may not be sent")
    try:
        payload[2:].decode("utf-8")
    except UnicodeDecodeError:
        raise WebSocketError(INVALID_DATA, "a Close frame whose reason is not UTF-8") from None
    return code


def masked(data: bytes, mask: bytes, offset: int = 0) -> bytes:
    """
    Put a mask on a payload, or take it off (section 5.3).

    :param mask: four bytes.
    :param offset: how many bytes of the payload came before these.
    """
    size = len(data)
    if offset & 3:
        mask = mask[offset & 3 :] + mask[: offset & 3]
    if size <= _NUMBER_MAX:
        number = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
        return (int.from_bytes(data, "big") ^ number).to_bytes(size, "big")
    made = bytearray(data)
    for index in range(4):
        made[index::4] = made[index::4].translate(_TABLES[mask[index]])
    return bytes(made)


class FrameReader:
    """
    What a client sends, frame by frame.

    :ivar closed: there was a Close frame; nothing after it counts.
    """

    __slots__ = ("closed", "_buffer", "_left", "_offset", "_mask", "_open")

    def __init__(self) -> None:
        self.closed = False
        self._buffer = b""
        self._left = 0  # of the payload of the current data frame
        self._offset = 0
        self._mask = b""
        self._open = False  # a message has begun and not ended

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """
        :return: what is new, in order: ``(DATA, bytes)``, and ``(PING, payload)``, ``(PONG, payload)``, ``(CLOSE, payload)``.
        :raises WebSocketError: the client breaks the protocol; then the reader is of no use any more.
        """
        found: list[tuple[int, bytes]] = []
        if self.closed:
            return found
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        position, size = 0, len(data)
        while position < size and not self.closed:
            if self._left:
                piece = data[position : position + self._left]
                position += len(piece)
                found.append((DATA, self._unmasked(piece)))
                continue
            head = self._head(data, position)
            if head is None:
                self._buffer = data[position:]  # at most the head and the payload of a control frame
                break
            opcode, length, start = head
            if opcode >= CLOSE:
                position = start + length
                found.append((opcode, masked(data[start:position], self._mask)))
                self.closed = opcode == CLOSE
            else:
                position, self._left, self._offset = start, length, 0
        return found

    def _unmasked(self, piece: bytes) -> bytes:
        made = masked(piece, self._mask, self._offset)
        self._left -= len(piece)
        self._offset += len(piece)
        return made

    def _head(self, data: bytes, position: int) -> tuple[int, int, int] | None:
        """
        Read a frame's head (section 5.2), and wait for the whole of a control frame.

        :return: opcode, length of the payload, and where it starts; ``None``: more is needed.
        """
        rest = len(data) - position
        if rest < 2:
            return None
        first, second = data[position], data[position + 1]
        opcode, length = first & 0x0F, second & 0x7F
        self._check(first, second, opcode, length)
        wide = (0, 2, 8)[max(0, length - _CONTROL_MAX)]
        start = position + 2 + wide + 4
        if rest < 6 + wide + (length if opcode >= CLOSE else 0):
            return None
        if wide:
            length = _length(data[position + 2 : position + 2 + wide])
        self._mask = data[start - 4 : start]
        if opcode < CLOSE:
            self._open = not first & 0x80
        return opcode, length, start

    def _check(self, first: int, second: int, opcode: int, length: int) -> None:
        """
        :raises WebSocketError: no frame begins like this here.
        """
        if first & 0x70:
            raise WebSocketError(PROTOCOL_ERROR, "a frame of an extension that was not agreed on")
        if not second & 0x80:
            raise WebSocketError(PROTOCOL_ERROR, "a frame without a mask")
        if opcode >= CLOSE:
            if opcode > PONG or length > _CONTROL_MAX or not first & 0x80:
                raise WebSocketError(PROTOCOL_ERROR, "a control frame that is unknown, long or in parts")
        elif opcode > BINARY or self._open != (opcode == CONTINUATION):
            raise WebSocketError(PROTOCOL_ERROR, "a data frame that is unknown or out of place")


def _length(data: bytes) -> int:
    length = int.from_bytes(data, "big")
    if length < (126 if len(data) == 2 else 0x10000) or length >> 63:
        raise WebSocketError(PROTOCOL_ERROR, "a length that is not written in the shortest way")
    return length
