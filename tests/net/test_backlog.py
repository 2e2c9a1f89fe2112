"""Tests of `ngrok_twisted.net.backlog`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.net.backlog import Backlog


class BacklogTests(SynchronousTestCase):
    """`Backlog`."""

    @given(st.lists(st.one_of(st.lists(st.binary(max_size=9), max_size=4), st.integers(1, 12)), max_size=20))
    def test_queue(self, steps: list[list[bytes] | int]) -> None:
        """What was put in comes out in order, in the amounts that are asked for."""
        backlog, model = Backlog(), b""
        for step in steps:
            if isinstance(step, int):
                pieces, size = backlog.take(step)
                self.assertEqual((b"".join(pieces), size), (model[:step], min(step, len(model))))
                self.assertTrue(all(pieces))
                model = model[step:]
            else:
                backlog.add(step)
                model += b"".join(step)
            self.assertEqual(backlog.size, len(model))

    def test_copies(self) -> None:
        """Buffers may be reused once they are in."""
        backlog, buffer = Backlog(), bytearray(b"one")
        backlog.add((memoryview(buffer),))
        buffer[:] = b"two"
        self.assertEqual(backlog.take(9)[0], [b"one"])

    def test_no_copies_out(self) -> None:
        """A large piece that leaves in small amounts is not copied again and again."""
        backlog = Backlog()
        backlog.add((bytes(1000),))
        self.assertIs(backlog.take(10)[0][0].obj, backlog.take(10)[0][0].obj)

    def test_clear(self) -> None:
        """It can be emptied."""
        backlog = Backlog()
        backlog.add((b"x",))
        backlog.clear()
        self.assertEqual((backlog.size, backlog.take(9)), (0, ([], 0)))
