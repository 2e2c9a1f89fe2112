"""Tests of the coarse idle timeouts."""

from __future__ import annotations

import gc
from functools import partial
from weakref import ref

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.net import timeouts
from ngrok_twisted.net.timeouts import IdleWatch


class IdleWatchTests(SynchronousTestCase):
    """`IdleWatch`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.fired: list[float] = []

    def watch(self, timeout: float) -> IdleWatch:
        return IdleWatch(self.clock, timeout, lambda: self.fired.append(self.clock.seconds()))

    def run_for(self, seconds: float) -> None:
        self.clock.pump([0.25] * int(seconds * 4))

    def test_fires_once_after_the_timeout(self) -> None:
        """Without a touch it fires once, not early, and at most a second late."""
        self.run_for(0.75)
        self.watch(10)
        self.run_for(60)
        self.assertEqual(len(self.fired), 1)
        self.assertTrue(10.75 <= self.fired[0] <= 11.75, self.fired)

    def test_touch_puts_it_off(self) -> None:
        """A watch that is touched does not fire until the timeout has passed since the last touch."""
        watch = self.watch(10)
        for _ in range(10):
            self.run_for(7.5)
            watch.touch()
        touched = self.clock.seconds()
        self.assertEqual(self.fired, [])
        self.run_for(30)
        self.assertEqual(len(self.fired), 1)
        self.assertTrue(touched + 10 <= self.fired[0] <= touched + 13, self.fired)

    def test_many_at_once(self) -> None:
        """Where many run out together, a few at a time are told, and others have their turn in between."""

        def slow() -> None:
            if not self.fired:
                self.clock.callLater(0, lambda: served.append(len(self.fired)))
            self.fired.append(self.clock.seconds())
            self.clock.rightNow += 0.002

        served: list[int] = []
        watches = [IdleWatch(self.clock, 10, slow) for _ in range(20)]
        self.clock.advance(12)
        self.assertEqual((served, len(self.fired), self.clock.getDelayedCalls()), ([3], 20, []))
        self.assertFalse(any(watch.running for watch in watches))

    def test_never_early_at_any_phase(self) -> None:
        """Whatever part of a second the touch falls on, the timeout is not cut short."""
        for steps in range(1, 9):
            self.fired.clear()
            watch = self.watch(5)
            self.clock.pump([0.3] * steps)
            watch.touch()
            touched = self.clock.seconds()
            self.clock.pump([0.3] * 40)
            self.assertGreaterEqual(self.fired[0] - touched, 5)
            self.assertLessEqual(self.fired[0] - touched, 5 + 2 + 0.3)

    def test_a_second_late_at_most_at_any_phase(self) -> None:
        """Without a touch, as with the limit of a handshake, it comes a second late at most, whenever it began."""
        for _ in range(9):
            self.fired.clear()
            self.clock.advance(0.3)
            began = self.clock.seconds()
            self.watch(5)
            self.clock.pump([0.1] * 70)
            self.assertGreaterEqual(self.fired[0] - began, 5)
            self.assertLessEqual(self.fired[0] - began, 5 + 1 + 0.1)

    def test_stopped_watch_is_silent(self) -> None:
        """A stopped watch never fires, and may be stopped and touched again."""
        watch = self.watch(5)
        watch.stop()
        watch.stop()
        watch.touch()
        self.run_for(30)
        self.assertEqual(self.fired, [])
        self.assertFalse(watch.running)

    def test_stopped_watch_leaves_no_cycle(self) -> None:
        """Who holds a watch that calls it back is gone with the last other reference, once the watch is stopped."""

        class Connection:
            def __init__(self, clock: Clock) -> None:
                self.watch = IdleWatch(clock, 5, self.idle)

            def idle(self) -> None:
                """Never called."""

        gc.disable()
        self.addCleanup(gc.enable)
        connection = Connection(self.clock)
        gone = ref(connection)
        connection.watch.stop()
        del connection
        self.assertIsNone(gone())

    def test_stopped_watch_stays_stopped(self) -> None:
        """Another limit does not bring a stopped watch back."""
        watch = self.watch(5)
        watch.stop()
        watch.change(1)
        self.run_for(30)
        self.assertFalse(watch.running)
        self.assertEqual(self.fired, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_timer_without_watches(self) -> None:
        """The clock is left alone once the last watch is stopped or has fired."""
        first, second = self.watch(5), self.watch(3)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        first.stop()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.run_for(10)
        self.assertFalse(second.running)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertNotIn(self.clock, timeouts._wheels)

    def test_one_timer_for_all(self) -> None:
        """A thousand watches share one timer."""
        watches = [self.watch(100 + n % 7) for n in range(1000)]
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        for watch in watches:
            watch.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_change_starts_over(self) -> None:
        """A changed watch counts its new limit from now, even after it fired."""
        watch = self.watch(100)
        watch.change(5)
        self.run_for(10)
        self.assertEqual(len(self.fired), 1)
        watch.change(20)
        started = self.clock.seconds()
        self.run_for(60)
        self.assertEqual(len(self.fired), 2)
        self.assertTrue(started + 20 <= self.fired[1] <= started + 23)

    def test_no_time_at_all(self) -> None:
        """A limit of nothing, on a clock that has just begun, can be stopped as any other."""
        self.watch(0).stop()
        self.run_for(3)
        self.assertEqual((self.fired, self.clock.getDelayedCalls()), ([], []))
        self.assertTrue(self.watch(0).running)

    def test_a_callback_may_stop_another(self) -> None:
        """A callback that stops another due watch is obeyed."""
        other = IdleWatch(self.clock, 5, lambda: self.fired.append(-1))
        first = IdleWatch(self.clock, 5, lambda: self.fired.append(-2))
        other._on_idle = lambda: (first.stop(), self.fired.append(1))  # type: ignore[func-returns-value]
        first._on_idle = lambda: (other.stop(), self.fired.append(1))  # type: ignore[func-returns-value]
        self.run_for(20)
        self.assertEqual(self.fired, [1])

    def test_a_callback_may_move_the_last_other(self) -> None:
        """A callback may give the only other watch, due in the same tick, another timeout: only the new one counts."""
        watches: list[IdleWatch] = []

        def move_the_other(own: int) -> None:
            self.fired.append(self.clock.seconds())
            if len(self.fired) == 1:
                watches[1 - own].change(20)

        for own in range(2):  # which of the two comes first is not ours to choose
            watches.append(IdleWatch(self.clock, 5, partial(move_the_other, own)))
        self.run_for(60)
        self.assertEqual(len(self.fired), 2)
        self.assertGreaterEqual(self.fired[1] - self.fired[0], 20)

    def test_a_failing_callback_is_logged(self) -> None:
        """An exception in one callback is logged and the others still come."""

        def fail() -> None:
            raise ValueError("no")

        IdleWatch(self.clock, 5, fail)
        self.watch(5)
        self.run_for(20)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(len(self.fired), 1)

    def test_a_jump_of_the_clock(self) -> None:
        """A clock that jumps over many ticks still fires the watch once."""
        self.watch(5)
        self.clock.advance(100000)
        self.assertEqual(self.fired, [100000])
