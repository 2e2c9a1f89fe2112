"""
Header compression (RFC 7541), free of I/O: `BlockDecoder` for what visitors send, `block_of` for what they get.

The decoder stands in for the one of hpack inside h2, with hpack's tables. Three things are its own: it reads each byte once,
where the other copies what is left of a block for each field; it can read a block to its end without keeping what is too much,
so that the visitor is answered 431 and not disconnected; and it does not hand fields to h2, which would end the whole
connection for a mistake in one request, but keeps them for whoever asks.

Responses are written without the dynamic table: the bytes of a field are then the same on every connection, and are worked
out once.
"""

from __future__ import annotations

from typing import Any, Sequence

from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from hpack.exceptions import HPACKError
from hpack.table import HeaderTable

from ngrok_twisted.upstream.http2_hpack import encode, read_integer, read_text
from ngrok_twisted.upstream.memo import Memo, size_of
from ngrok_twisted.upstream.syntax import KILOBYTE

Fields = Sequence[tuple[bytes, bytes]]

# What a field takes besides its text, as limits count (RFC 9113 section 10.5.1).
FIELD_BYTES = 32

# A block that is this many times over a limit is not even read to its end: it does not come from a visitor who erred.
HARD = 2

# Blocks that only name fields of the tables are remembered, per connection, for as long as the tables stay as they are: this
# many, of so many bytes, with so many bytes of fields.
_KNOWN_BLOCKS = 16
_KNOWN_BYTES = 64
_KNOWN_FIELDS = 32 * KILOBYTE


class CompressionError(ProtocolError):
    """A block that cannot be read: the tables of both sides differ from now on (RFC 9113 section 4.3)."""

    error_code = ErrorCodes.COMPRESSION_ERROR


class TooMuch(ProtocolError):
    """A block that is far over every limit."""

    error_code = ErrorCodes.ENHANCE_YOUR_CALM


class BlockDecoder:
    """
    The decoder of one connection.

    :ivar fields: of the last block; empty if there was too much.
    :ivar excess: the last block was over a limit.
    :ivar unpacked: bytes by which its fields are longer than the block.
    :ivar max_header_list_size: h2 sets it; it is not used.
    :ivar max_allowed_table_size: bytes of the dynamic table.
    """

    __slots__ = (
        "fields",
        "excess",
        "unpacked",
        "max_header_list_size",
        "max_allowed_table_size",
        "_table",
        "_max_fields",
        "_max_bytes",
        "_known",
        "_additions",
    )

    def __init__(self, max_fields: int, max_bytes: int) -> None:
        """
        :param max_fields: of one block.
        :param max_bytes: of one block's fields, each with `FIELD_BYTES`.
        """
        self.fields: Fields = ()
        self.excess = False
        self.unpacked = 0
        self._table = HeaderTable()
        self.max_header_list_size = max_bytes
        self.max_allowed_table_size: int = self._table.maxsize
        self._max_fields = max_fields
        self._max_bytes = max_bytes
        self._known: dict[bytes, Fields] = {}
        self._additions = 0  # changes to the table

    def decode(self, data: bytes, raw: bool = True) -> Fields:
        """
        Read a whole block into ``fields``.

        :return: nothing: see the module.
        :raises CompressionError: it cannot be read.
        :raises TooMuch: it is too large to be read at all.
        """
        known = self._known.get(data)
        if known is not None:
            self.fields, self.excess, self.unpacked = known, False, 0
            return ()
        try:
            self._read(data)
        except (HPACKError, IndexError):
            raise CompressionError("a header block cannot be read") from None
        return ()

    def _read(self, data: bytes) -> None:
        fields: list[tuple[bytes, bytes]] = []
        count = size = position = 0
        plain = True  # only fields of the tables
        before = self._additions
        table = self._table
        end = len(data)
        while position < end:
            first = data[position]
            if first & 0x80:
                index, position = read_integer(data, position, 0x7F)
                field = table.get_by_index(index)
            elif first & 0x60 == 0x20:
                plain = False
                position = self._resize(data, position, count)
                continue
            else:
                plain = False
                field, position = self._literal(data, position, first)
            count += 1
            size += len(field[0]) + len(field[1]) + FIELD_BYTES
            if count > self._max_fields or size > self._max_bytes:
                if count > HARD * self._max_fields or size > HARD * self._max_bytes:
                    raise TooMuch("a header block is too large")
                fields = []
            else:
                fields.append(field)
        self.excess = count > self._max_fields or size > self._max_bytes
        self.fields = fields
        self.unpacked = size - FIELD_BYTES * count - end
        if self._additions != before:
            self._known = {}
        elif (
            plain
            and end <= _KNOWN_BYTES
            and not self.excess
            and size <= _KNOWN_FIELDS
            and len(self._known) < _KNOWN_BLOCKS
        ):
            self._known[data] = fields

    def _resize(self, data: bytes, position: int, count: int) -> int:
        size, position = read_integer(data, position, 0x1F)
        if count or size > self.max_allowed_table_size:
            raise CompressionError("a table size update is wrong")
        self._table.maxsize = size
        self._additions += 1
        return position

    def _literal(self, data: bytes, position: int, first: int) -> tuple[tuple[bytes, bytes], int]:
        indexing = first & 0x40
        index, position = read_integer(data, position, 0x3F if indexing else 0x0F)
        if index:
            name = self._table.get_by_index(index)[0]
        else:
            name, position = read_text(data, position)
        value, position = read_text(data, position)
        if indexing:
            self._table.add(name, value)
            self._additions += 1
        return (name, value), position


def _encode_field(field: tuple[bytes, bytes]) -> tuple[bytes, int]:
    return encode((field,)), 2 * size_of((field,))


_FIELDS = Memo(_encode_field)


def block_of(fields: Any) -> bytes:
    """
    A header block that needs no dynamic table. Responses share most of their fields, so that each is remembered.

    :param fields: an iterable of ``(name, value)``, names in lower case.
    """
    return b"".join([_FIELDS[field] for field in fields])
