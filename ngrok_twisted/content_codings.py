"""
Content codings (RFC 9110 section 8.4.1): which one a visitor wants, and how bytes get it. Free of I/O.

=========  ====================================================================================================
gzip       zlib, level 5: what ngrok has; every client knows it; as much state as a body of known length needs
deflate    the same in zlib's own wrapping, as RFC 9110 section 8.4.1.2 has it
zstd       level 3 (RFC 8878): about as small as gzip, for a fifth of the processor time
br         quality 4 (RFC 7932): a little smaller than gzip, for three quarters of the time
=========  ====================================================================================================

What one stream holds in memory depends on its coding, and is bounded whatever comes: see `Encoder`.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, Sequence

import brotli
import zstandard

KIB = 1024

#: Among codings that a visitor likes equally well, the first one is taken. Brotli needs the most memory, and time to lay it
#: out: for small bodies and for what lasts, such as a stream of events, it comes last.
PREFERENCE = ("zstd", "br", "gzip", "deflate")
FRUGAL = ("zstd", "gzip", "deflate", "br")

#: Nobody writes a longer ``Accept-Encoding``, and reading it must stay cheap.
ACCEPT_MAX = 2 * KIB

# RFC 9110 section 12.5.3, with its weights (section 12.4.2) of at most three decimals.
_ELEMENT = re.compile(
    rb"[ \t]*([!#$%&'*+\-.^_`|~0-9a-z]+)[ \t]*(?:;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*)?", re.IGNORECASE
)

# Whoever names only a wildcard gets what every client has.
_BY_WILDCARD = frozenset({"gzip", "deflate"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    :ivar coding: what to use, or empty for none.
    :ivar plain: without any coding is acceptable, too.
    """

    coding: str = ""
    plain: bool = True


def wanted(accept: bytes, preference: Sequence[str] = PREFERENCE) -> Wanted:
    """
    What a visitor wants, of the codings that there are.

    :param accept: every ``Accept-Encoding`` of the request, joined with commas. An element that cannot be read counts as if
        it were not there, and of two that name the same coding the first one counts.
    :param preference: the codings that there are, best first.
    """
    return _wanted(accept, preference) if len(accept) <= ACCEPT_MAX else Wanted()


@lru_cache(maxsize=512)
def _wanted(accept: bytes, preference: Sequence[str]) -> Wanted:
    weights = _weights(accept)
    wildcard = weights.get("*")
    best, best_weight = "", 0
    for coding in preference:
        weight = weights.get(coding, wildcard if coding in _BY_WILDCARD else None)
        if weight is not None and weight > best_weight:
            best, best_weight = coding, weight
    plain = weights.get("identity", wildcard)
    if plain is not None and plain > best_weight:
        best = ""
    return Wanted(best, plain != 0)


def _weights(accept: bytes) -> dict[str, int]:
    """Weights in thousandths, by coding."""
    found: dict[str, int] = {}
    for element in accept.split(b","):
        match = _ELEMENT.fullmatch(element)
        if match is not None:
            name = match[1].decode("ascii").lower()
            weight = 1000 if match[2] is None else round(float(match[2]) * 1000)
            found.setdefault("gzip" if name == "x-gzip" else name, weight)
    return found


# -- encoders ----------------------------------------------------------------------------------------------------------


class Encoder(Protocol):
    """
    One body on its way into a coding. Memory at most: gzip and deflate 260 KiB, zstd 520 KiB, br 1.1 MiB; for what lasts
    70 KiB, 140 KiB and 840 KiB.
    """

    def feed(self, data: bytes, flush: bool) -> bytes:
        """
        :param data: the next bytes.
        :param flush: whoever gets what is returned can decode all bytes so far.
        """

    def finish(self) -> bytes:
        """The last bytes."""


def encoder(coding: str, lasting: bool = False, length: int | None = None) -> Encoder:
    """
    :param coding: one of `PREFERENCE`.
    :param lasting: the body may come in small pieces, and for hours.
    :param length: of the body in bytes, if it is known.
    """
    if coding == "zstd":
        return _Zstd(lasting)
    if coding == "br":
        return _Brotli(lasting)
    return _Zlib(coding == "gzip", lasting, length)


class _Zlib:
    """gzip and deflate."""

    __slots__ = ("_compressor",)

    # How much of the body is held, in bits, and how much less of the state beside it; what lasts has a quarter of zlib's
    # defaults. A body that is shorter has no use for more: 260 KiB come fresh from the system and take as long to lay out as
    # three thousand bytes to compress. zlib looks ahead by the last number, and never back so far that it would be in the way.
    _WINDOW, _LASTING_WINDOW, _LEAST_WINDOW = 15, 13, 9
    _STATE = -7
    _LEVEL = 5
    _GZIP = 16
    _AHEAD = 262

    def __init__(self, gzip: bool, lasting: bool, length: int | None) -> None:
        window = self._LASTING_WINDOW if lasting else self._WINDOW
        if length is not None:
            window = max(min(window, (length + self._AHEAD).bit_length()), self._LEAST_WINDOW)
        bits = window + (self._GZIP if gzip else 0)
        self._compressor = zlib.compressobj(self._LEVEL, zlib.DEFLATED, bits, window + self._STATE)

    def feed(self, data: bytes, flush: bool) -> bytes:
        """Encoder."""
        made = self._compressor.compress(data)
        return made + self._compressor.flush(zlib.Z_SYNC_FLUSH) if flush else made

    def finish(self) -> bytes:
        """Encoder."""
        return self._compressor.flush()


class _Brotli:
    """br."""

    __slots__ = ("_compressor",)

    # Windows of 256 and 64 KiB.
    _QUALITY = 4
    _WINDOW, _LASTING_WINDOW = 18, 16

    def __init__(self, lasting: bool) -> None:
        window = self._LASTING_WINDOW if lasting else self._WINDOW
        self._compressor = brotli.Compressor(quality=self._QUALITY, lgwin=window)

    def feed(self, data: bytes, flush: bool) -> bytes:
        """Encoder."""
        made: bytes = self._compressor.process(data)
        return made + self._compressor.flush() if flush else made

    def finish(self) -> bytes:
        """Encoder."""
        made: bytes = self._compressor.finish()
        return made


def _zstd_parameters(window: int) -> Any:
    """
    :param window: bits. The tables beside it grow with it; level 3 alone would take 1 MB for them.
    """
    return zstandard.ZstdCompressionParameters.from_level(
        3, window_log=window, hash_log=window - 2, chain_log=window - 3, write_checksum=False, write_content_size=False
    )


class _Zstd:
    """zstd. Every client must take windows of up to 8 MB (RFC 9659); ours have 128 and 32 KiB."""

    __slots__ = ("_context", "_compressor")

    _PARAMETERS, _LASTING_PARAMETERS = _zstd_parameters(17), _zstd_parameters(15)

    # To make a context costs more than to compress a small body in it, so that some are kept.
    _resting: list[Any] = []
    _RESTING_MAX = 8

    def __init__(self, lasting: bool) -> None:
        if lasting:
            self._context = None
            context = zstandard.ZstdCompressor(compression_params=self._LASTING_PARAMETERS)
        else:
            resting = self._resting
            context = resting.pop() if resting else zstandard.ZstdCompressor(compression_params=self._PARAMETERS)
            self._context = context
        self._compressor = context.compressobj()

    def feed(self, data: bytes, flush: bool) -> bytes:
        """Encoder."""
        made: bytes = self._compressor.compress(data)
        return made + self._compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) if flush else made

    def finish(self) -> bytes:
        """Encoder."""
        made: bytes = self._compressor.flush()
        if self._context is not None and len(self._resting) < self._RESTING_MAX:
            self._resting.append(self._context)
            self._context = None
        return made
