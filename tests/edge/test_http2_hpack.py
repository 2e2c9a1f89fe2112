"""
Tests for ``ngrok_twisted.edge.http2_hpack``.
"""

from __future__ import annotations

from typing import Any

from hpack import Decoder, Encoder
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.http2_hpack import TABLE_BYTES, BlockDecoder, block_of
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.http2_frames import ConnectionBroken
from ngrok_twisted.upstream.http2_hpack import NO_TABLE

FIELD = st.tuples(st.binary(min_size=1, max_size=30), st.binary(max_size=300))
COMMON = st.sampled_from(
    [(b":method", b"GET"), (b"accept", b"*/*"), (b"cookie", b"a=b"), (b"x-a", b"1"), (b"x-a", b"2")]
)


class BlockDecoderTests(SynchronousTestCase):
    """What visitors send, read."""

    def decoder(self, max_fields: int = 100, max_bytes: int = 10_000) -> BlockDecoder:
        return BlockDecoder(max_fields, max_bytes)

    def read(self, decoder: BlockDecoder, block: bytes) -> list[Any]:
        return list(decoder.decode(block).fields)

    def code(self, decoder: BlockDecoder, block: bytes) -> int:
        """The code that a block is refused with."""
        return self.assertRaises(ConnectionBroken, decoder.decode, block).code

    @settings(deadline=None)
    @given(st.lists(st.lists(st.one_of(FIELD, COMMON), max_size=12), max_size=12), st.booleans())
    def test_reads_what_was_written(self, lists: list[Any], huffman: bool) -> None:
        """Whatever another's encoder writes is read, block after block, tables and all."""
        encoder, decoder = Encoder(), self.decoder()
        for fields in lists:
            block = decoder.decode(encoder.encode(fields, huffman))
            self.assertEqual((list(block.fields), block.excess), (fields, False))

    @settings(deadline=None)
    @given(st.binary(max_size=60))
    def test_agrees(self, block: bytes) -> None:
        """Any bytes are read as hpack reads them, or refused as it refuses them."""
        try:
            expected: Any = [tuple(field) for field in Decoder().decode(block, raw=True)]
        except Exception:
            expected = None
        try:
            found: Any = self.read(self.decoder(), block)
        except ConnectionBroken as error:
            self.assertEqual(error.code, h2.COMPRESSION_ERROR)
            found = None
        self.assertEqual(found, expected)

    def test_same_block(self) -> None:
        """A block that leaves the table as it is means what it meant, until the table changes."""
        encoder, decoder = Encoder(), self.decoder()
        fields = [(b":method", b"GET"), (b"x-a", b"1")]
        self.read(decoder, encoder.encode(fields))
        block = encoder.encode(fields) + b"\x04\x02/x"  # a path that no table remembers
        fields.append((b":path", b"/x"))
        known = decoder.decode(block)
        self.assertEqual(list(known.fields), fields)
        self.assertIs(decoder.decode(block), known)
        self.read(decoder, encoder.encode([(b"x-b", b"2")]))
        self.assertEqual(self.read(decoder, block), [fields[0], (b"x-b", b"2"), fields[2]])
        decoder.decode(b"\x20")  # a table of no bytes
        self.assertEqual(self.code(decoder, block), h2.COMPRESSION_ERROR)

    def test_same_rest(self) -> None:
        """Blocks that differ in one field, spelled out each time, are read right, before and after the table changes."""
        encoder, decoder = Encoder(), self.decoder(max_fields=9, max_bytes=2000)
        more = [(b"x-%d" % number, b"v" * 20) for number in range(6)]
        start = encoder.encode([(b":method", b"GET")])
        for table in range(3):
            more[table] = (b"x-new", b"%d" % table)
            self.read(decoder, encoder.encode(more))
            rest = encoder.encode(more)
            self.assertEqual(len(rest), len(more))
            for path in (b"/a", b"/b", b"/c"):
                fields = [(b":method", b"GET"), (b":path", path), *more]
                block = start + b"\x04\2" + path + rest
                self.assertEqual(self.read(decoder, block), fields)
                twice = start + b"\x04\2" + path + b"\x04\2" + path + b"\x10\1a\0" + rest
                self.assertEqual((decoder.decode(twice).excess, self.read(decoder, twice)), (True, []))
            long = b"/" + b"p" * 1500
            block = start + b"\x04\x7f" + bytes((len(long) - 127 & 0x7F | 0x80, len(long) - 127 >> 7)) + long + rest
            self.assertEqual(
                decoder.decode(block).excess, sum(len(n) + len(v) + 32 for n, v in [*fields]) + 1500 > 2000
            )

    def test_rest_behind_a_change(self) -> None:
        """What is known of the rest of a block is not believed behind a field that changes the table in the same block."""
        for change in (b"\x40\1b\x012", b"\x40\1b\x012\x04\2/x"):
            decoder = self.decoder()
            decoder.decode(b"\x40\1a\x011")
            decoder.decode(b"\x04\2/x\xbe")  # what stands behind the path is remembered
            self.assertEqual(self.read(decoder, change + b"\xbe")[-1], (b"b", b"2"))
        decoder = self.decoder()
        decoder.decode(b"\x40\1a\x011")
        decoder.decode(b"\x04\2/x\xbe")
        self.assertEqual(self.code(decoder, b"\x20\x04\2/x\xbe"), h2.COMPRESSION_ERROR)

    def test_blocks_that_change_the_table(self) -> None:
        """They are read each time, since each changes it again."""
        encoder, decoder = Encoder(), self.decoder()
        block = encoder.encode([(b"x-a", b"1")])
        for _ in range(3):
            self.assertEqual(self.read(decoder, block), [(b"x-a", b"1")])
        self.assertEqual(self.read(decoder, b"\xbe\xbf\xc0"), 3 * [(b"x-a", b"1")])

    def test_known_blocks_are_few(self) -> None:
        """A visitor cannot have any number of blocks remembered, nor large ones."""
        decoder = self.decoder(max_bytes=100_000)
        for index in range(1, 62):
            decoder.decode(bytes((0x80 | index,)))
        self.assertLessEqual(len(decoder._known), 4)
        large = b"\x00\x01a\x7f\x81\x01" + bytes(256)
        self.assertEqual(self.read(decoder, large), [(b"a", bytes(256))])
        self.assertIsNot(decoder.decode(large), decoder.decode(large))
        decoder.decode(b"\x40\1a\x7f\xa1\x1e" + bytes(4000))
        self.assertIsNot(decoder.decode(b"\xbe" * 3), decoder.decode(b"\xbe" * 3))

    def test_table(self) -> None:
        """The table holds what fits into it, the newest fields first; one that does not fit empties it."""
        decoder = self.decoder(max_bytes=100_000)
        size = TABLE_BYTES // 4 - 32 - 1
        for letter in b"abcde":
            decoder.decode(
                b"\x40\1"
                + bytes((letter,))
                + b"\x7f"
                + bytes((size - 127 & 0x7F | 0x80, size - 127 >> 7))
                + bytes(size)
            )
        self.assertEqual([name for name, _ in decoder.decode(b"\xbe\xbf\xc0\xc1").fields], [b"e", b"d", b"c", b"b"])
        self.assertEqual(self.code(decoder, b"\xc2"), h2.COMPRESSION_ERROR)
        decoder.decode(b"\x40\1x\x7f\xff\x1f" + bytes(127 + 0x7F + (0x1F << 7)))
        self.assertEqual(self.code(decoder, b"\xbe"), h2.COMPRESSION_ERROR)

    def test_unpacked(self) -> None:
        """It tells by how much the fields are longer than what was sent of them."""
        decoder = self.decoder(max_bytes=100_000)
        self.assertEqual(decoder.decode(b"\x40\1a\x64" + b"b" * 100).unpacked, -3)
        self.assertEqual(decoder.decode(b"\xbe" * 80).unpacked, 80 * 100)

    def test_bad_blocks(self) -> None:
        """What is cut off, points nowhere, or changes the table where it may not, is refused."""
        for block in (
            b"\x80",  # the field 0
            b"\xff\x7f",  # one that is not there
            b"\xff\xff\xff\xff\xff\xff\x0f",  # a number that never ends
            b"\x40\x01",  # a name without its bytes
            b"\x40\x01a",  # no value
            b"\x40\x81\xff\x00",  # no Huffman code
            b"\x82\x20",  # the table changed behind a field
            b"\x3f\xe2\x1f",  # a table of 4097 bytes
        ):
            self.assertEqual(self.code(self.decoder(), block), h2.COMPRESSION_ERROR, block)

    def test_too_many(self) -> None:
        """A block over a limit is read to its end and not kept: the next one is understood."""
        encoder, decoder = Encoder(), self.decoder(max_fields=10)
        block = decoder.decode(encoder.encode([(b"x-%d" % i, b"") for i in range(11)]))
        self.assertEqual((list(block.fields), block.excess), ([], True))
        again = [(b"x-10", b""), (b"x-3", b"")]
        self.assertEqual(self.read(decoder, encoder.encode(again)), again)

    def test_too_large(self) -> None:
        """The bytes of fields count, with what each takes besides its text."""
        decoder = self.decoder(max_bytes=1000)
        self.assertFalse(decoder.decode(Encoder().encode([(b"a", b"x" * 967)])).excess)
        self.assertTrue(decoder.decode(Encoder().encode([(b"a", b"x" * 968)])).excess)

    def test_bomb(self) -> None:
        """A few bytes that stand for very many are given up long before that many were looked at."""
        encoder, decoder = Encoder(), self.decoder(max_bytes=64 * 1024, max_fields=1000)
        self.read(decoder, encoder.encode([(b"a", b"x" * 3000)]))
        reference = encoder.encode([(b"a", b"x" * 3000)])
        self.assertEqual(len(reference), 1)
        self.assertEqual(self.code(decoder, reference * 500_000), h2.ENHANCE_YOUR_CALM)
        self.assertEqual(self.code(self.decoder(max_fields=1000), b"\x82" * 500_000), h2.ENHANCE_YOUR_CALM)


class BlockTests(SynchronousTestCase):
    """What visitors get, written."""

    @settings(deadline=None)
    @given(st.lists(st.lists(st.one_of(FIELD, COMMON), max_size=12), max_size=5))
    def test_is_understood(self, lists: list[Any]) -> None:
        """Whoever reads the blocks gets the fields."""
        decoder = Decoder()
        for number, fields in enumerate(lists):
            block = block_of(fields) if number else NO_TABLE + block_of(fields)
            self.assertEqual([tuple(field) for field in decoder.decode(block, raw=True)], fields)

    def test_leaves_no_trace(self) -> None:
        """Nothing is put into the visitor's table."""
        decoder = Decoder()
        decoder.decode(block_of([(b"set-cookie", b"secret"), (b"x-y", b"z")]))
        self.assertEqual(len(decoder.header_table.dynamic_entries), 0)
