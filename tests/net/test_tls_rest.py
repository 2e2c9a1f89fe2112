"""Tests of `ngrok_twisted.net.tls_rest`."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.net.tls_rest import AT_ONCE, PAUSE, SOON, Rest, rest_of


class Grown:
    """A connection."""

    shrunk = 0

    def shrink(self) -> None:
        """Its buffers are given back."""
        self.shrunk += 1


class RestTests(SynchronousTestCase):
    """`Rest`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.rest = Rest(self.clock)

    def grown(self, count: int) -> list[Grown]:
        """Some whose buffers have grown."""
        connections = [Grown() for _ in range(count)]
        for connection in connections:
            self.rest.note(connection)
        return connections

    def test_later(self) -> None:
        """Buffers are given back a while after they have grown, once, however often they did."""
        (connection,) = self.grown(1)
        self.rest.note(connection)
        self.clock.advance(PAUSE - 0.1)
        self.assertEqual(connection.shrunk, 0)
        self.clock.advance(0.1)
        self.clock.advance(PAUSE)
        self.assertEqual(connection.shrunk, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_pause(self) -> None:
        """Who has a reason may have them looked at sooner."""
        self.rest = Rest(self.clock, PAUSE / 4)
        (connection,) = self.grown(1)
        self.clock.advance(PAUSE / 4)
        self.assertEqual(connection.shrunk, 1)

    def test_again(self) -> None:
        """Those that grow again are looked at again."""
        (connection,) = self.grown(1)
        self.clock.advance(PAUSE)
        self.rest.note(connection)
        self.clock.advance(PAUSE)
        self.assertEqual(connection.shrunk, 2)

    def test_many(self) -> None:
        """Of many some are looked at, and soon the others: nobody else waits long."""
        connections = self.grown(AT_ONCE + 1)
        self.clock.advance(PAUSE)
        self.assertEqual(sum(one.shrunk for one in connections), AT_ONCE)
        self.clock.advance(SOON)
        self.assertEqual([one.shrunk for one in connections], [1] * (AT_ONCE + 1))

    def test_gone(self) -> None:
        """Nothing is kept of a connection that is gone, and no call is left behind it."""
        gone, other = self.grown(2)
        self.rest.forget(gone)
        self.rest.forget(gone)
        self.clock.advance(PAUSE)
        self.assertEqual((gone.shrunk, other.shrunk), (0, 1))
        self.rest.note(gone)
        self.rest.forget(gone)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_for_all(self) -> None:
        """Connections of one clock share one."""
        self.assertIs(rest_of(self.clock), rest_of(self.clock))
        self.assertIsNot(rest_of(self.clock), rest_of(Clock()))
