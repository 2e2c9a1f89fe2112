"""
Tests for ``ngrok_twisted.upstream.chunked``.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.upstream.chunked import MAX_TRAILERS, ChunkedDecoder, encode_trailers
from ngrok_twisted.upstream.syntax import MalformedMessage


def encoded(chunks: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\nA: b\r\n\r\n"


class DecoderTests(SynchronousTestCase):
    """Chunked bodies, in any pieces."""

    @given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.lists(st.integers(0, 400), max_size=10))
    def test_any_split(self, chunks: list[bytes], cuts: list[int]) -> None:
        """However the coding is cut, content, trailers and what follows are the same."""
        data = encoded(chunks) + b"NEXT"
        places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
        decoder = ChunkedDecoder()
        content = rest = b""
        for start, end in zip(places, places[1:]):
            if decoder.finished:
                rest += data[start:end]
                continue
            content += b"".join(bytes(piece) for piece in decoder.feed(data[start:end]))
            rest = decoder.rest
        self.assertEqual((content, decoder.trailers, rest), (b"".join(chunks), [(b"A", b"b")], b"NEXT"))

    def test_forbidden_trailers(self) -> None:
        """A trailer cannot change framing, routing or identity after the fact."""
        decoder = ChunkedDecoder()
        decoder.feed(b"0\r\nContent-Length: 5\r\nhost: x\r\nX-Forwarded-For: y\r\nFine: 1\r\n\r\n")
        self.assertEqual(decoder.trailers, [(b"Fine", b"1")])

    def test_trailer_bound(self) -> None:
        """Trailers have a bound, as one line and as many."""
        for trailers in (b"A: " + b"b" * (MAX_TRAILERS + 10), b"A: b\r\n" * MAX_TRAILERS):
            self.assertRaises(MalformedMessage, ChunkedDecoder().feed, b"0\r\n" + trailers)

    def test_pieces_are_not_copied(self) -> None:
        """Content is given out as views of what came in."""
        data = b"5\r\nhello\r\n"
        (piece,) = ChunkedDecoder().feed(data)
        self.assertIs(piece.obj, data)

    def test_encode_trailers(self) -> None:
        """Trailers are written, and refused where they would break out of their line."""
        self.assertEqual(encode_trailers([]), b"0\r\n\r\n")
        self.assertEqual(encode_trailers([(b"A", b"b")]), b"0\r\nA: b\r\n\r\n")
        self.assertEqual(encode_trailers([(b"Content-Length", b"5"), (b"A", b"")]), b"0\r\nA: \r\n\r\n")
        for trailer in ((b"A", b"b\r\nC: d"), (b"A", b"b\0"), (b"A: b", b"c"), (b"", b"c"), (b"A\r\nB", b"c")):
            self.assertRaises(MalformedMessage, encode_trailers, [trailer])
