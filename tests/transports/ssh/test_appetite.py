"""Tests of `ngrok_twisted.transports.ssh.appetite`."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.transports.ssh.appetite import (
    LEAST,
    LONGEST_STEP,
    MEBIBYTE,
    MOST,
    MOST_OF_PACKET,
    PATIENCE,
    PLENTY,
    SATED,
    SEGMENT,
    STEP,
    WAIT,
    Appetite,
)

PACKET = 32 * 1024

# Seconds for `PACKET`: more than fast enough, and not.
FAST = 0.00005
SLOW = 0.001


class Stream:
    """
    :ivar recent_window: `Source`.
    """

    recent_window = 4 * MEBIBYTE


class AppetiteTests(SynchronousTestCase):
    """How much is waited for."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.asked: list[int] = []
        self.source = Stream()
        self.appetite = Appetite(self.clock, self.asked.append, self.source)

    def come(self, total: int, seconds: float = FAST, size: int = PACKET) -> None:
        """Reads of one size, or of what was waited for if that is more."""
        while total > 0:
            count = max(size, self.appetite.low)
            self.clock.advance(seconds * count / PACKET)
            self.appetite.read(count, 0)
            total -= count

    def test_fast(self) -> None:
        """Bulk that comes fast in small reads is read in large ones."""
        self.come(STEP - PACKET)
        self.assertEqual(self.asked, [])
        self.come(PACKET)
        self.assertEqual(self.asked, [MOST])
        self.come(64 * MEBIBYTE)
        self.assertEqual((self.asked, self.appetite.low), ([MOST], MOST))

    def test_slow(self) -> None:
        """What comes slowly is not waited for."""
        self.come(16 * STEP, SLOW)
        self.assertEqual(self.asked, [])

    def test_slower(self) -> None:
        """What has become slow is not waited for any more."""
        self.come(STEP)
        while self.appetite.low > 1:
            self.clock.pump([PATIENCE / 2])
            self.appetite.read(PACKET, 0)
        self.assertEqual(self.asked, [MOST, 1])

    def test_time(self) -> None:
        """No more is waited for than what comes in a time that others do not mind."""
        self.come(STEP, PACKET * WAIT / (MOST * 3 / 4))
        self.assertEqual([round(low / MOST, 3) for low in self.asked], [0.75])

    def test_large(self) -> None:
        """Reads that are large by themselves are left as they are."""
        self.come(16 * STEP, size=PLENTY)
        self.assertEqual(self.asked, [])

    def test_half_a_window(self) -> None:
        """No more is waited for than what a client has always leave to send; a small window is not worth it."""
        self.source.recent_window = 2 * LEAST
        self.come(STEP)
        self.assertEqual(self.asked, [LEAST])
        self.source.recent_window = 2 * LEAST - 2
        self.come(STEP)
        self.assertEqual(self.asked, [LEAST, 1])

    def test_last_bytes(self) -> None:
        """What is less than was waited for is taken after a while, at twice the patience."""
        self.come(STEP)
        self.come(STEP)
        self.clock.pump([PATIENCE, PATIENCE])
        self.assertEqual(self.asked, [MOST, 1])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_in_vain(self) -> None:
        """The more often the waiting was in vain, the more has to come before the next, within a bound."""
        needed = []
        for _ in range(9):
            self.asked.clear()
            step = 0
            while not self.asked:
                self.come(PACKET)
                step += PACKET
            needed.append(step)
            self.clock.pump([PATIENCE, PATIENCE])
        self.assertEqual(needed, [min(STEP << number, LONGEST_STEP) for number in range(9)])

    def test_not_in_vain(self) -> None:
        """What goes well for long makes up for what did not."""
        self.come(STEP)
        self.clock.pump([PATIENCE, PATIENCE])
        self.come(2 * STEP)
        self.come(2 * STEP)
        self.clock.pump([PATIENCE, PATIENCE])
        self.asked.clear()
        self.come(2 * STEP)
        self.assertEqual(self.asked, [MOST])

    def test_rest_of_a_packet(self) -> None:
        """The rest of a packet that comes in segments is waited for, a part at a time."""
        self.appetite.read(1448, 30_000)
        self.appetite.read(MOST_OF_PACKET, 30_000 - MOST_OF_PACKET)
        self.appetite.read(30_000 - MOST_OF_PACKET, SEGMENT)
        self.assertEqual(self.asked, [MOST_OF_PACKET, 30_000 - MOST_OF_PACKET, 1])

    def test_rest_in_bulk(self) -> None:
        """In bulk no rest is waited for by itself."""
        self.come(STEP)
        self.appetite.read(1448, 30_000)
        self.assertEqual(self.asked, [MOST])

    def test_stop(self) -> None:
        """At the end nothing is looked at any more, in bulk or not."""
        self.come(STEP)
        self.appetite.stop()
        self.appetite.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_sated(self) -> None:
        """A client that has not sent much is read at once, and costs nothing."""
        SATED.read(1448, 30_000)
        SATED.stop()
        self.assertEqual(SATED.low, 1)
