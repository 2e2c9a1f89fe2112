"""
Tests for `ngrok_twisted.control.service`.
"""

from dataclasses import replace
from typing import Any, Callable, Sequence

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.ownership import ReservationSettings
from ngrok_twisted.control.service import REST, Control
from ngrok_twisted.control.stores.memory import MemoryStore
from ngrok_twisted.errors import InvalidConfig, Refused, StoreUnusable
from ngrok_twisted.records.base import Delete, Problem, Put, Record, Snapshot
from ngrok_twisted.records.edge import TCPEdge
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
    """
    An edge plane that refuses what it is told to refuse.

    :ivar seconds: how long it takes; ``clock`` is what tells that.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock
        self.seconds = 0.0
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
        if self.clock is not None:
            self.clock.rightNow += self.seconds

    def do_without(self, snapshot: Snapshot, record_id: str) -> None:
        """IEdgePlane."""
        del self.refuse[record_id]


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
        self.plane = RecordingPlane(self.clock)
        self.store = OneSnapshot([domain("stored")])
        self.control = Control(self.store, self.plane, [domain("declared")], self.clock, SETTINGS)
        self.successResultOf(Deferred.fromCoroutine(self.control.open()))

    def ids(self, cls: type[Any]) -> set[str]:
        """The ids of this class that the edge serves now."""
        return {record.id for record in self.plane.applied[-1].all(cls)}

    def test_open(self) -> None:
        """What is stored and what is declared are served together."""
        self.assertEqual(self.ids(ReservedDomain), {"stored", "declared"})

    def test_open_without(self) -> None:
        """A stored edge whose port somebody else has by now does not keep the server from starting; a declared one does."""
        edge = TCPEdge(id="edgtcp_1", hostports=("tcp.example.com:1",))
        for stored, declared in (([edge], []), ([], [edge])):
            self.plane.refuse = {"edgtcp_1": "its port is taken"}
            control = Control(OneSnapshot(stored), self.plane, declared, self.clock, SETTINGS)
            opened = Deferred.fromCoroutine(control.open())
            if declared:
                self.failureResultOf(opened, InvalidConfig)
            else:
                self.successResultOf(opened)
                self.assertEqual(self.ids(TCPEdge), {"edgtcp_1"})

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

    def test_rest(self) -> None:
        """The edge rests in proportion to what it took to take endpoints in, and what comes meanwhile is taken in together."""
        self.plane.seconds = 0.5
        first = self.control.publish(put=endpoint("ep_1"))
        self.clock.advance(0)
        self.successResultOf(first)
        before = len(self.plane.applied)
        self.clock.advance(0.5)
        waiting = [self.control.publish(put=endpoint(f"ep_{n}")) for n in range(2, 9)]
        self.clock.advance(0.5 * REST - 0.6)
        for done in waiting:
            self.assertNoResult(done)
        self.clock.advance(0.2)
        for done in waiting:
            self.successResultOf(done)
        self.assertEqual(len(self.plane.applied), before + 1)
        self.clock.advance(1000)
        last = self.control.publish(delete=endpoint("ep_1"))
        self.clock.advance(0)
        self.successResultOf(last)

    def test_rest_is_over(self) -> None:
        """A clock that is set back keeps nobody waiting for longer than the rest is."""
        self.plane.seconds = 0.5
        self.control.publish(put=endpoint("ep_1"))
        self.clock.advance(0)
        self.clock.rightNow -= 10_000
        done = self.control.publish(put=endpoint("ep_2"))
        self.clock.advance(0.5 * REST)
        self.successResultOf(done)

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

    def test_changed_in_place(self) -> None:
        """A live endpoint is replaced by what has its id; a change that cannot be served leaves it as it was."""
        self.control.publish(put=endpoint("ep_1"))
        self.clock.advance(0)
        changed = replace(endpoint("ep_1"), description="changed")
        self.control.publish(put=changed)
        self.clock.advance(0)
        self.assertEqual(list(self.plane.applied[-1].all(Endpoint)), [changed])
        self.patch(
            self.plane, "check", lambda snapshot: [] if changed in snapshot.all(Endpoint) else [Problem("ep_1", "no")]
        )
        refused = self.control.publish(put=replace(changed, traffic_policy="bad"))
        self.clock.advance(0)
        self.assertEqual(self.failureResultOf(refused, Refused).value.message, "no")
        self.assertEqual(list(self.plane.applied[-1].all(Endpoint)), [changed])
        self.assertEqual(self.control.live, {"ep_1": changed})

    def test_not_put_back(self) -> None:
        """What was withdrawn does not come back because what came in its place under its id cannot be served."""
        self.control.publish(put=endpoint("ep_1"))
        self.clock.advance(0)
        self.plane.refuse = {"ep_1": "no"}
        self.control.publish(delete=endpoint("ep_1"))
        refused = self.control.publish(put=replace(endpoint("ep_1"), description="another"))
        self.clock.advance(0)
        self.failureResultOf(refused, Refused)
        self.assertEqual((self.ids(Endpoint), self.control.live), (set(), {}))

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


class SlowStore(MemoryStore):
    """A store that writes when it is told to, and cannot while it is full."""

    def __init__(self) -> None:
        super().__init__()
        self.writing: list[Deferred[None]] = []
        self.full = False

    def _commit(self, changes: Any, revision: int) -> Deferred[None]:
        self.writing.append(Deferred())
        return self.writing[-1]

    def done(self) -> None:
        """The oldest write is durable, or failed."""
        if self.full:
            self.writing.pop(0).errback(StoreUnusable("the disk is full"))
        else:
            self.writing.pop(0).callback(None)


class ChangeTests(SynchronousTestCase):
    """What is written is served; what cannot be served after all is taken back."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.plane = RecordingPlane()
        self.store = SlowStore()
        self.control = Control(self.store, self.plane, [], self.clock, SETTINGS)
        self.successResultOf(Deferred.fromCoroutine(self.control.open()))
        self.assertEqual(self.names(self.change(Put(domain("rd_a")), Put(domain("rd_b")))), ["rd_a", "rd_b"])

    def begin(self, *changes: Put | Delete) -> Deferred[Snapshot]:
        """A change whose write has begun, if it was not refused before."""
        return Deferred.fromCoroutine(self.control.change(lambda _: changes))

    def change(self, *changes: Put | Delete) -> Snapshot:
        """The records after a change that works."""
        changing = self.begin(*changes)
        self.store.done()
        return self.successResultOf(changing)

    def names(self, records: Snapshot) -> list[str]:
        """The ids of the domains, in order."""
        return sorted(record.id for record in records.all(ReservedDomain))

    def everywhere(self) -> list[list[str]]:
        """The domains as the edge serves them, as the server has them, and as they are stored."""
        stored = self.successResultOf(self.store.snapshot())
        return [self.names(records) for records in (self.plane.applied[-1], self.control.records, stored)]

    def fail_late(self) -> Deferred[Snapshot]:
        """A change that could be served when it was judged, and cannot any more once it is written."""
        new = replace(domain("rd_b"), description="changed")
        changing = self.begin(Put(domain("rd_c")), Put(new), Delete(ReservedDomain, "rd_a"))
        self.plane.refuse = {"rd_c": "its port was taken meanwhile"}
        self.store.done()
        return changing

    def test_written(self) -> None:
        """Whoever wants to know is told what was written, once it is in force and before the next change; else nothing."""
        told: list[tuple[list[str], tuple[Put | Delete, ...], list[str]]] = []
        tell = lambda before, changes, after: told.append((self.names(before), changes, self.names(after)))
        first, second = (Put(domain(id)) for id in ("rd_c", "rd_d"))
        for put in (first, second):
            changing = Deferred.fromCoroutine(self.control.change(lambda _, put=put: (put,), tell))
            changing.addErrback(lambda _: None)
        self.assertEqual(told, [])
        self.store.done()
        old = ["rd_a", "rd_b"]
        self.assertEqual(told, [(old, (first,), [*old, "rd_c"])])
        self.clock.advance(0)
        self.plane.refuse = {"rd_d": "its port was taken meanwhile"}
        self.store.done()
        self.store.done()
        self.assertEqual(len(told), 1)

    def test_taken_back(self) -> None:
        """A change that cannot be served once it is written is undone; the caller is told why, and the old state stays."""
        changing = self.fail_late()
        self.assertNoResult(changing)
        self.store.done()
        problems = self.failureResultOf(changing, InvalidConfig).value.problems
        self.assertEqual([problem.message for problem in problems], ["its port was taken meanwhile"])
        self.assertEqual(self.everywhere(), [["rd_a", "rd_b"]] * 3)
        self.assertEqual(self.control.records.get(ReservedDomain, "rd_b"), domain("rd_b"))

    def test_field(self) -> None:
        """What the edge says of a record that is written is told of the field that it is about, early or late."""
        edge = TCPEdge(id="edgtcp_1", hostports=())
        self.plane.refuse = {"edgtcp_1": "its port is taken"}
        early = self.begin(Put(edge))
        self.plane.refuse = {}
        late = self.begin(Put(edge))
        self.plane.refuse = {"edgtcp_1": "its port is taken"}
        self.store.done()
        self.store.done()
        for failed in (early, late):
            self.assertEqual(
                self.failureResultOf(failed, InvalidConfig).value.problems, (Problem("hostports", "its port is taken"),)
            )

    def test_afterwards(self) -> None:
        """After a change was taken back the next one works."""
        changing = self.fail_late()
        self.store.done()
        self.failureResultOf(changing, InvalidConfig)
        self.change(Put(domain("rd_d")))
        self.assertEqual(self.everywhere(), [["rd_a", "rd_b", "rd_d"]] * 3)

    def test_edge_breaks(self) -> None:
        """An edge that breaks on a change is no different."""
        changing = self.begin(Put(domain("rd_c")))
        self.plane.broken = True
        self.store.done()
        self.plane.broken = False
        self.store.done()
        self.failureResultOf(changing, RuntimeError)
        self.assertEqual(self.everywhere(), [["rd_a", "rd_b"]] * 3)

    def test_cannot_be_taken_back(self) -> None:
        """Where the store does not take the old state back at once, it is asked again before the next change."""
        changing = self.fail_late()
        self.store.full = True
        self.store.done()
        self.failureResultOf(changing, InvalidConfig)
        self.assertEqual(len(self.flushLoggedErrors(StoreUnusable)), 1)
        self.assertEqual(self.names(self.control.records), ["rd_a", "rd_b"])
        next_one = self.begin(Put(domain("rd_d")))
        self.store.done()
        self.failureResultOf(next_one, StoreUnusable)
        self.store.full = False
        next_one = self.begin(Put(domain("rd_d")))
        self.store.done()
        self.store.done()
        self.successResultOf(next_one)
        self.assertEqual(self.everywhere(), [["rd_a", "rd_b", "rd_d"]] * 3)

    def test_waiting(self) -> None:
        """A change that waits for its turn meanwhile begins when the old state is back."""
        changing = self.fail_late()
        waiting = self.begin(Put(domain("rd_d")))
        self.store.done()
        self.failureResultOf(changing, InvalidConfig)
        self.clock.advance(0)
        self.store.done()
        self.successResultOf(waiting)
        self.assertEqual(self.everywhere(), [["rd_a", "rd_b", "rd_d"]] * 3)

    def test_nobody_waits(self) -> None:
        """Whoever gives up waiting for a change does not stop it halfway, nor what comes next."""
        changing = self.begin(Put(domain("rd_c")))
        next_one = self.begin(Put(domain("rd_d")))
        changing.cancel()
        self.failureResultOf(changing, CancelledError)
        self.store.done()
        self.clock.advance(0)
        self.store.done()
        self.successResultOf(next_one)
        self.assertEqual(self.everywhere(), [["rd_a", "rd_b", "rd_c", "rd_d"]] * 3)

    def test_many_refused(self) -> None:
        """However many changes wait and are refused, one after the other, the next one works."""
        changing = self.begin(Put(domain("rd_c")))

        def refuse(records: Snapshot) -> Any:
            raise Refused(None, "It is taken.")

        refused = [Deferred.fromCoroutine(self.control.change(refuse)) for _ in range(1000)]
        next_one = self.begin(Put(domain("rd_d")))
        self.store.done()
        self.successResultOf(changing)
        self.clock.pump([0] * 1001)
        for one in refused:
            self.failureResultOf(one, Refused)
        self.store.done()
        self.successResultOf(next_one)
        self.assertEqual(self.everywhere(), [["rd_a", "rd_b", "rd_c", "rd_d"]] * 3)
