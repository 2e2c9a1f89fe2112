"""
Tests for `ngrok_twisted.module`.
"""

from __future__ import annotations

import gc
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.module import ModuleContext


class State:
    """What a module keeps."""


class KeepTests(SynchronousTestCase):
    """State that outlives an edge."""

    def setUp(self) -> None:
        self.context = ModuleContext(runtime=None, place="edghtsrt_1")  # type: ignore[arg-type]

    def test_same_key(self) -> None:
        """The same place and key have the same state, for as long as somebody holds it."""
        first = self.context.keep("a", State)
        self.assertIs(self.context.keep("a", State), first)
        self.assertIsNot(self.context.keep("b", State), first)
        self.assertIsNot(replace(self.context, place="edghtsrt_2").keep("a", State), first)

    def test_let_go(self) -> None:
        """What nobody holds is not kept."""
        first = self.context.keep("a", State)
        self.assertEqual(len(self.context.kept), 1)
        del first
        gc.collect()
        self.assertEqual(len(self.context.kept), 0)

    def test_no_place(self) -> None:
        """Without a place nothing is shared."""
        nowhere = replace(self.context, place="")
        first = nowhere.keep("a", State)
        self.assertIsNot(nowhere.keep("a", State), first)
        self.assertEqual(len(nowhere.kept), 0)
