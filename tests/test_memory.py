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

    def test_old_and_new(self) -> None:
        """What was there is not looked at any more, yet goes when nobody needs it; what comes later is, as ever."""
        self.addCleanup(gc.unfreeze)
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
