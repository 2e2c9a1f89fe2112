"""
Header compression (RFC 7541), free of I/O: `BlockDecoder` for what visitors send, `block_of` for what they get.

A visitor's requests are much alike, and what differs in them is seldom put into the table. So a block that leaves the table as it
is means the same until the next one that does not, and is read once. Most visitors have the path before all that never differs:
what stands behind the last field that is spelled out is remembered by itself.

A block can be read to its end without keeping what is too much, so that the visitor is answered 431 and not disconnected.

Responses are written without the dynamic table: the bytes of a field are then the same on every connection, and are worked
out once.
"""

from __future__ import annotations

from typing import Any, Sequence

from hpack.exceptions import HPACKDecodingError

from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.http2_frames import ConnectionBroken
from ngrok_twisted.upstream.http2_hpack import STATIC, encode, read_integer, read_text
from ngrok_twisted.upstream.memo import Memo, size_of
from ngrok_twisted.upstream.syntax import KILOBYTE

Field = tuple[bytes, bytes]
Fields = Sequence[Field]

# What a field takes besides its text, as limits and tables count (RFC 9113 section 10.5.1, RFC 7541 section 4.1).
FIELD_BYTES = 32

#: Bytes of the dynamic table, as long as nobody says otherwise (RFC 9113 section 6.5.2). We never do.
TABLE_BYTES = 4096

# A block that is this many times over a limit is not even read to its end: it does not come from a visitor who erred.
HARD = 2

# Blocks that are remembered on a connection: this many, of so many bytes, with so many bytes of fields. They are forgotten
# with every change of the table, since most of them mean something else then.
_KNOWN_BLOCKS = 4
_KNOWN_BYTES = 256
_KNOWN_FIELDS = 8 * KILOBYTE

# The first bytes of fields that stand in the static table, up to this one, and in the dynamic table above it.
_LAST_STATIC = 0x80 | len(STATIC)


class HeadBlock:
    """
    What a block holds. It is shared by all requests with the same one.

    :ivar fields: in order; empty if there was too much.
    :ivar excess: it was over a limit.
    :ivar unpacked: bytes by which its fields are longer than the block.
    :ivar head: room for whoever has found out what the fields say.
    """

    __slots__ = ("fields", "excess", "unpacked", "head")

    def __init__(self, fields: Fields, excess: bool, unpacked: int) -> None:
        self.fields = fields
        self.excess = excess
        self.unpacked = unpacked
        self.head: Any = None


class _Table:
    """
    The dynamic table (RFC 7541 section 2.3.2).

    :ivar fields: the newest at the end.
    :ivar most: bytes that it may take.
    :ivar changes: how often it was another than before.
    """

    __slots__ = ("fields", "most", "changes", "_bytes")

    def __init__(self) -> None:
        self.fields: list[Field] = []
        self.most = TABLE_BYTES
        self.changes = 0
        self._bytes = 0

    def add(self, field: Field) -> None:
        """A field that is longer than the table empties it (section 4.4)."""
        self.fields.append(field)
        self._bytes += len(field[0]) + len(field[1]) + FIELD_BYTES
        self._fit()

    def resize(self, most: int) -> None:
        """:param most: bytes that it may take from now on."""
        self.most = most
        self._fit()

    def _fit(self) -> None:
        self.changes += 1
        count = 0
        while self._bytes > self.most:
            name, value = self.fields[count]
            self._bytes -= len(name) + len(value) + FIELD_BYTES
            count += 1
        if count:
            del self.fields[:count]

    def get(self, index: int) -> Field:
        """
        :param index: across both tables (section 2.3.3), from 1.
        :raises IndexError: there is none.
        """
        if 0 < index <= len(STATIC):
            return STATIC[index - 1]
        index -= len(STATIC)
        if not 0 < index <= len(self.fields):
            raise IndexError(index)
        return self.fields[-index]


class BlockDecoder:
    """
    The decoder of one connection.
    """

    __slots__ = ("_table", "_max_fields", "_max_bytes", "_known", "_rests")

    def __init__(self, max_fields: int, max_bytes: int) -> None:
        """
        :param max_fields: of one block.
        :param max_bytes: of one block's fields, each with `FIELD_BYTES`.
        """
        self._table = _Table()
        self._max_fields = max_fields
        self._max_bytes = max_bytes
        self._known: dict[bytes, HeadBlock] = {}
        self._rests: dict[bytes, tuple[list[Field], int]] = {}

    def decode(self, data: bytes) -> HeadBlock:
        """
        Read a whole block.

        :raises ConnectionBroken: it cannot be read, so that the tables of both sides differ from now on (RFC 9113
            section 4.3); or it is far over every limit.
        """
        known = self._known.get(data)
        if known is not None:
            return known
        try:
            return self._read(data)
        except (HPACKDecodingError, IndexError):
            raise ConnectionBroken(h2.COMPRESSION_ERROR, "a header block cannot be read") from None

    def _read(self, data: bytes) -> HeadBlock:
        changes = self._table.changes
        fields, count, size, behind, before = self._fields(data)
        excess = self._is_too_much(count, size)
        block = HeadBlock(fields, excess, size - FIELD_BYTES * count - len(data))
        if self._table.changes != changes:
            self._known = {}
        elif len(data) <= _KNOWN_BYTES and size <= _KNOWN_FIELDS and not excess:
            _remember(self._known, data, block)
            if behind:
                _remember(self._rests, data[behind:], (fields[before:], _bytes_of(fields[before:])))
        return block

    def _fields(self, data: bytes) -> tuple[list[Field], int, int, int, int]:
        """
        :return: the fields, none if they are too much; their count and bytes; what follows the last one that is spelled out, as a
            position in the block and one in the fields, zeros if that was remembered.
        """
        fields: list[Field] = []
        count = size = position = behind = before = 0
        table, end = self._table, len(data)
        short = end <= _KNOWN_BYTES
        while position < end:
            first = data[position]
            if 0x80 < first <= _LAST_STATIC:
                field = STATIC[first - 0x81]
                position += 1
            elif first & 0x80:
                if 0 < position == behind and (rest := self._rest(data[position:], count, size)) is not None:
                    return fields + rest[0], count + len(rest[0]), size + rest[1], 0, 0
                index, position = read_integer(data, position, 0x7F)
                field = table.get(index)
            elif first & 0x60 == 0x20:
                position = self._resize(data, position, count)
                continue
            else:
                field, position = self._literal(data, position, first)
                if short:
                    behind, before = position, count + 1
            count += 1
            size += len(field[0]) + len(field[1]) + FIELD_BYTES
            fields.append(field)
            if self._is_too_much(count, size):
                fields = []
        return fields, count, size, behind, before

    def _is_too_much(self, count: int, size: int) -> bool:
        """
        :raises ConnectionBroken: far too much.
        """
        if count <= self._max_fields and size <= self._max_bytes:
            return False
        if count > HARD * self._max_fields or size > HARD * self._max_bytes:
            raise ConnectionBroken(h2.ENHANCE_YOUR_CALM, "a header block is too large")
        return True

    def _rest(self, data: bytes, count: int, size: int) -> tuple[list[Field], int] | None:
        """
        The fields that the rest of a block is known to name, and their bytes, if that is not too much.

        :param count: of the fields before, and ``size`` their bytes.
        """
        rest = self._rests.get(data)
        if rest is None or count + len(rest[0]) > self._max_fields or size + rest[1] > self._max_bytes:
            return None
        return rest

    def _resize(self, data: bytes, position: int, count: int) -> int:
        size, position = read_integer(data, position, 0x1F)
        if count or size > TABLE_BYTES:
            raise ConnectionBroken(h2.COMPRESSION_ERROR, "a table size update is wrong")
        self._table.resize(size)
        self._rests = {}
        return position

    def _literal(self, data: bytes, position: int, first: int) -> tuple[Field, int]:
        indexing = first & 0x40
        index, position = read_integer(data, position, 0x3F if indexing else 0x0F)
        if index:
            name = self._table.get(index)[0]
        else:
            name, position = read_text(data, position)
        value, position = read_text(data, position)
        if indexing:
            self._table.add((name, value))
            self._rests = {}  # what follows in this block means something else already
        return (name, value), position


def _bytes_of(fields: Fields) -> int:
    return sum(len(name) + len(value) + FIELD_BYTES for name, value in fields)


def _remember(memo: dict[bytes, Any], data: bytes, value: Any) -> None:
    if len(memo) >= _KNOWN_BLOCKS:
        memo.clear()
    memo[data] = value


def _encode_field(field: Field) -> tuple[bytes, int]:
    return encode((field,)), 2 * size_of((field,))


_FIELDS = Memo(_encode_field)


def block_of(fields: Any) -> bytes:
    """
    A header block that needs no dynamic table. Responses share most of their fields, so that each is remembered.

    :param fields: an iterable of ``(name, value)``, names in lower case.
    """
    return b"".join([_FIELDS[field] for field in fields])
