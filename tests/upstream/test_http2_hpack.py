"""
Tests for ``ngrok_twisted.upstream.http2_hpack``; hpack is the measure.
"""

from __future__ import annotations

from hpack import Decoder, Encoder
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.upstream.http2_frames import COMPRESSION_ERROR, ENHANCE_YOUR_CALM, ConnectionBroken
from ngrok_twisted.upstream.http2_hpack import MAX_LIST, NO_TABLE, decode, encode

NAMES = st.sampled_from([b":status", b":path", b"cookie", b"x-own", b"x" * 200, b"accept-encoding"]) | st.binary()
FIELDS = st.lists(st.tuples(NAMES, st.sampled_from([b"200", b"/", b"gzip, deflate", b"y" * 300]) | st.binary()))


class CodingTests(SynchronousTestCase):
    """Fields to blocks and back."""

    @given(FIELDS)
    def test_encode(self, fields: list[tuple[bytes, bytes]]) -> None:
        """Others read what we write, with a table of no bytes."""
        decoder = Decoder(1 << 20)
        self.assertEqual([tuple(field) for field in decoder.decode(NO_TABLE + encode(fields), raw=True)], fields)
        self.assertEqual(decoder.header_table_size, 0)
        self.assertEqual(decode(encode(fields)), fields)

    @given(FIELDS, st.booleans())
    def test_decode(self, fields: list[tuple[bytes, bytes]], huffman: bool) -> None:
        """We read what others write who keep no table, the first time and later."""
        encoder = Encoder()
        encoder.header_table_size = 0
        for _ in range(2):
            self.assertEqual(decode(encoder.encode(fields, huffman=huffman)), fields)

    def test_secrets(self) -> None:
        """What is secret is marked, so that nobody on the way puts it into a table."""
        (field,) = Decoder().decode(encode([(b"authorization", b"Basic x")]), raw=True)
        self.assertFalse(getattr(field, "indexable"))

    def test_unreadable(self) -> None:
        """What needs a table, is cut or makes no sense is refused."""
        for block in (
            b"\xff",  # a cut number
            b"\x80",  # field 0
            b"\xbe",  # the first field of a table
            b"\x7e\x01a",  # its name
            b"\x00\x05ab",  # a cut name
            b"\x00\x01a\x05b",  # a cut value
            b"\x00",
            b"\x3f\x01",  # a table
            b"\x82\x20",  # a table that comes late
            b"\xff" + b"\xff" * 9 + b"\x7f",  # a number without end
            b"\x00\x81\xff\x01a",  # Huffman's code that is none
        ):
            with self.assertRaises(ConnectionBroken) as caught:
                decode(block)
            self.assertEqual(caught.exception.code, COMPRESSION_ERROR, block)

    def test_bomb(self) -> None:
        """A short block that stands for a long list is refused as soon as it is too long."""
        for block in (b"\x90" * MAX_LIST, encode([(b"a", bytes(MAX_LIST))])):
            with self.assertRaises(ConnectionBroken) as caught:
                decode(block)
            self.assertEqual(caught.exception.code, ENHANCE_YOUR_CALM)
