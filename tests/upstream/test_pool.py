"""
Tests for ``ngrok_twisted.upstream.pool``.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.upstream.pool import MAX_IDLE, MAX_IDLE_AFTER_BURST, Pool


class Connection:
    """As much of a connection as a pool sees."""

    def __init__(self, target: Any = "t") -> None:
        self.target = target
        self.idle_since = 0.0
        self.closed = False

    def close(self) -> None:
        self.closed = True


class PoolTests(SynchronousTestCase):
    """Who gets an idle connection, and who closes it."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.pool = Pool(self.clock)

    def put(self, connection: Connection) -> Connection:
        self.pool.put(connection, self.clock.seconds())
        return connection

    def test_last_first(self) -> None:
        """The one that was used last is taken first; targets do not mix."""
        first, second = self.put(Connection()), self.put(Connection())
        self.assertIsNone(self.pool.take("other", 0.0, False))
        self.assertIs(self.pool.take("t", 0.0, False), second)
        self.assertIs(self.pool.take("t", 0.0, False), first)
        self.assertIsNone(self.pool.take("t", 0.0, False))

    def test_fresh(self) -> None:
        """One that rested for more than two seconds does not count as fresh."""
        connection = self.put(Connection())
        self.assertIsNone(self.pool.take("t", 2.1, True))
        self.assertIs(self.pool.take("t", 1.9, True), connection)

    def test_discard(self) -> None:
        """A connection that is gone is forgotten; one that is not here does no harm."""
        connection = self.put(Connection())
        self.pool.discard(connection)
        self.pool.discard(connection)
        self.assertEqual(len(self.pool), 0)

    def test_old(self) -> None:
        """One is closed after 30 seconds at rest, and then nothing ticks."""
        connection = self.put(Connection())
        self.clock.pump([1] * 29)
        self.assertFalse(connection.closed)
        self.clock.pump([1] * 2)
        self.assertTrue(connection.closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_burst(self) -> None:
        """What a burst leaves is kept for a moment, then only the last used ones."""
        connections = [self.put(Connection()) for _ in range(MAX_IDLE * 2)]
        self.assertFalse(any(connection.closed for connection in connections))
        self.clock.advance(5)
        self.assertEqual([connection.closed for connection in connections], [True] * MAX_IDLE + [False] * MAX_IDLE)

    def test_bound(self) -> None:
        """There is a bound in any case."""
        for _ in range(MAX_IDLE_AFTER_BURST):
            self.assertTrue(self.pool.put(Connection(), 0.0))
        self.assertFalse(self.pool.put(Connection(), 0.0))

    def test_forget(self) -> None:
        """The idle connections of a target that is gone are closed; those of others stay."""
        gone, other = self.put(Connection()), self.put(Connection("other"))
        self.pool.forget("t")
        self.pool.forget("t")
        self.assertEqual((gone.closed, other.closed, len(self.pool)), (True, False, 1))

    def test_spare(self) -> None:
        """Where room is short, the one goes that has waited longest, of that target alone."""
        first, second, other = (self.put(Connection(target)) for target in ("t", "t", "other"))
        self.assertTrue(self.pool.spare("t"))
        self.assertEqual([one.closed for one in (first, second, other)], [True, False, False])
        self.assertTrue(self.pool.spare("t"))
        self.assertFalse(self.pool.spare("t"))
        self.assertEqual(len(self.pool), 1)

    def test_crowded(self) -> None:
        """Nothing is kept of a target for whose connections somebody waits."""
        target = SimpleNamespace(crowded=True)
        self.assertFalse(self.pool.put(Connection(target), 0.0))
        self.assertEqual(len(self.pool), 0)

    def test_close(self) -> None:
        """A pool that is closed closes all it has, and no timer stays."""
        connection = self.put(Connection())
        self.pool.close()
        self.assertTrue(connection.closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])
