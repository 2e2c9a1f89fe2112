"""Tests of `ngrok_twisted.net.windows`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.net.windows import ADVANCE, HORIZON, SHARE, Windows

START, MOST, TOTAL = 256, 2048, 32768


def windows(total: int = TOTAL) -> Windows:
    """Those that are tested."""
    return Windows(least=32, start=START, most=MOST, total=total)


class WindowsTests(SynchronousTestCase):
    """How large a window is."""

    def test_start(self) -> None:
        """A stream starts small."""
        self.assertEqual(windows().open(), START)

    def test_many(self) -> None:
        """The more there are the less a new one gets, but never nothing."""
        shared = windows()
        sizes = [shared.open() for _ in range(300)]
        self.assertEqual(sizes, sorted(sizes, reverse=True))
        self.assertEqual((sizes[0], sizes[-1]), (START, 32))
        self.assertLess(sum(sizes), TOTAL + 300 * 32)

    def test_learned(self) -> None:
        """A new stream starts where the last one that carried much has got, as far as there is plenty."""
        shared = windows()
        first = shared.open()
        shared.fit(1024, 512, 0.01)
        self.assertEqual(shared.open(), (TOTAL - first - 1024) // ADVANCE)
        shared.fit(300, 150, 100.0)
        self.assertEqual(shared.open(), START)

    def test_close(self) -> None:
        """What a stream had is there for others when it is over."""
        shared = windows()
        first = shared.open()
        grown = shared.fit(first, first, 0.01)
        shared.close(grown)
        self.assertEqual(shared.left, TOTAL)

    def test_fast(self) -> None:
        """A window doubles while what is taken of it would fill more within the horizon."""
        shared = windows()
        self.assertEqual(shared.fit(256, 128, 0.1), 512)
        self.assertEqual(shared.fit(512, 256, 0.1), 1024)

    def test_as_fast_as_needed(self) -> None:
        """It holds what is taken within the horizon."""
        self.assertEqual(windows().fit(256, 150, HORIZON / 2), 300)

    def test_same_instant(self) -> None:
        """Two looks at the same time are no division by nothing."""
        self.assertEqual(windows().fit(256, 128, 0.0), 512)

    def test_most(self) -> None:
        """It grows no further than it may."""
        self.assertEqual(windows().fit(1500, 800, 0.001), MOST)

    def test_share_of_the_rest(self) -> None:
        """Where little is left a window grows by little, and by nothing where nothing is."""
        shared = windows(800)
        self.assertEqual(shared.fit(256, 256, 0.001), 256 + 800 // SHARE)
        shared.left = -5
        self.assertEqual(shared.fit(256, 256, 0.001), 256)

    def test_slow(self) -> None:
        """It shrinks by what was taken at most, and not below the start."""
        shared = windows()
        self.assertEqual(shared.fit(2048, 1024, 100.0), 1024)
        self.assertEqual(shared.fit(300, 150, 100.0), START)
        self.assertEqual(shared.left, TOTAL + 1024 + 300 - START)

    def test_slow_and_small(self) -> None:
        """One that never had the start keeps what it has."""
        self.assertEqual(windows().fit(32, 16, 100.0), 32)
