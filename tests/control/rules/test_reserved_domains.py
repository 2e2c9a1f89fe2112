"""
Tests for `ngrok_twisted.control.rules.reserved_domains`. What an API client meets is tested with
`ngrok_twisted.control.api.resources.reserved_domains`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.around import Around, all_problems
from ngrok_twisted.control.ownership import ReservationSettings
from ngrok_twisted.records.base import Problem, Put, Snapshot
from ngrok_twisted.records.reserved_domain import ReservedDomain
from ngrok_twisted.records.tls_certificate import TLSCertificate

SETTINGS = ReservationSettings(
    base_domain="base.example",
    tcp_host="tcp.base.example",
    tcp_ports=range(0),
    open_account_ids=frozenset({"open"}),
)


def domain(name: str, account_id: str = "a", id: str = "", **more: Any) -> ReservedDomain:
    """A reserved domain."""
    return ReservedDomain(id=id or f"rd {name}", account_id=account_id, domain=name, **more)


class ReservedDomainRulesTests(SynchronousTestCase):
    """What is wrong with domains among others."""

    def found(self, *records: ReservedDomain) -> list[tuple[str, Problem]]:
        """The problems of these records, each with its record's id."""
        certificates = [TLSCertificate(id="mine", account_id="a", certificate_pem="", private_key_pem="")]
        snapshot = Snapshot().with_changes(map(Put, [*certificates, *records]))
        around = Around(records=snapshot, settings=SETTINGS)
        return [(record.id, problem) for record, problem in all_problems(records, around)]

    def codes(self, *records: ReservedDomain) -> list[tuple[str, int]]:
        """Ids and codes."""
        return [(id, problem.code) for id, problem in self.found(*records)]

    def test_later(self) -> None:
        """Of two that cannot both be, the later one has the problem, which names the earlier."""
        first, second = domain("a.example", id="1"), domain("a.example", "b", id="2")
        ((id, problem),) = self.found(first, second)
        self.assertEqual((id, problem.code, problem.path, problem.other), ("2", 414, "domain", "1"))
        ((id, problem),) = self.found(first, domain("a.example", id="2"))
        self.assertEqual((id, problem.code, problem.other), ("2", 413, "1"))

    def test_overlaps(self) -> None:
        """Domains of two accounts overlap where one has names of the other, in whatever order they come."""
        overlaps = [("*.a.b", "x.a.b"), ("*.a.b", "a.b"), ("*.a.b", "*.x.a.b"), ("a.b", "x.a.b"), ("a.b", "*.x.a.b")]
        apart = [("a.b", "c.b"), ("*.a.b", "*.c.b"), ("a.b", "xa.b"), ("*.a.b", "x.aa.b")]
        for names in overlaps + apart:
            for one, other in (names, names[::-1]):
                wanted = [(f"rd {other}", 417)] if names in overlaps else []
                self.assertEqual(self.codes(domain(one), domain(other, "b")), wanted, (one, other))
                self.assertEqual(self.codes(domain(one), domain(other)), [], (one, other))

    def test_operator(self) -> None:
        """What the configuration says is the operator's own word: the server's whole domain goes to whom it names."""
        for name in ("base.example", "*.base.example", "*.example"):
            self.assertEqual(len(self.codes(domain(name))), 1, name)
            self.assertEqual(self.codes(domain(name, declared=True)), [], name)
            self.assertEqual(self.codes(domain(name, "open")), [], name)
        self.assertEqual(self.codes(domain("api.base.example", "open", declared=True))[0][1], 404)

    def test_certificate(self) -> None:
        """The certificate is there, and the account's own."""
        self.assertEqual(self.found(domain("a.example", certificate_id="mine")), [])
        for record in (domain("a.example", certificate_id="gone"), domain("a.example", "b", certificate_id="mine")):
            ((_, problem),) = self.found(record)
            self.assertEqual(problem.path, "certificate_id")

    def test_regions(self) -> None:
        """Only the server's one region is known."""
        self.assertEqual(self.found(domain("a.example", region="us", resolves_to=("us", "global"))), [])
        found = self.found(domain("a.example", region="eu", resolves_to=("us", "eu", "us")))
        paths = [(problem.path, problem.code) for _, problem in found]
        self.assertEqual(paths, [("region", 400), ("resolves_to[1].value", 459), ("resolves_to[2].value", 456)])

    def test_many(self) -> None:
        """Each of many records is looked up, and not compared with all others."""
        compared = 0

        class Counted(str):
            """A name that counts how often it is compared."""

            __hash__ = str.__hash__

            def __eq__(self, other: object) -> bool:
                nonlocal compared
                compared += 1
                return str.__eq__(self, other)

        records = [domain(Counted(f"n{number}.example"), f"account {number}") for number in range(300)]
        self.assertEqual(self.found(*records), [])
        self.assertLess(compared, 300 * 30)
