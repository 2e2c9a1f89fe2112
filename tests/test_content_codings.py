"""
Tests for `ngrok_twisted.content_codings`.
"""

from __future__ import annotations

import re
import zlib
from fractions import Fraction
from typing import Any, Sequence

import brotli
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted import content_codings
from ngrok_twisted.content_codings import ACCEPT_MAX, FRUGAL, PREFERENCE, Wanted, encoder, wanted


def naive(accept: str, preference: Sequence[str]) -> Wanted:
    """RFC 9110 section 12.5.3, word by word."""
    named: dict[str, Fraction] = {}
    for element in accept.split(","):
        name, *parameters = [part.strip(" \t") for part in element.split(";")]
        weight = Fraction(1)
        if len(parameters) > 1 or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            continue
        if parameters:
            label, _, number = parameters[0].partition("=")
            if label.lower() != "q" or not re.fullmatch(r"0(\.\d{0,3})?|1(\.0{0,3})?", number):
                continue
            weight = Fraction(number.rstrip("."))
        name = {"x-gzip": "gzip"}.get(name.lower(), name.lower())
        if name not in named:
            named[name] = weight

    def quality(coding: str) -> Fraction:
        if coding in named:
            return named[coding]
        return named.get("*", Fraction(0)) if coding in ("gzip", "deflate") else Fraction(0)

    ranked = sorted(preference, key=lambda coding: (-quality(coding), preference.index(coding)))
    best = ranked[0] if quality(ranked[0]) > 0 else ""
    identity = named.get("identity", named.get("*"))
    if identity is not None and identity > (quality(best) if best else 0):
        best = ""
    return Wanted(best, identity != 0)


WEIGHTS = st.sampled_from(
    [
        "",
        ";q=0",
        ";q=1",
        ";q=0.5",
        "; Q=0.123",
        " ;q=1.000",
        ";q=0.",
        ";q=2",
        ";q=1.001",
        ";q=x",
        ";q =1",
        ";q=0.1234",
        ";x=1",
    ]
)
NAMES = st.sampled_from(
    ["gzip", "deflate", "br", "zstd", "identity", "*", "GZip", "x-gzip", "compress", "", " br\t", "a b"]
)
ELEMENTS = st.tuples(NAMES, WEIGHTS).map("".join)


class WantedTests(SynchronousTestCase):
    """What a visitor wants."""

    def test_table(self) -> None:
        """The highest weight wins, then our own preference; refusals are respected."""
        for accept, coding, plain in (
            ("", "", True),
            ("gzip", "gzip", True),
            ("gzip;q=0, deflate", "deflate", True),
            ("deflate, gzip", "gzip", True),
            ("gzip, deflate, br, zstd", "zstd", True),
            ("gzip, deflate, br", "br", True),
            ("gzip;q=1.0, br;q=0.5", "gzip", True),
            ("*", "gzip", True),
            ("*;q=0.1", "gzip", True),
            ("br;q=0, *", "gzip", True),
            ("gzip;q=0, *", "deflate", True),
            ("identity", "", True),
            ("identity;q=1, gzip;q=0.5", "", True),
            ("identity;q=0.5, gzip;q=1", "gzip", True),
            ("identity;q=0", "", False),
            ("identity;q=0, gzip", "gzip", False),
            ("*;q=0", "", False),
            ("*;q=0, br", "br", False),
            ("identity;q=0.1, *;q=0", "", True),
            ("compress", "", True),
            ("gzip;q=0, gzip", "", True),
            ("GZIP;Q=0.9", "gzip", True),
            ("gzip;q=1.1", "", True),
        ):
            self.assertEqual(wanted(accept.encode()), Wanted(coding, plain), accept)

    def test_lasting(self) -> None:
        """What lasts is rather not compressed with Brotli."""
        self.assertEqual(wanted(b"gzip, br", FRUGAL).coding, "gzip")
        self.assertEqual(wanted(b"br", FRUGAL).coding, "br")

    def test_too_long(self) -> None:
        """A header that is too long to be meant says nothing, and is not remembered."""
        before = content_codings._wanted.cache_info().currsize
        self.assertEqual(wanted(b"gzip" + b",x" * (ACCEPT_MAX // 2)), Wanted())
        self.assertEqual(content_codings._wanted.cache_info().currsize, before)
        self.assertEqual(wanted(b"gzip" + b" " * (ACCEPT_MAX - 4)).coding, "gzip")

    @settings(max_examples=500)
    @given(st.lists(ELEMENTS, max_size=6).map(",".join), st.sampled_from([PREFERENCE, FRUGAL]))
    def test_naive(self, accept: str, preference: Sequence[str]) -> None:
        """It agrees with the standard, read word by word."""
        self.assertEqual(wanted(accept.encode(), preference), naive(accept, preference))

    @given(st.binary(max_size=200))
    def test_any_bytes(self, accept: bytes) -> None:
        """Nothing a visitor sends makes it fail."""
        self.assertIn(wanted(accept).coding, ("", *PREFERENCE))


class _Gzip:
    """Python's own decoder, which is fed piece by piece."""

    def __init__(self, window: int) -> None:
        self._decoder = zlib.decompressobj(window)

    def feed(self, data: bytes) -> bytes:
        return self._decoder.decompress(data)

    @property
    def complete(self) -> bool:
        return self._decoder.eof and not self._decoder.unused_data


class _Brotli:
    def __init__(self) -> None:
        self._decoder = brotli.Decompressor()

    def feed(self, data: bytes) -> bytes:
        pieces = [self._decoder.process(data)]
        while pieces[-1]:  # it gives out 32 KB at a time, and the rest when it is asked again
            pieces.append(self._decoder.process(b""))
        return b"".join(pieces)

    @property
    def complete(self) -> bool:
        return self._decoder.is_finished()


class _Zstd:
    def __init__(self) -> None:
        self._decoder = zstandard.ZstdDecompressor(max_window_size=8 * 1024 * 1024).decompressobj()

    def feed(self, data: bytes) -> bytes:
        return self._decoder.decompress(data) if data else b""

    @property
    def complete(self) -> bool:
        return self._decoder.eof and not self._decoder.unused_data


def decoder(coding: str) -> Any:
    """Somebody else's decoder."""
    makers: dict[str, Any] = {"gzip": lambda: _Gzip(31), "deflate": lambda: _Gzip(15), "br": _Brotli, "zstd": _Zstd}
    return makers[coding]()


PIECES = st.lists(
    st.tuples(st.one_of(st.binary(min_size=1, max_size=300), st.just(b"lorem ipsum " * 400)), st.booleans()),
    max_size=12,
)


class EncoderTests(SynchronousTestCase):
    """Bytes into a coding, and back by other people's decoders."""

    @settings(max_examples=200, deadline=None)
    @given(st.sampled_from(PREFERENCE), st.booleans(), PIECES)
    def test_round_trip(self, coding: str, lasting: bool, pieces: list[tuple[bytes, bool]]) -> None:
        """Whatever the pieces, what was flushed can be decoded at once, and in the end all of it."""
        made, back = encoder(coding, lasting), decoder(coding)
        sent = got = b""
        for data, flush in pieces:
            sent += data
            got += back.feed(made.feed(data, flush))
            if flush:
                self.assertEqual(got, sent)
        got += back.feed(made.finish())
        self.assertEqual(got, sent)
        self.assertTrue(back.complete)

    @settings(deadline=None)
    @given(st.sampled_from(PREFERENCE), st.integers(0, 70_000), st.one_of(st.none(), st.integers(0, 70_000)))
    def test_known_length(self, coding: str, size: int, said: int | None) -> None:
        """A body whose length is known can be decoded, also one that is not as long as was said."""
        body = (b"%d lorem ipsum " % size * 8000)[:size]
        made, back = encoder(coding, length=size if said is None else said), decoder(coding)
        self.assertEqual(back.feed(made.feed(body, False) + made.finish()), body)
        self.assertTrue(back.complete)

    def test_window(self) -> None:
        """zlib keeps no more of a body than there is, and never less than it needs to find all that is repeated in it."""
        for length, bits in (
            (0, 9),
            (249, 9),
            (250, 10),
            (2984, 12),
            (4096, 13),
            (16_121, 14),
            (16_122, 15),
            (10**9, 15),
        ):
            start = encoder("deflate", length=length).feed(b"", True)
            self.assertEqual((start[0] >> 4) + 8, bits, length)
        text = b"".join(b"%d," % (number * 7919 % 10_000) for number in range(1500))
        body = text + text
        self.assertEqual(*(len(made.feed(body, False) + made.finish()) for made in (encoder("gzip"), encoder("gzip", length=len(body)))))  # fmt: skip

    def test_smaller(self) -> None:
        """Text becomes much smaller."""
        text = b"".join(b"line %d of a text that repeats itself\n" % number for number in range(1000))
        for coding in PREFERENCE:
            made = encoder(coding)
            self.assertLess(len(made.feed(text, False) + made.finish()), len(text) / 4, coding)

    def test_contexts_are_kept(self) -> None:
        """zstd's contexts are used again once their stream is complete, one after the other and several at a time."""
        streams = [encoder("zstd") for _ in range(20)]
        started = [stream.feed(b"%d" % number, True) for number, stream in enumerate(streams)]
        for number, (stream, start) in enumerate(zip(streams, started)):
            again = encoder("zstd")  # perhaps in the context of the one before
            self.assertEqual(
                decoder("zstd").feed(start + stream.feed(b" more", True) + stream.finish()), b"%d more" % number
            )
            self.assertEqual(decoder("zstd").feed(again.feed(b"x", False) + again.finish()), b"x")

    def test_abandoned(self) -> None:
        """A stream that is never finished harms none after it."""
        for _ in range(3):
            encoder("zstd").feed(b"lost" * 1000, True)
            made = encoder("zstd")
            self.assertEqual(decoder("zstd").feed(made.feed(b"kept", True) + made.finish()), b"kept")
