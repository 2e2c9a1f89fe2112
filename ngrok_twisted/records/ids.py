"""
Public ids: a prefix that names the resource, and 27 base62 characters.

A *new* id is a KSUID: 32 bits of time, then 128 random bits, so that ids sort by their second of birth and cannot be
guessed. A *declared* id belongs to something in ``config.yaml``: it is a hash of its kind and name, and therefore the
same after every restart.
"""

from __future__ import annotations

from hashlib import sha256
from os import urandom
from typing import Callable

#: Seconds from the Unix epoch to that of KSUIDs (2014-05-13): 32 bits of seconds last from there to the year 2150.
KSUID_EPOCH = 1_400_000_000

#: Base62 characters that hold 160 bits: ceil(160 / log2(62)).
LENGTH = 27

_TIME_BITS = 32
_RANDOM_BYTES = 16
#: Steps within a second are of up to 96 bits: 2**31 of them fit above the first, and none can be guessed.
_STEP_SHIFT = 31
#: In the order of ASCII, so that the text sorts as the number does.
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#: Large numbers are divided slowly: first into parts of 60 bits, and these two digits at a time.
_PART_DIGITS = 10
_PART = 62**_PART_DIGITS
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)


def new_id(prefix: str, clock_seconds: float, random_bytes: Callable[[int], bytes] = urandom) -> str:
    """
    Make an id for something that has just come to be.

    :param prefix: what kind of thing it is, such as ``tn``.
    :param clock_seconds: now, in seconds since the Unix epoch. Times outside the range of the format are clamped.
    :param random_bytes: gives that many unguessable bytes.
    """
    number = _second(clock_seconds) << (8 * _RANDOM_BYTES) | int.from_bytes(random_bytes(_RANDOM_BYTES), "big")
    return f"{prefix}_{_base62(number)}"


class NewIds:
    """
    Ids that sort in the order they were given, also within a second.

    In a new second the random bits are drawn anew; within it each id is the one before plus a random step, so that knowing
    one tells nothing of the next.
    """

    def __init__(self, seconds: Callable[[], float], random_bytes: Callable[[int], bytes] = urandom) -> None:
        """
        :param seconds: gives the seconds since the Unix epoch.
        :param random_bytes: gives that many unguessable bytes.
        """
        self._seconds = seconds
        self._random_bytes = random_bytes
        self._last = 0

    def __call__(self, prefix: str) -> str:
        """
        :param prefix: what kind of thing it is, such as ``rd``.
        """
        second = _second(self._seconds())
        # The topmost bit is left free, so that steps do not carry into the next second.
        drawn = int.from_bytes(self._random_bytes(_RANDOM_BYTES), "big") >> 1
        fresh = second << (8 * _RANDOM_BYTES) | drawn
        if second <= self._last >> (8 * _RANDOM_BYTES):
            fresh = self._last + 1 + (drawn >> _STEP_SHIFT)
        self._last = fresh
        return f"{prefix}_{_base62(fresh)}"


def declared_id(prefix: str, kind: str, name: str) -> str:
    """
    The id of a record that the operator declared: the same for the same kind and name, on every machine.

    :param prefix: what kind of thing it is, such as ``rd``.
    :param kind: the collection in the configuration, such as ``backends.tunnel_group``.
    :param name: the record's name there.
    """
    digest = sha256(f"{kind}\0{name}".encode()).digest()
    return f"{prefix}_{_base62(int.from_bytes(digest[:20], 'big'))}"


def related_id(prefix: str, id: str, key: str = "") -> str:
    """
    The id of something that comes with another thing, and sorts where that one does.

    :param prefix: what kind of thing it is, such as ``tn``.
    :param id: of the other thing.
    :param key: which of several such things; without it both ids share all that is behind their prefixes.
    """
    ksuid = id.rpartition("_")[2]
    if not key:
        return f"{prefix}_{ksuid}"
    second = _number(ksuid) >> (8 * _RANDOM_BYTES)
    digest = sha256(f"{id}\0{key}".encode()).digest()
    return f"{prefix}_{_base62(second << (8 * _RANDOM_BYTES) | int.from_bytes(digest[:_RANDOM_BYTES], 'big'))}"


def _second(clock_seconds: float) -> int:
    """Seconds since the epoch of KSUIDs, within the range of the format."""
    return min(max(int(clock_seconds) - KSUID_EPOCH, 0), (1 << _TIME_BITS) - 1)


def _number(ksuid: str) -> int:
    number = 0
    for digit in ksuid:
        number = number * 62 + _ALPHABET.index(digit)
    return number


def _base62(number: int) -> str:
    number, low = divmod(number, _PART)
    high, middle = divmod(number, _PART)
    return _digits(high)[-(LENGTH - 2 * _PART_DIGITS) :] + _digits(middle) + _digits(low)


def _digits(number: int) -> str:
    """As many digits as a part has."""
    pairs = []
    for _ in range(_PART_DIGITS // 2):
        number, pair = divmod(number, 62 * 62)
        pairs.append(_PAIRS[pair])
    return "".join(reversed(pairs))
