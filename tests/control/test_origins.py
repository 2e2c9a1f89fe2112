"""
Tests of `ngrok_twisted.control.origins`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.origins import Origins, inside, once
from ngrok_twisted.document import Positions
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.ids import declared_id
from ngrok_twisted.records.reserved_domain import ReservedDomain

ONE, TWO, STORED = (declared_id("rd", "test", name) for name in ("one", "two", "stored"))


def origins() -> Origins:
    """Where two records come from."""
    positions = Positions("c.yaml")
    positions.note("reserved_domains[0]", 3)
    positions.note("reserved_domains[0].domain", 4)
    return Origins({ONE: "reserved_domains[0]", TWO: "reserved_domains[1]"}, positions)


class OriginsTests(SynchronousTestCase):
    """`Origins`."""

    def test_locate(self) -> None:
        """A problem of a record becomes one of the file, with its line."""
        located = origins().locate(ONE, Problem("domain", "is odd", code=400))
        self.assertEqual(str(located), "c.yaml:4: reserved_domains[0].domain: is odd (ERR_NGROK_400)")
        self.assertEqual(str(origins().locate(ONE, Problem("", "is odd"))), "c.yaml:3: reserved_domains[0]: is odd")

    def test_others(self) -> None:
        """Declared records are named by their paths, stored ones by their ids."""
        said = origins().locate(ONE, Problem("domain", f"{TWO} has it, or {STORED}")).message
        self.assertEqual(said, f"reserved_domains[1] has it, or {STORED}")
        self.assertEqual(
            origins().locate(ONE, Problem("", "is taken", other=TWO)).message, "is taken; see reserved_domains[1]"
        )
        self.assertEqual(origins().locate(ONE, Problem("", "is taken", other=STORED)).message, "is taken")

    def test_names(self) -> None:
        """A reference is shown as the file has it."""
        named = Origins({ONE: "backends.weighted[0]"}, Positions(), {TWO: "web"})
        self.assertEqual(named.locate(ONE, Problem(f"backends.{TWO}", "no")).path, "backends.weighted[0].backends.web")
        self.assertEqual(
            named.locate(ONE, Problem(f"backends.{STORED}", "no")).path, f"backends.weighted[0].backends.{STORED}"
        )

    def test_of_record(self) -> None:
        """What the edge says of a record stands in the file, if the record does."""
        self.assertEqual(origins().of_record(Problem(ONE, "no")), Problem("reserved_domains[0]", "no", 3, "c.yaml"))
        self.assertEqual(origins().of_record(Problem(STORED, "no")), Problem(STORED, "no"))

    def test_inside(self) -> None:
        """Paths are put together whichever of them is empty."""
        self.assertEqual(inside("a[0]", "b"), "a[0].b")
        self.assertEqual(inside("a[0]", ""), "a[0]")
        self.assertEqual(inside("a", "[0]"), "a[0]")


class OnceTests(SynchronousTestCase):
    """`once`."""

    def test_pair(self) -> None:
        """Of two records in each other's way only the later is told of, whichever way the other is named."""
        one, two = (ReservedDomain(id=id, domain="a.example") for id in (ONE, TWO))
        found = [(one, Problem("domain", f"{TWO} has it")), (two, Problem("domain", "is taken", other=ONE))]
        self.assertEqual([record for record, _ in once(found, [one, two])], [two])
        self.assertEqual([record for record, _ in once(found, [two, one])], [one])

    def test_one_way(self) -> None:
        """A problem that only one of them has is always told."""
        one, two = (ReservedDomain(id=id, domain="a.example") for id in (ONE, TWO))
        found = [(one, Problem("domain", f"{TWO} has it")), (two, Problem("domain", "is odd"))]
        self.assertEqual(list(once(found, [one, two])), found)
