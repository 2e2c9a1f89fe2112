"""
Tests of `ngrok_twisted.crew.records`.
"""

from __future__ import annotations

from socket import socketpair
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from ngrok_twisted.crew import records as module
from ngrok_twisted.crew.records import Followed, Published, difference
from ngrok_twisted.crew.wire import Wire
from ngrok_twisted.interfaces import IEdgePlane
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.base import Delete, Problem, Put, Snapshot
from ngrok_twisted.records.endpoint import Endpoint
from tests.crew.wires import PairCase


def endpoint(number: int) -> Endpoint:
    """A live endpoint."""
    return Endpoint(id=f"ep_{number}", account_id="ac_1", proto="https", host=f"{number}.example", port=443)


class Plane:
    """An edge that notes what it serves."""

    def __init__(self) -> None:
        self.served: list[Snapshot] = []
        self.without: list[str] = []

    def check(self, snapshot: Snapshot) -> list[Problem]:
        return [Problem("ep_bad", "no")] if snapshot.get(Endpoint, "ep_bad") else []

    def apply(self, snapshot: Snapshot) -> None:
        self.served.append(snapshot)

    def do_without(self, snapshot: Snapshot, record_id: str) -> None:
        self.without.append(record_id)


class FollowTests(PairCase):
    """A worker that follows."""

    def setUp(self) -> None:
        super().setUp()
        self.plane = Plane()
        self.published = Published(self.plane, self.reactor)
        self.followed = Followed()
        self.to_main.handlers.update(self.followed.handlers())
        self.seen: list[Snapshot] = []
        self.followed.subscribe(self.seen.append)
        self.snapshot = Snapshot().with_changes([Put(Account(id="ac_1")), Put(endpoint(1)), Put(endpoint(2))])

    def change(self, *changes: Any) -> None:
        """Records change."""
        self.snapshot = self.snapshot.with_changes(changes)
        self.published.apply(self.snapshot)

    def test_interface(self) -> None:
        """The control plane has an edge like any other."""
        verifyObject(IEdgePlane, self.published)
        self.assertEqual(self.published.check(Snapshot()), [])
        self.published.do_without(Snapshot(), "ep_1")
        self.assertEqual(self.plane.without, ["ep_1"])

    def test_all_and_changes(self) -> None:
        """It is told all there is, and then each change, in order."""
        self.published.apply(self.snapshot)
        self.published.tell(self.to_worker)
        self.turns()
        self.assertEqual(self.seen, [self.snapshot])
        self.change(Put(endpoint(3)), Delete(Endpoint, "ep_1"))
        self.change(Put(Account(id="ac_2")))
        self.turns()
        self.assertEqual(self.seen[-1], self.snapshot)
        self.assertEqual([one.revision for one in self.seen], [1, 2, 3])
        self.assertEqual(list(self.seen[-1].tables), list(self.snapshot.tables))

    def test_waits(self) -> None:
        """A worker that is there before the store is open is told when it is."""
        self.published.tell(self.to_worker)
        self.turns()
        self.assertEqual(self.seen, [])
        self.published.apply(self.snapshot)
        self.turns()
        self.assertEqual(self.seen, [self.snapshot])

    def test_pieces(self) -> None:
        """Many records come in pieces, a piece a turn; what changes meanwhile comes with the last, and once."""
        self.patch(module, "PIECE", 10)
        self.change(*(Put(endpoint(number)) for number in range(95)))
        sent: list[Any] = []
        self.patch(self.to_worker, "send", lambda kind, value: sent.append(value))
        self.published.tell(self.to_worker)
        self.change(Put(endpoint(200)), Delete(Endpoint, "ep_5"))
        self.turns(20)
        self.assertEqual(
            [(len(changes), whole) for _, changes, whole in sent], [(10, False)] * 9 + [(6, False), (2, True)]
        )
        for value in sent:
            self.followed.handlers()["records"](value, -1)
        self.assertTrue(self.seen == [self.snapshot])

    def test_gone(self) -> None:
        """Whoever is gone is told nothing more, in the midst of its pieces or after them."""
        self.patch(module, "PIECE", 1)
        self.published.apply(self.snapshot)
        self.published.tell(self.to_worker)
        self.to_worker.close()
        self.turns()
        self.change(Put(endpoint(9)))
        first, second = socketpair()
        other = Wire(self.reactor, first, "worker 2", {})
        self.addCleanup(second.close)
        self.published.tell(other)
        self.turns(10)
        self.assertEqual(len(self.published._told), 1)
        other.close()
        self.assertEqual(self.published._told, {})

    def test_late_listener(self) -> None:
        """A part that begins to follow later is told at once; one that fails does not keep the others from it."""
        self.published.apply(self.snapshot)
        self.published.tell(self.to_worker)
        self.turns()
        late: list[Snapshot] = []
        self.followed.subscribe(lambda records: 1 / 0)
        self.followed.subscribe(late.append)
        self.assertEqual(late, [self.snapshot])
        self.change(Put(endpoint(4)))
        self.turns()
        self.assertEqual(late[-1], self.snapshot)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    @given(st.lists(st.tuples(st.integers(0, 5), st.booleans())), st.lists(st.tuples(st.integers(0, 5), st.booleans())))
    def test_difference(self, first: list[tuple[int, bool]], second: list[tuple[int, bool]]) -> None:
        """What differs makes one snapshot of the other, whatever they are."""

        def changes(words: list[tuple[int, bool]]) -> list[Any]:
            return [Put(endpoint(number)) if put else Delete(Endpoint, f"ep_{number}") for number, put in words]

        before = Snapshot().with_changes(changes(first))
        after = before.with_changes(changes(second))
        made = before.with_changes(difference(before, after), after.revision)
        self.assertEqual(made.tables.get("endpoints", {}), after.tables.get("endpoints", {}))
        self.assertEqual([*difference(after, after)], [])
