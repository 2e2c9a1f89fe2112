"""
`Appetite`: how much has to have come from a client before its socket is read. Usually that is whatever has come; in two cases
more is on its way, and one large read costs less than many small ones.

*The rest of a packet* that comes in small segments, as bulk over a distance does. (Far users' bytes cost 4.7 CPU seconds a
gigabyte instead of 11 if not each of twenty segments is looked at.)

*Bulk that comes fast.* A client sends a packet at a time, and each wakes the reactor: at 64 KB a read, turns cost as much as
bytes. While bytes come fast, sixteen times as many are waited for: of one stream a gigabyte costs a third less; and where there
are several, whose packets come in turns, each visitor gets more than one packet with each write. The last bytes of a haul may be
fewer, so that there is a time after which they are taken as they are.
"""

from __future__ import annotations

from typing import Any, Callable, Protocol

from ngrok_twisted.transports.ssh.packets import READ_SIZE

KIBIBYTE = 1024
MEBIBYTE = 1024 * KIBIBYTE
SECONDS = 1.0

# Bytes of a TCP segment on most networks, about. The rest of a packet that is no longer comes in one.
SEGMENT = 1400

# A read of so many bytes is worth its while.
SMALL_READ = 32 * KIBIBYTE

# Bytes of a packet that are waited for at most: on the slowest of links they come before their sender is given up for silence.
MOST_OF_PACKET = 16 * KIBIBYTE

# Bytes of bulk that are waited for at most: what is read at once.
MOST = READ_SIZE

# Fewer are not worth the waiting.
LEAST = 128 * KIBIBYTE

# Where reads bring so much by themselves, there is nothing to wait for.
PLENTY = MOST // 2

# How fast bulk has to come, bytes a second.
FAST = 256 * KIBIBYTE / (0.001 * SECONDS)

# No more is waited for than what comes in this time: what else the client sends waits behind it.
WAIT = 0.002 * SECONDS

# The speed is looked at after so many bytes; after twice as many when the waiting was in vain, up to the second.
STEP = 1 * MEBIBYTE
LONGEST_STEP = 64 * MEBIBYTE

# If nothing was read for this time, or up to twice as long, less than was waited for is all there is. (A reactor's times are
# milliseconds.)
PATIENCE = 0.003 * SECONDS


class Source(Protocol):
    """
    What bulk comes from.

    :ivar recent_window: how many bytes it may send of what it sends now before it has to be told that some were taken. Half of
        them are always on their way, so that they may be waited for.
    """

    recent_window: int


class Sated:
    """
    Of a client that has not sent much yet.

    :cvar low: see `Appetite`.
    """

    __slots__ = ()
    low = 1

    def read(self, count: int, missing: int) -> None:
        """`Appetite.read`."""

    def stop(self) -> None:
        """`Appetite.stop`."""


SATED = Sated()


class Appetite(Sated):
    """
    That of one connection.

    :ivar low: bytes that have to be there; 1 for whatever comes.
    """

    __slots__ = (
        "low",
        "_clock",
        "_wake_at",
        "_source",
        "_bulk",
        "_amount",
        "_since",
        "_before",
        "_step",
        "_reads",
        "_seen",
        "_call",
    )

    def __init__(self, clock: Any, wake_at: Callable[[int], object], source: Source) -> None:
        """
        :param clock: an `IReactorTime`.
        :param wake_at: see `ngrok_twisted.net.eager.EagerTransport.wake_at`.
        """
        self.low = 1
        self._clock = clock
        self._wake_at = wake_at
        self._source = source
        self._bulk = False
        self._step = STEP
        self._reads = self._seen = 0
        self._begin_step(clock.seconds())
        self._call: Any = None

    def read(self, count: int, missing: int) -> None:
        """
        So many bytes were read.

        :param missing: bytes of a packet that has begun and is not whole.
        """
        self._reads += 1
        self._amount += count
        if self._amount >= self._step:
            self._judge()
        if not self._bulk:
            short = count < SMALL_READ and missing > SEGMENT
            self._wait_for(min(missing, MOST_OF_PACKET) if short else 1)

    def stop(self) -> None:
        """The connection ends."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _judge(self) -> None:
        """Does bulk come fast?"""
        now = self._clock.seconds()
        seconds = now - self._since
        worth = self._amount >= FAST * seconds
        if self._bulk:
            self._step = max(STEP, self._step // 2)
        else:
            worth = worth and self._amount < PLENTY * (self._reads - self._before)
        low = 0
        if worth:
            comes = int(self._amount * WAIT / seconds) if seconds else MOST
            low = min(MOST, comes, self._source.recent_window // 2)
        self._begin_step(now)
        self._bulk = low >= LEAST
        if self._bulk:
            self._wait_for(low)
            if self._call is None:
                self._look_later()

    def _begin_step(self, now: float) -> None:
        self._amount, self._since, self._before = 0, now, self._reads

    def _look_later(self) -> None:
        self._seen = self._reads
        self._call = self._clock.callLater(PATIENCE, self._look)

    def _look(self) -> None:
        """Has bulk ended?"""
        self._call = None
        if self._bulk and self._reads == self._seen:
            self._bulk = False
            self._step = min(2 * self._step, LONGEST_STEP)
            self._begin_step(self._clock.seconds())
            self._wait_for(1)
        elif self._bulk:
            self._look_later()

    def _wait_for(self, low: int) -> None:
        if low != self.low:
            self.low = low
            self._wake_at(low)
