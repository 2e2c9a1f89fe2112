"""
Tests of `ngrok_twisted.control.slots`.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control import slots
from ngrok_twisted.control.slots import SlotMemory


class SlotMemoryTests(SynchronousTestCase):
    """`SlotMemory`."""

    def setUp(self) -> None:
        """Places are kept for ten seconds."""
        self.clock = Clock()
        self.memory = SlotMemory(self.clock, 10)

    def test_kept(self) -> None:
        """A place is recalled while it is in use, and for the time after; by its credential and slot only."""
        self.memory.note("c", "0", "a.example", 0)
        self.clock.advance(1000)
        self.assertEqual(self.memory.recall("c", "0"), ("a.example", 0))
        self.memory.leave("c", "0", "a.example", 0)
        self.clock.advance(9)
        self.assertEqual(self.memory.recall("c", "0"), ("a.example", 0))
        self.assertIsNone(self.memory.recall("c", "1"))
        self.assertIsNone(self.memory.recall("d", "0"))
        self.clock.advance(1)
        self.assertIsNone(self.memory.recall("c", "0"))

    def test_no_slot(self) -> None:
        """Without a slot nothing is recalled."""
        self.memory.leave("c", None, "a.example", 0)
        self.assertIsNone(self.memory.recall("c", None))

    def test_just_left(self) -> None:
        """A place was just left until its time is over or it is used again."""
        self.memory.leave("c", None, "a.example", 1)
        self.assertTrue(self.memory.was_just_left("a.example", 1))
        self.assertFalse(self.memory.was_just_left("a.example", 2))
        self.memory.note("d", None, "a.example", 1)
        self.assertFalse(self.memory.was_just_left("a.example", 1))
        self.memory.leave("c", None, "a.example", 1)
        self.clock.advance(10)
        self.assertFalse(self.memory.was_just_left("a.example", 1))

    def test_bounded(self) -> None:
        """The oldest are forgotten when there are too many."""
        self.patch(slots, "WISHES_MAX", 2)
        for number in range(3):
            self.memory.leave("c", str(number), "a.example", number)
        self.assertEqual([self.memory.recall("c", str(n)) is not None for n in range(3)], [False, True, True])
        self.assertEqual([self.memory.was_just_left("a.example", n) for n in range(3)], [False, True, True])
