"""
Header compression (RFC 7541) without a dynamic table, in either direction: pure functions.

Many visitors' requests share one connection. A table that remembers the fields of one visitor would tell the next, by the
size of what is sent, what they were (section 7.1), and it would take memory on both sides. So we announce a table of no
bytes, and use none ourselves: a block then means the same whenever it comes.
"""

from __future__ import annotations

from typing import Any

from hpack.exceptions import HPACKDecodingError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from ngrok_twisted.upstream.http2_frames import COMPRESSION_ERROR, ENHANCE_YOUR_CALM, ConnectionBroken
from ngrok_twisted.upstream.memo import Memo
from ngrok_twisted.upstream.syntax import KILOBYTE, Fields

#: Bytes: the fields of one block, as section 4.1 counts them. HTTP/1.1 services may send a megabyte as text; here a short
#: block can stand for a long list, and this much takes some 10 ms to read.
MAX_LIST = 256 * KILOBYTE

#: At the very first block: our table has no bytes (section 6.3).
NO_TABLE = b"\x20"

# What section 4.1 adds for each field.
_OVERHEAD = 32

#: The fields that everybody knows (appendix A); the first one has the number 1.
STATIC: tuple[tuple[bytes, bytes], ...] = tuple((name, value) for name, value in HeaderTable.STATIC_TABLE)
_INDEX_OF = {field: index for index, field in reversed(tuple(enumerate(STATIC, 1)))}
_INDEX_OF_NAME = {name: index for index, (name, _) in reversed(tuple(enumerate(STATIC, 1)))}

# Fields that nobody on the way may put into a table either (section 7.1.3).
_SECRET = frozenset([b"authorization", b"cookie", b"proxy-authorization", b"set-cookie"])

# The first bits of a literal (sections 6.2.2 and 6.2.3).
_PLAIN, _NEVER_INDEXED = 0x00, 0x10

# The integers that fit into seven bits, which lengths nearly always do.
_SMALL = tuple(bytes((number,)) for number in range(0x7F))

# An integer of more bytes stands for a number that nothing here can have (section 5.1).
_MAX_INTEGER_BYTES = 5


def encode(fields: Any) -> bytes:
    """
    :param fields: an iterable of ``(name, value)``, names in lower case.
    :return: their part of a header block.
    """
    parts: list[bytes] = []
    for field in fields:
        index = _INDEX_OF.get(field)
        if index is not None:
            parts.append(bytes((0x80 | index,)))
            continue
        name, value = field
        kind = _NEVER_INDEXED if name in _SECRET else _PLAIN
        index = _INDEX_OF_NAME.get(name)
        if index is None:
            parts += (_SMALL[kind], _length(name), name)
        else:
            parts.append(_integer(index, 0x0F, kind))
        parts += (_length(value), value)
    return b"".join(parts)


def _length(text: bytes) -> bytes:
    size = len(text)
    return _SMALL[size] if size < 0x7F else _integer(size, 0x7F, 0)


def _integer(number: int, largest: int, bits: int) -> bytes:
    """
    :param largest: that fits into the first byte (section 5.1).
    :param bits: which stand before it there.
    """
    if number < largest:
        return bytes((bits | number,))
    made = bytearray((bits | largest,))
    number -= largest
    while number >= 0x80:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)


def decode(block: bytes) -> Fields:
    """
    :param block: a whole header block.
    :return: its fields, in order, with names as sent.
    :raises ConnectionBroken: it cannot be read without a table, or it is too long.
    """
    try:
        return _decode(block)
    except (IndexError, HPACKDecodingError):
        raise ConnectionBroken(COMPRESSION_ERROR, "a header block cannot be read") from None


def _decode(block: bytes) -> Fields:
    fields: Fields = []
    position, end, room = 0, len(block), MAX_LIST
    while position < end:
        first = block[position]
        if first & 0x80:
            index, position = read_integer(block, position, 0x7F)
            field = STATIC[index - 1] if index else STATIC[len(STATIC)]
        elif first & 0xE0 == 0x20:
            size, position = read_integer(block, position, 0x1F)
            if size or fields:
                raise HPACKDecodingError("a table that was not allowed")
            continue
        else:
            index, position = read_integer(block, position, 0x3F if first & 0x40 else 0x0F)
            if index:
                name = STATIC[index - 1][0]
            else:
                name, position = read_text(block, position)
            value, position = read_text(block, position)
            field = (name, value)
        room -= len(field[0]) + len(field[1]) + _OVERHEAD
        if room < 0:
            raise ConnectionBroken(ENHANCE_YOUR_CALM, "a header is too large")
        fields.append(field)
    return fields


def read_integer(block: bytes, position: int, largest: int) -> tuple[int, int]:
    """
    :param largest: that fits into the first byte (section 5.1).
    :return: the number, and where what follows it begins.
    :raises HPACKDecodingError: it is too long.
    """
    number = block[position] & largest
    position += 1
    if number < largest:
        return number, position
    for shift in range(0, 7 * _MAX_INTEGER_BYTES, 7):
        more = block[position]
        position += 1
        number += (more & 0x7F) << shift
        if more < 0x80:
            return number, position
    raise HPACKDecodingError("an integer is too long")


def read_text(block: bytes, position: int) -> tuple[bytes, int]:
    """
    :return: the text (section 5.2), and where what follows it begins.
    :raises HPACKDecodingError: it is cut, or not in Huffman's code although it says so.
    """
    huffman = block[position] & 0x80
    size, position = read_integer(block, position, 0x7F)
    stop = position + size
    if stop > len(block):
        raise HPACKDecodingError("a text is cut")
    text = block[position:stop]
    return _TEXTS[text] if huffman else text, stop


def _plain(text: bytes) -> tuple[bytes, int]:
    plain = decode_huffman(text)
    return plain, len(text) + len(plain)


# The same texts come again on other connections, and reading one bit by bit is slow.
_TEXTS = Memo(_plain)
