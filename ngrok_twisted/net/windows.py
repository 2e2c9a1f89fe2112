"""
`Windows`: how much the streams of one connection may bring that nobody has taken yet.

A stream starts with a small window, since most carry little, and its peer may fill the window of each whose reader has
stopped. One that is read fast gets more: what its reader takes in `HORIZON`. That is enough for any peer that is less than
half of this away, so that distances need not be measured; and a slow reader never has the server hold more than what it takes
in that time. What one has grown to is where the next one starts, for the peer of both is the same. All windows of a connection
share a total, of which each takes a part of what is left, so that many streams at once have small ones and none is ever
refused for it.
"""

from __future__ import annotations

SECONDS = 1.0
KIBIBYTE = 1024
MEBIBYTE = 1024 * KIBIBYTE

# A window that holds what comes in this time doubles up to a round trip of half of it.
HORIZON = 1 * SECONDS

# A stream that grows gets one part in so many of what is left; so does a new one.
SHARE = 8

# A new one that is to be fast gets less of it at once: it has not shown anything itself.
ADVANCE = 32


class Windows:
    """
    Those of one connection.

    :ivar left: bytes of the total that are promised to no stream. Less than nothing where there are more streams than it
        has room for, all of them with the least window.
    """

    __slots__ = ("left", "_least", "_start", "_most", "_usual")

    def __init__(self, *, least: int, start: int, most: int, total: int) -> None:
        """
        :param least: bytes that any stream gets.
        :param start: bytes that a new one gets while there is plenty.
        :param most: bytes that one may reach.
        :param total: bytes for all together.
        """
        self.left = total
        self._least = least
        self._start = start
        self._most = most
        self._usual = start

    def open(self) -> int:
        """:return: the window of a new stream, bytes."""
        left = self.left
        size = max(self._least, min(self._start, left // SHARE), min(self._usual, left // ADVANCE))
        self.left -= size
        return size

    def close(self, window: int) -> None:
        """A stream with this window is over."""
        self.left += window

    def fit(self, window: int, taken: int, seconds: float) -> int:
        """
        As `fitting`, as far as the total goes.
        """
        size = fitting(window, taken, seconds, self._start, self._most)
        if size > window:
            size = min(size, window + max(0, self.left) // SHARE)
        self.left += window - size
        self._usual = size
        return size


def fitting(window: int, taken: int, seconds: float, start: int, most: int) -> int:
    """
    What a window is to be from now on. At most it doubles, so that one burst proves little; and it loses no more than what was
    taken of it, since what was promised stays promised.

    :param window: what it is now, bytes.
    :param taken: bytes of it that the reader has taken since it was looked at last.
    :param seconds: how long ago that was.
    :param start: bytes below which it does not shrink.
    :param most: bytes beyond which it does not grow.
    """
    wanted = int(taken * HORIZON / seconds) if seconds > 0 else most
    if wanted > window:
        return max(window, min(wanted, 2 * window, most))
    return max(wanted, window - taken, min(window, start))
