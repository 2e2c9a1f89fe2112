"""
Tests of `ngrok_twisted.control.ordered`; what stores promise is in `ngrok_twisted.testing.contracts`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.ordered import OrderedStore
from ngrok_twisted.errors import StoreUnusable
from ngrok_twisted.records.base import Put
from ngrok_twisted.testing.contracts import domain


class SlowStore(OrderedStore):
    """A store whose commits are finished by the test."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[Deferred[None]] = []

    def _commit(self, changes: Any, revision: int) -> Deferred[None]:
        self.commits.append(Deferred())
        return self.commits[-1]


class OrderedStoreTests(SynchronousTestCase):
    """`OrderedStore`."""

    def setUp(self) -> None:
        self.store = SlowStore()
        self.successResultOf(self.store.open())
        self.seen: list[int] = []
        self.store.subscribe(lambda snapshot: self.seen.append(snapshot.revision))

    def test_durable_first(self) -> None:
        """Nobody sees a write before it is durable."""
        done = self.store.write([Put(domain(1))])
        self.assertNoResult(done)
        self.assertEqual((self.seen, self.successResultOf(self.store.snapshot()).revision), ([], 0))
        self.store.commits[0].callback(None)
        self.assertEqual((self.seen, self.successResultOf(done).revision), ([1], 1))

    def test_in_turn(self) -> None:
        """A write begins when the one before has ended."""
        self.store.write([Put(domain(1))])
        second = self.store.write([Put(domain(2))])
        self.assertEqual(len(self.store.commits), 1)
        self.store.commits[0].callback(None)
        self.store.commits[1].callback(None)
        self.assertEqual(self.successResultOf(second).revision, 2)

    def test_failed(self) -> None:
        """A write that fails leaves the old snapshot, and the next write its turn."""
        first, second = self.store.write([Put(domain(1))]), self.store.write([Put(domain(2))])
        self.store.commits[0].errback(StoreUnusable("no space"))
        self.failureResultOf(first, StoreUnusable)
        self.store.commits[1].callback(None)
        self.assertEqual(list(self.successResultOf(second).tables["reserved_domains"]), ["rd_2"])
        self.assertEqual(self.seen, [1])

    def test_cancelled(self) -> None:
        """Whoever stops waiting is told so at once; the commit that has begun is followed to its end."""
        done = self.store.write([Put(domain(1))])
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.store.commits[0].callback(None)
        self.assertEqual(self.seen, [1])

    def test_close_waits(self) -> None:
        """Closing waits for the write that is under way; those that come after fail."""
        first = self.store.write([Put(domain(1))])
        closed = self.store.close()
        self.assertNoResult(closed)
        self.store.commits[0].callback(None)
        self.successResultOf(first)
        self.successResultOf(closed)
        self.failureResultOf(self.store.write([Put(domain(2))]), StoreUnusable)
