"""
Tests for `ngrok_twisted.observability.delivery`.
"""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.observability.delivery import BATCH_WAIT, RETRY_MOST, Delivery
from ngrok_twisted.observability.destination import DestinationBusy, DestinationRefused
from ngrok_twisted.observability.event_queue import QUEUE_EVENTS, BatchLimits
from tests.observability.targets import Target, event

PAIRS = BatchLimits(events=2)


class Highest(Random):
    """Randomness that always waits longest."""

    def random(self) -> float:
        """As `Random.random`."""
        return 1.0


class DeliveryTests(SynchronousTestCase):
    """One destination on a clock."""

    def setUp(self) -> None:
        self.clock = Clock()

    def deliver(self, *outcomes: Any, limits: BatchLimits = BatchLimits()) -> tuple[Delivery, Target]:
        """A delivery to a target with these outcomes."""
        target = Target(*outcomes, limits=limits)
        return Delivery("ed_1", target, self.clock, Highest()), target

    def put(self, delivery: Delivery, *numbers: int, traffic: bool = False) -> None:
        """Hand events over."""
        for number in numbers:
            delivery.put(event(number, traffic))

    def test_batch(self) -> None:
        """Events of one second go together."""
        delivery, target = self.deliver()
        self.put(delivery, 1, 2)
        self.clock.advance(BATCH_WAIT / 2)
        self.put(delivery, 3)
        self.assertEqual(target.sent, [])
        self.clock.advance(BATCH_WAIT / 2)
        self.assertEqual(target.sent, [["ev_1", "ev_2", "ev_3"]])
        self.assertEqual((delivery.sent, len(delivery)), (3, 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_full_batch(self) -> None:
        """A whole batch does not wait."""
        delivery, target = self.deliver(limits=PAIRS)
        self.put(delivery, 1, 2)
        self.assertEqual(target.sent, [["ev_1", "ev_2"]])

    def test_one_at_a_time(self) -> None:
        """The next batch goes when the one before was taken."""
        first: Deferred[int] = Deferred()
        delivery, target = self.deliver(first, limits=PAIRS)
        self.put(delivery, 1, 2, 3, 4)
        self.clock.advance(100)
        self.assertEqual(target.sent, [["ev_1", "ev_2"]])
        first.callback(0)
        self.assertEqual(target.sent, [["ev_1", "ev_2"], ["ev_3", "ev_4"]])

    def test_retry(self) -> None:
        """A target that is busy is asked again, after twice the time at each try, and nothing overtakes."""
        delivery, target = self.deliver(*[DestinationBusy("it sleeps")] * 12)
        self.put(delivery, 1)
        self.clock.advance(BATCH_WAIT)
        self.put(delivery, 2)
        for number in range(1, 12):
            self.assertEqual(len(target.sent), number)
            wait = min(2**number, RETRY_MOST)
            self.clock.advance(wait - 0.5)
            self.assertEqual(len(target.sent), number)
            self.clock.advance(0.5)
        self.clock.advance(RETRY_MOST)
        self.clock.advance(BATCH_WAIT)
        self.assertEqual(target.sent, [["ev_1"]] * 13 + [["ev_2"]])
        self.assertEqual((delivery.sent, delivery.failing), (2, ""))

    def test_jitter(self) -> None:
        """Destinations that failed together do not come back together."""
        delays = set()
        for seed in range(5):
            delays.add(Delivery("ed_1", Target(), self.clock, Random(seed))._delay(5))
        self.assertEqual(len(delays), 5)
        self.assertTrue(all(16 <= delay <= 32 for delay in delays))

    def test_part(self) -> None:
        """What was not taken of a batch is sent again before what came later."""
        delivery, target = self.deliver(1, limits=PAIRS)
        self.put(delivery, 1, 2, 3, 4)
        self.assertEqual(delivery.sent, 1)
        self.clock.advance(2)
        self.assertEqual(target.sent, [["ev_1", "ev_2"], ["ev_2"], ["ev_3", "ev_4"]])
        self.assertEqual(delivery.sent, 4)

    def test_failing(self) -> None:
        """A refusal ends the sending, until the destination is changed; nothing that fits is lost meanwhile."""
        delivery, target = self.deliver(DestinationRefused("the key is wrong"))
        self.put(delivery, 1)
        self.clock.advance(BATCH_WAIT)
        self.assertEqual(delivery.failing, "the key is wrong")
        self.put(delivery, 2)
        self.clock.advance(10_000)
        self.assertEqual((target.sent, len(delivery)), ([["ev_1"]], 2))
        other = Target()
        delivery.change(other)
        self.clock.advance(BATCH_WAIT)
        self.assertEqual((other.sent, delivery.failing), ([["ev_1"], ["ev_2"]], ""))

    def test_changed_while_waiting(self) -> None:
        """A change is tried at once, whatever the wait was."""
        delivery, target = self.deliver(DestinationBusy("it sleeps"))
        self.put(delivery, 1)
        self.clock.advance(BATCH_WAIT)
        other = Target()
        delivery.change(other)
        self.assertEqual(other.sent, [["ev_1"]])

    def test_changed_while_sending(self) -> None:
        """A refusal by the target before the change does not count."""
        answer: Deferred[Any] = Deferred()
        delivery, target = self.deliver(answer)
        self.put(delivery, 1)
        self.clock.advance(BATCH_WAIT)
        other = Target()
        delivery.change(other)
        answer.callback(DestinationRefused("the key is wrong"))
        self.clock.advance(2)
        self.assertEqual((other.sent, delivery.failing), ([["ev_1"]], ""))

    def test_fault(self) -> None:
        """A fault of ours is logged, and does not go round in circles."""
        delivery, target = self.deliver(ZeroDivisionError())
        self.put(delivery, 1)
        self.clock.advance(BATCH_WAIT)
        self.assertIn("fault", delivery.failing)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.clock.advance(10_000)
        self.assertEqual(len(target.sent), 1)

    def test_dropped(self) -> None:
        """What is too much or too large is counted."""
        delivery, target = self.deliver(DestinationRefused("the key is wrong"), limits=BatchLimits(event_bytes=1000))
        delivery.put(event(0, size=2000))
        self.clock.advance(BATCH_WAIT)
        self.assertEqual(delivery.dropped, 1)
        in_flight = BatchLimits().events
        self.put(delivery, *range(in_flight + QUEUE_EVENTS + 7), traffic=True)
        self.assertEqual(delivery.dropped, 8)

    def test_drain(self) -> None:
        """At the end what is there goes at once, and it is told when nothing is left."""
        answer: Deferred[int] = Deferred()
        delivery, target = self.deliver(answer)
        self.put(delivery, 1)
        drained = delivery.drain()
        self.assertEqual(target.sent, [["ev_1"]])
        self.put(delivery, 2)
        self.assertNoResult(drained)
        answer.callback(0)
        self.successResultOf(drained)
        self.assertEqual(target.sent, [["ev_1"], ["ev_2"]])

    def test_drain_nothing(self) -> None:
        """Where nothing can be sent there is nothing to wait for."""
        delivery, target = self.deliver(DestinationRefused("the key is wrong"))
        self.successResultOf(delivery.drain())
        self.put(delivery, 1)
        self.successResultOf(delivery.drain())
        self.assertEqual(delivery.stop(), 1)

    def test_stop(self) -> None:
        """Nothing goes on after the end, wherever it was: gathering, sending or waiting."""
        for outcome, wait in ((None, 0), (Deferred(), BATCH_WAIT), (DestinationBusy("it sleeps"), BATCH_WAIT)):
            delivery, target = self.deliver(*([] if outcome is None else [outcome]))
            self.put(delivery, 1)
            self.clock.advance(wait)
            self.assertEqual(delivery.stop(), 1)
            self.put(delivery, 2)
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.assertEqual(len(target.sent), wait)
