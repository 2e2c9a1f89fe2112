"""
Tests for `ngrok_twisted.memory`.
"""

from __future__ import annotations

import gc
import importlib
import os
import weakref
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted import memory
from ngrok_twisted.handover import VARIABLE
from ngrok_twisted.memory import settle


class Thing:
    """Something that the collector knows."""

    itself: Any = None


class HasteTests(SynchronousTestCase):
    """A start that somebody waits for."""

    def setUp(self) -> None:
        self.addCleanup(gc.enable)
        self.addCleanup(gc.unfreeze)
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        self.addCleanup(gc.callbacks.__setitem__, slice(None), list(gc.callbacks))

    def test_restart(self) -> None:
        """After a restart in place nothing is collected until the process is ready; else everything is as ever."""
        importlib.reload(memory)
        self.assertTrue(gc.isenabled())
        self.patch(os, "environ", {VARIABLE: "1:2"})
        importlib.reload(memory)
        self.assertFalse(gc.isenabled())
        memory.settle()
        self.assertTrue(gc.isenabled())


class SettleTests(SynchronousTestCase):
    """`settle`."""

    def setUp(self) -> None:
        self.addCleanup(gc.unfreeze)
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        self.addCleanup(gc.callbacks.__setitem__, slice(None), list(gc.callbacks))
        gc.callbacks.clear()  # another test may have started a server

    def test_seldom(self) -> None:
        """A few thousand new objects are not looked at before most of them are gone; twice is the same as once."""
        for _ in range(2):
            settle()
            self.assertEqual(gc.get_threshold(), (memory.YOUNG, memory.OLDER, memory.NEVER))

    def test_old_and_new(self) -> None:
        """What was there is not looked at any more, yet goes when nobody needs it; what comes later is, as ever."""
        old, garbage = Thing(), Thing()
        garbage.itself = garbage
        gone = weakref.ref(garbage)
        del garbage
        settle()
        self.assertIsNone(gone())
        new = Thing()
        looked_at = {id(one) for one in gc.get_objects()}
        self.assertEqual((id(old) in looked_at, id(new) in looked_at), (False, True))
        gone = weakref.ref(old)
        del old
        self.assertIsNone(gone())

    def test_survivors(self) -> None:
        """What survives a full collection is left alone by the next one, until a day is over."""
        now = 0.0
        settle(lambda: now)
        self.assertEqual(sum(type(call).__name__ == "_Collected" for call in gc.callbacks), 1)
        thing = Thing()
        gc.collect()
        self.assertFalse(any(one is thing for one in gc.get_objects()))
        thing.itself = thing
        gone = weakref.ref(thing)
        del thing
        gc.collect()
        self.assertIsNotNone(gone())
        now = memory.THOROUGH
        gc.collect()
        gc.collect()
        self.assertIsNone(gone())
        self.assertGreater(gc.get_freeze_count(), 0)

    def test_second_look(self) -> None:
        """So is what has survived the second look at what is new; after a day nothing is until all was looked at once."""
        now = 0.0
        settle(lambda: now)
        thing = Thing()
        gc.collect(0)
        self.assertTrue(any(one is thing for one in gc.get_objects()))
        gc.collect(1)
        self.assertFalse(any(one is thing for one in gc.get_objects()))
        thing.itself = thing
        gone = weakref.ref(thing)
        del thing
        now = memory.THOROUGH
        for _ in range(2):
            gc.collect(1)
            self.assertEqual((gc.get_threshold()[2], gc.get_freeze_count()), (0, 0))
        self.assertIsNotNone(gone())
        gc.collect()
        self.assertIsNone(gone())
        self.assertEqual(gc.get_threshold()[2], memory.NEVER)
        self.assertGreater(gc.get_freeze_count(), 0)
