"""
Tests for `ngrok_twisted.memory`.
"""

from __future__ import annotations

import gc
import weakref
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.memory import settle


class Thing:
    """Something that the collector knows."""

    itself: Any = None


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
