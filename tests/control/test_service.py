"""
Tests for `ngrok_twisted.control.service`.
"""

from typing import Any, Callable, Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.ownership import ReservationSettings
from ngrok_twisted.control.service import Control
from ngrok_twisted.errors import InvalidConfig, Refused
from ngrok_twisted.records.base import Problem, Put, Record, Snapshot
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.records.reserved_domain import ReservedDomain


class OneSnapshot:
    """As much of a store as `Control` uses."""

    def __init__(self, records: Sequence[Record] = ()) -> None:
        self.value = Snapshot().with_changes([Put(record) for record in records])
        self.listeners: list[Callable[[Snapshot], None]] = []
        self.closed = False

    def open(self) -> Deferred[Snapshot]:
        """IStore."""
        return succeed(self.value)

    def subscribe(self, listener: Callable[[Snapshot], None]) -> None:
        """IStore."""
        self.listeners.append(listener)

    def close(self) -> Deferred[None]:
        """IStore."""
        self.closed = True
        return succeed(None)


class RecordingPlane:
    """An edge plane that refuses what it is told to refuse."""

    def __init__(self) -> None:
        self.applied: list[Snapshot] = []
        self.refuse: dict[str, str] = {}
        self.broken = False

    def check(self, snapshot: Snapshot) -> list[Problem]:
        """IEdgePlane."""
        ids = [record.id for table in snapshot.tables.values() for record in table.values()]
        return [Problem(id, self.refuse[id]) for id in ids if id in self.refuse]

    def apply(self, snapshot: Snapshot) -> None:
        """IEdgePlane."""
        if self.broken:
            raise RuntimeError("no")
        self.applied.append(snapshot)


SETTINGS = ReservationSettings(base_domain="example.com", tcp_host="tcp.example.com", tcp_ports=range(1, 2))


def endpoint(id: str) -> Endpoint:
    """An https endpoint."""
    return Endpoint(id=id, proto="https", host=f"{id}.example.com", port=443)


def domain(id: str) -> ReservedDomain:
    """A reserved domain."""
    return ReservedDomain(id=id, domain=f"{id}.example.com")


class ControlTests(SynchronousTestCase):
    """Stored, declared and live records reach the edge as one snapshot."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.plane = RecordingPlane()
        self.store = OneSnapshot([domain("stored")])
        self.control = Control(self.store, self.plane, [domain("declared")], self.clock, SETTINGS)
        self.successResultOf(Deferred.fromCoroutine(self.control.open()))

    def ids(self, cls: type[Any]) -> set[str]:
        """The ids of this class that the edge serves now."""
        return {record.id for record in self.plane.applied[-1].all(cls)}

    def test_open(self) -> None:
        """What is stored and what is declared are served together."""
        self.assertEqual(self.ids(ReservedDomain), {"stored", "declared"})

    def test_publish_waits_for_the_edge(self) -> None:
        """A live endpoint is announced once the edge serves it, in the next reactor turn."""
        done = self.control.publish(put=endpoint("ep_1"))
        self.assertNoResult(done)
        self.clock.advance(0)
        self.assertIsNone(self.successResultOf(done))
        self.assertEqual(self.ids(Endpoint), {"ep_1"})

    def test_storm(self) -> None:
        """The changes of one turn make one snapshot."""
        before = len(self.plane.applied)
        waiting = [self.control.publish(put=endpoint(f"ep_{n}")) for n in range(100)]
        self.clock.advance(0)
        for done in waiting:
            self.successResultOf(done)
        self.assertEqual(len(self.plane.applied), before + 1)

    def test_delete_and_replace(self) -> None:
        """A taken-over endpoint goes and the new one comes in the same snapshot."""
        self.control.publish(put=endpoint("ep_1"))
        self.clock.advance(0)
        self.control.publish(put=endpoint("ep_2"), delete=endpoint("ep_1"))
        self.clock.advance(0)
        self.assertEqual(self.ids(Endpoint), {"ep_2"})
        self.assertEqual([s for s in self.plane.applied if len(list(s.all(Endpoint))) == 2], [])

    def test_one_refused(self) -> None:
        """An endpoint that cannot be served is refused with the reason; the others of the same turn are served."""
        self.plane.refuse = {"ep_bad": "port 20000 cannot be opened"}
        bad = self.control.publish(put=endpoint("ep_bad"))
        good = self.control.publish(put=endpoint("ep_good"))
        self.clock.advance(0)
        self.successResultOf(good)
        self.assertEqual(self.failureResultOf(bad, Refused).value.message, "port 20000 cannot be opened")
        self.assertEqual(self.ids(Endpoint), {"ep_good"})

    def test_broken_plane(self) -> None:
        """When the edge breaks, nobody is told that an endpoint is served, and the old ones are kept."""
        self.control.publish(put=endpoint("ep_1"))
        self.clock.advance(0)
        self.plane.broken = True
        done = self.control.publish(put=endpoint("ep_2"))
        self.clock.advance(0)
        self.failureResultOf(done, Refused)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.plane.broken = False
        self.control.publish(put=endpoint("ep_3"))
        self.clock.advance(0)
        self.assertEqual(self.ids(Endpoint), {"ep_1", "ep_3"})

    def test_cancelled(self) -> None:
        """Whoever stops waiting is not called."""
        done = self.control.publish(put=endpoint("ep_1"))
        done.addErrback(lambda _: None)
        done.cancel()
        self.clock.advance(0)
        self.assertEqual(self.ids(Endpoint), {"ep_1"})

    def test_declare(self) -> None:
        """A configuration that was read again replaces the declared records and keeps live endpoints."""
        self.control.publish(put=endpoint("ep_1"))
        self.clock.advance(0)
        self.control.declare([domain("other")])
        self.assertEqual(self.ids(ReservedDomain), {"stored", "other"})
        self.assertEqual(self.ids(Endpoint), {"ep_1"})

    def test_declare_refused(self) -> None:
        """A configuration that the edge cannot serve changes nothing."""
        self.plane.refuse = {"bad": "no"}
        with self.assertRaises(InvalidConfig):
            self.control.declare([domain("bad")])
        self.plane.refuse = {}
        self.control.publish(put=endpoint("ep_1"))
        self.clock.advance(0)
        self.assertEqual(self.ids(ReservedDomain), {"stored", "declared"})

    def test_listeners(self) -> None:
        """A listener gets the records at once and at every change, without live endpoints."""
        seen: list[Snapshot] = []
        self.control.subscribe(seen.append)
        self.control.declare([])
        self.control.publish(put=endpoint("ep_1"))
        self.clock.advance(0)
        self.assertEqual([len(list(s.all(ReservedDomain))) for s in seen], [2, 1])
        self.assertEqual(list(seen[-1].all(Endpoint)), [])

    def test_store_changes(self) -> None:
        """What another writer stored is served."""
        self.store.listeners[0](self.store.value.with_changes([Put(domain("new"))]))
        self.assertEqual(self.ids(ReservedDomain), {"stored", "new", "declared"})

    def test_close(self) -> None:
        """After closing nothing is applied any more, and the store is shut."""
        self.control.publish(put=endpoint("ep_1")).addErrback(lambda _: None)
        self.successResultOf(Deferred.fromCoroutine(self.control.close()))
        before = len(self.plane.applied)
        self.clock.advance(1)
        self.assertEqual(len(self.plane.applied), before)
        self.assertTrue(self.store.closed)
