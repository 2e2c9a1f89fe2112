"""
Tests for `ngrok_twisted.observability.event_queue`.
"""

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.observability.event_queue import BatchLimits, EventQueue
from tests.observability.targets import event, ids

SMALL = BatchLimits(events=2, bytes=1000, event_bytes=400, overhead=0)


class EventQueueTests(SynchronousTestCase):
    """What waits for a destination."""

    def test_order(self) -> None:
        """Audit and traffic events leave in the order in which they came."""
        queue = EventQueue()
        for number in range(6):
            queue.put(event(number, traffic=number in (1, 2, 4)))
        self.assertEqual(ids(queue.take(BatchLimits())[0]), [f"ev_{number}" for number in range(6)])
        self.assertEqual((len(queue), queue.size), (0, 0))

    def test_count(self) -> None:
        """A batch holds as many events as the target takes."""
        queue = EventQueue()
        for number in range(3):
            self.assertEqual(queue.fills(SMALL), number >= 2)
            queue.put(event(number))
        self.assertEqual(ids(queue.take(SMALL)[0]), ["ev_0", "ev_1"])
        self.assertEqual(ids(queue.take(SMALL)[0]), ["ev_2"])

    def test_size(self) -> None:
        """A batch is no larger than the target takes, what is added to each event included."""
        queue = EventQueue()
        for number in range(3):
            queue.put(event(number, size=300))
        limits = BatchLimits(bytes=640, event_bytes=400, overhead=20)
        self.assertTrue(queue.fills(limits))
        self.assertEqual(ids(queue.take(limits)[0]), ["ev_0", "ev_1"])
        self.assertFalse(queue.fills(limits))

    def test_too_large(self) -> None:
        """What no batch can hold is thrown away, and what is behind it is sent."""
        queue = EventQueue()
        queue.put(event(1, size=500))
        queue.put(event(2))
        batch, too_large = queue.take(SMALL)
        self.assertEqual((ids(batch), too_large, queue.size), (["ev_2"], 1, 0))

    def test_oldest_traffic_goes_first(self) -> None:
        """When it is full the oldest traffic goes, then the oldest audit events."""
        queue = EventQueue(most_events=3)
        for number, traffic in ((1, False), (2, True), (3, True)):
            self.assertEqual(queue.put(event(number, traffic)), 0)
        self.assertEqual([queue.put(event(number)) for number in (4, 5, 6)], [1, 1, 1])
        self.assertEqual(ids(queue.take(BatchLimits())[0]), ["ev_4", "ev_5", "ev_6"])

    def test_audit_stays(self) -> None:
        """Traffic does not drive audit events out: where there is nothing else, it goes itself."""
        queue = EventQueue(most_events=2)
        for number in (1, 2):
            queue.put(event(number))
        self.assertEqual(queue.put(event(3, traffic=True)), 1)
        self.assertEqual(ids(queue.take(BatchLimits())[0]), ["ev_1", "ev_2"])

    def test_bytes(self) -> None:
        """The size of what waits is bounded, too."""
        queue = EventQueue(most_bytes=1000)
        queue.put(event(1, size=400))
        queue.put(event(2, size=400))
        self.assertEqual(queue.put(event(3, size=900)), 2)
        self.assertEqual(queue.size, 900)
