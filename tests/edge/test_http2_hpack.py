"""
Tests for ``ngrok_twisted.edge.http2_hpack``.
"""

from __future__ import annotations

from typing import Any

from hpack import Decoder, Encoder
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.http2_hpack import BlockDecoder, CompressionError, TooMuch, block_of
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
        self.assertEqual(decoder.decode(block), ())
        return list(decoder.fields)

    @settings(deadline=None)
    @given(st.lists(st.lists(st.one_of(FIELD, COMMON), max_size=12), max_size=12), st.booleans())
    def test_reads_what_was_written(self, lists: list[Any], huffman: bool) -> None:
        """Whatever another's encoder writes is read, block after block, tables and all."""
        encoder, decoder = Encoder(), self.decoder()
        for fields in lists:
            self.assertEqual(self.read(decoder, encoder.encode(fields, huffman)), fields)
            self.assertFalse(decoder.excess)

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
        except CompressionError:
            found = None
        self.assertEqual(found, expected)

    def test_same_block(self) -> None:
        """A block that only names fields means what it meant, until the table changes."""
        encoder, decoder = Encoder(), self.decoder()
        fields = [(b":method", b"GET"), (b"x-a", b"1")]
        self.read(decoder, encoder.encode(fields))
        block = encoder.encode(fields)
        self.assertEqual(self.read(decoder, block), fields)
        self.assertEqual(self.read(decoder, block), fields)
        self.read(decoder, encoder.encode([(b"x-b", b"2")]))
        self.assertEqual(self.read(decoder, block), [(b":method", b"GET"), (b"x-b", b"2")])

    def test_known_blocks_are_few(self) -> None:
        """A visitor cannot have any number of blocks remembered."""
        decoder = self.decoder()
        for index in range(1, 62):
            decoder.decode(bytes((0x80 | index,)))
        self.assertLessEqual(len(decoder._known), 16)

    def test_unpacked(self) -> None:
        """It tells by how much the fields are longer than what was sent of them."""
        decoder = self.decoder(max_bytes=100_000)
        decoder.decode(b"\x40\1a\x64" + b"b" * 100)
        self.assertEqual(decoder.unpacked, -3)
        decoder.decode(b"\xbe" * 80)
        self.assertEqual(decoder.unpacked, 80 * 100)

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
            self.assertRaises(CompressionError, self.decoder().decode, block)

    def test_too_many(self) -> None:
        """A block over a limit is read to its end and not kept: the next one is understood."""
        encoder, decoder = Encoder(), self.decoder(max_fields=10)
        self.assertEqual(self.read(decoder, encoder.encode([(b"x-%d" % i, b"") for i in range(11)])), [])
        self.assertTrue(decoder.excess)
        again = [(b"x-10", b""), (b"x-3", b"")]
        self.assertEqual(self.read(decoder, encoder.encode(again)), again)
        self.assertFalse(decoder.excess)

    def test_too_large(self) -> None:
        """The bytes of fields count, with what each takes besides its text."""
        decoder = self.decoder(max_bytes=1000)
        decoder.decode(Encoder().encode([(b"a", b"x" * 967)]))
        self.assertFalse(decoder.excess)
        decoder.decode(Encoder().encode([(b"a", b"x" * 968)]))
        self.assertTrue(decoder.excess)

    def test_bomb(self) -> None:
        """A few bytes that stand for very many are given up long before that many were looked at."""
        encoder, decoder = Encoder(), self.decoder(max_bytes=64 * 1024, max_fields=1000)
        self.read(decoder, encoder.encode([(b"a", b"x" * 3000)]))
        reference = encoder.encode([(b"a", b"x" * 3000)])
        self.assertEqual(len(reference), 1)
        self.assertRaises(TooMuch, decoder.decode, reference * 500_000)
        self.assertRaises(TooMuch, self.decoder(max_fields=1000).decode, b"\x82" * 500_000)


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
