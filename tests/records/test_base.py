"""
Tests for `ngrok_twisted.records.base`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.records.base import Delete, Problem, Put, Snapshot
from ngrok_twisted.records.reserved_addr import ReservedAddr
from ngrok_twisted.records.reserved_domain import ReservedDomain


def domain(id: str, name: str = "a.example") -> ReservedDomain:
    """A record."""
    return ReservedDomain(id=id, domain=name)


class SnapshotTests(SynchronousTestCase):
    """All records at one moment."""

    def test_empty(self) -> None:
        """Nothing is in a new one."""
        empty = Snapshot()
        self.assertIsNone(empty.get(ReservedDomain, "rd_1"))
        self.assertEqual((list(empty.all(ReservedDomain)), empty.revision), ([], 0))

    def test_put(self) -> None:
        """A record is found by its class and id, and with all of its class, in the order of the first writing."""
        one, two, addr = domain("rd_1"), domain("rd_2"), ReservedAddr(id="rd_1", host="h", port=1)
        snapshot = Snapshot().with_changes([Put(two), Put(one), Put(addr)])
        self.assertIs(snapshot.get(ReservedDomain, "rd_1"), one)
        self.assertIs(snapshot.get(ReservedAddr, "rd_1"), addr)
        changed = domain("rd_2", "b.example")
        self.assertEqual(list(snapshot.with_changes([Put(changed)]).all(ReservedDomain)), [changed, one])

    def test_never_changed(self) -> None:
        """A snapshot stays what it was, and the next one shares the tables that nobody wrote to."""
        first = Snapshot().with_changes([Put(domain("rd_1")), Put(ReservedAddr(id="ra_1", host="h", port=1))])
        second = first.with_changes([Put(domain("rd_2")), Delete(ReservedDomain, "rd_1")])
        self.assertEqual([record.id for record in first.all(ReservedDomain)], ["rd_1"])
        self.assertEqual([record.id for record in second.all(ReservedDomain)], ["rd_2"])
        self.assertIs(second.tables[ReservedAddr.family], first.tables[ReservedAddr.family])

    def test_delete(self) -> None:
        """Deleting what is not there is no error."""
        snapshot = Snapshot().with_changes([Delete(ReservedDomain, "rd_1")])
        self.assertEqual(list(snapshot.all(ReservedDomain)), [])

    def test_order_of_changes(self) -> None:
        """The last change of a record counts."""
        changes = [Put(domain("rd_1")), Delete(ReservedDomain, "rd_1"), Put(domain("rd_1", "c.example"))]
        found = Snapshot().with_changes(changes).get(ReservedDomain, "rd_1")
        assert found is not None
        self.assertEqual(found.domain, "c.example")

    def test_revision(self) -> None:
        """A revision follows the one before, unless it is given."""
        self.assertEqual(Snapshot(7).with_changes([]).revision, 8)
        self.assertEqual(Snapshot(7).with_changes([], 7).revision, 7)

    def test_beside(self) -> None:
        """Records of one class come beside what is there, as if each had been put, and the revision stays."""
        snapshot = Snapshot().with_changes([Put(domain("rd_1")), Put(domain("rd_2"))])
        more = {id: domain(id, "new.example") for id in ("rd_2", "rd_3")}
        beside = snapshot.beside(ReservedDomain, more)
        put = snapshot.with_changes(map(Put, more.values()), snapshot.revision)
        self.assertEqual((beside, list(beside.all(ReservedDomain))), (put, list(put.all(ReservedDomain))))
        self.assertIsNone(snapshot.get(ReservedDomain, "rd_3"))
        self.assertEqual(list(Snapshot().beside(ReservedDomain, more).all(ReservedDomain)), list(more.values()))


class ProblemTests(SynchronousTestCase):
    """What an operator reads."""

    def test_text(self) -> None:
        """The file and the line stand before the path, as far as they are known."""
        for problem, text in (
            (Problem("edges", "no"), "edges: no"),
            (Problem("", "no"), "no"),
            (Problem("edges", "no", 3, "c.yaml"), "c.yaml:3: edges: no"),
            (Problem("edges", "no", 0, "c.yaml"), "c.yaml: edges: no"),
            (Problem("", "no", 3, "c.yaml"), "c.yaml:3: no"),
            (Problem("edges", "no", 3), "edges: no"),
        ):
            self.assertEqual(str(problem), text)

    def test_terminal(self) -> None:
        """Words that came from outside do not write to the operator's terminal as they like."""
        self.assertEqual(str(Problem("\x1b[31m", "a\rb\u202ec", 3, "é.yaml")), "é.yaml:3: ?[31m: a?b?c")
