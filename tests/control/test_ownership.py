"""
Tests of `ngrok_twisted.control.ownership`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.around import Around
from ngrok_twisted.control.ownership import Ownership, Place, ReservationSettings, is_service_name, ownership, place_of
from ngrok_twisted.errors import Refused
from ngrok_twisted.records.base import Put, Record, Snapshot
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.records.reserved_addr import ReservedAddr
from ngrok_twisted.records.reserved_domain import ReservedDomain

SETTINGS = ReservationSettings(
    base_domain="base.example",
    tcp_host="tcp.base.example",
    tcp_ports=range(2000, 2010),
    open_account_ids=frozenset({"open"}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge(Record):
    """An edge, as far as ownership looks at it."""

    family: ClassVar[str] = "tls_edges"
    hostports: tuple[str, ...] = ()


def owned(*records: Record, **domains: str) -> Ownership:
    """What these records say; ``domains`` are accounts and the one domain each has reserved."""
    reserved = [ReservedDomain(id=domain, account_id=account, domain=domain) for account, domain in domains.items()]
    return Ownership(Snapshot().with_changes(map(Put, [*records, *reserved])))


class NameTests(SynchronousTestCase):
    """`Ownership.check_name`."""

    def verdict(self, ownership: Ownership, account: str, name: str) -> int | None:
        """The code of the refusal, or ``None`` if the name may be had."""
        try:
            ownership.check_name(account, name, SETTINGS)
        except Refused as refusal:
            return refusal.code
        return None

    def each(self, ownership: Ownership, *cases: tuple[str, str, int | None]) -> None:
        """Accounts, names and verdicts."""
        for account, name, verdict in cases:
            self.assertEqual(self.verdict(ownership, account, name), verdict, (account, name))

    def test_nothing_reserved(self) -> None:
        """Names right under the base domain are anybody's; open accounts get all below it, but not ``*.base``."""
        self.each(
            owned(),
            ("a", "x.base.example", None),
            ("a", "x.y.base.example", 354),
            ("open", "x.y.base.example", None),
            ("a", "*.x.base.example", 318),
            ("open", "*.x.base.example", None),
            ("open", "*.base.example", 318),
            ("open", "*.example", 318),
            ("a", "shop.example", 319),
            ("open", "shop.example", 319),
            ("open", "abase.example", 319),
        )

    def test_service_names(self) -> None:
        """The service's own names, and those below them, are nobody else's."""
        for name in (
            "base.example",
            "connect.base.example",
            "api.base.example",
            "idp.base.example",
            "dashboard.base.example",
            "tcp.base.example",
            "x.api.base.example",
            "*.api.base.example",
            "*.x.tcp.base.example",
        ):
            self.each(owned(), ("open", name, 320), ("a", name, 320))

    def test_tcp_host_above(self) -> None:
        """A TCP host above the base domain does not take the base domain with it."""
        settings = ReservationSettings(base_domain="base.example", tcp_host="example", tcp_ports=range(0))
        owned().check_name("a", "x.base.example", settings)

    def test_exact(self) -> None:
        """A reserved name is its account's, and so is everything below it."""
        self.each(
            owned(a="shop.example", b="x.base.example"),
            ("a", "shop.example", None),
            ("b", "shop.example", 320),
            ("open", "shop.example", 320),
            ("b", "y.shop.example", 320),
            ("b", "*.shop.example", 320),
            ("a", "y.shop.example", 319),
            ("a", "x.base.example", 320),
            ("b", "x.base.example", None),
            ("b", "y.x.base.example", 354),
            ("open", "y.x.base.example", 320),
        )

    def test_wildcard(self) -> None:
        """A reserved wildcard gives its account every name below; other wildcards are reserved themselves."""
        self.each(
            owned(a="*.shop.example"),
            ("a", "*.shop.example", None),
            ("a", "x.shop.example", None),
            ("a", "x.y.shop.example", None),
            ("a", "shop.example", 319),
            ("a", "*.x.shop.example", 321),
            ("b", "x.shop.example", 320),
            ("b", "*.shop.example", 320),
        )

    def test_base_wildcard(self) -> None:
        """Whoever has reserved the wildcard of the base domain may bind it, and names below become theirs."""
        self.each(
            owned(open="*.base.example"),
            ("open", "*.base.example", None),
            ("open", "x.base.example", None),
            ("a", "x.base.example", 320),
        )

    def test_wildcard_over_others(self) -> None:
        """No wildcard is given over a name that is reserved by another account."""
        self.each(
            owned(a="x.y.base.example"),
            ("open", "*.y.base.example", 320),
            ("open", "*.z.base.example", None),
        )

    def test_nearest_counts(self) -> None:
        """Of several reservations above a name the nearest decides."""
        ownership = owned(
            ReservedDomain(id="1", account_id="a", domain="*.shop.example"),
            ReservedDomain(id="2", account_id="b", domain="x.shop.example"),
        )
        self.each(ownership, ("a", "x.shop.example", 320), ("b", "x.shop.example", None), ("a", "y.shop.example", None))

    def test_given_by(self) -> None:
        """The account's nearest reservation gives it a name; a name above does not, nor another account's."""
        mine = owned(
            ReservedDomain(id="1", account_id="a", domain="*.shop.example"),
            ReservedDomain(id="2", account_id="a", domain="x.shop.example"),
            ReservedDomain(id="3", account_id="b", domain="*.y.shop.example"),
        )
        for name, id in (("x.shop.example", "2"), ("z.x.shop.example", "1"), ("z.y.shop.example", "1")):
            found = mine.domain_for("a", name)
            self.assertEqual(found and found.id, id, name)
        self.assertIsNone(mine.domain_for("a", "shop.example"))
        self.assertIsNone(mine.domain_for("b", "x.shop.example"))
        self.assertEqual(mine.domain("x.shop.example"), mine.domain_for("a", "x.shop.example"))
        self.assertIsNone(mine.domain("y.shop.example"))

    def test_twice(self) -> None:
        """Of two reservations of one name that are judged together the earlier counts, and rivals are earlier ones."""
        records = [
            ReservedDomain(id=id, account_id=account, domain=name)
            for id, account, name in (("1", "a", "shop.example"), ("2", "b", "shop.example"), ("3", "b", "*.example"))
        ]
        both = owned(*records)
        self.assertEqual(both.owner("shop.example"), "a")
        self.assertEqual([[rival.id for rival in both.rivals(record)] for record in records], [[], ["1"], ["1"]])

    def test_rule_agrees(self) -> None:
        """Rules ask the same value, made once for all records that are judged together."""
        around = Around(
            records=Snapshot().with_changes([Put(ReservedDomain(id="1", account_id="a", domain="b.c"))]),
            settings=SETTINGS,
        )
        self.assertEqual(around.index(ownership).owner("x.b.c"), "a")
        self.assertIs(around.index(ownership), around.index(ownership))

    def test_is_service_name(self) -> None:
        """The base domain itself is not among the service's names: its operator may reserve it."""
        for name, own in (("base.example", False), ("*.base.example", False), ("*.tcp.base.example", True)):
            self.assertEqual(is_service_name(name, SETTINGS), own, name)


class AddressTests(SynchronousTestCase):
    """`Ownership.check_address`."""

    def verdict(self, host: str, port: int, settings: ReservationSettings = SETTINGS) -> int | None:
        """The code of the refusal for account ``a``, or ``None`` if the address may be had."""
        ownership = owned(
            ReservedAddr(id="1", account_id="a", host="tcp.base.example", port=2001),
            ReservedAddr(id="2", account_id="b", host="tcp.base.example", port=2002),
        )
        try:
            ownership.check_address("a", host, port, settings)
        except Refused as refusal:
            return refusal.code
        return None

    def test_reserved(self) -> None:
        """A reserved address is its account's; others are not to be had by asking."""
        for host, port, verdict in (
            ("tcp.base.example", 2001, None),
            ("tcp.base.example", 2002, 309),
            ("tcp.base.example", 2003, 1116),
            ("other.example", 2001, 307),
        ):
            self.assertEqual(self.verdict(host, port), verdict, (host, port))

    def test_requested(self) -> None:
        """Where the operator permits it, a port of the range may be had by asking, unless it is another account's."""
        settings = ReservationSettings(
            base_domain="base.example",
            tcp_host="tcp.base.example",
            tcp_ports=range(2000, 2010),
            allow_requested_ports=True,
        )
        for port, verdict in ((2003, None), (2002, 309), (2010, 1116), (22, 1116)):
            self.assertEqual(self.verdict("tcp.base.example", port, settings), verdict, port)

    def test_given(self) -> None:
        """A reservation is found by its address."""
        record = ReservedAddr(id="1", account_id="a", host="tcp.base.example", port=2001)
        self.assertEqual(owned(record).address("tcp.base.example", 2001), record)
        self.assertIsNone(owned(record).address("tcp.base.example", 2002))


class TakenTests(SynchronousTestCase):
    """Edges and cloud endpoints."""

    def test_edges(self) -> None:
        """The hosts and ports of edges are theirs."""
        ownership = owned(Edge(id="1", hostports=("shop.example:443", "127.0.0.1:2000")))
        self.assertTrue(ownership.is_edge(Place("", "shop.example", 443)))
        self.assertTrue(ownership.is_edge(Place("", "127.0.0.1", 2000)))
        self.assertFalse(ownership.is_edge(Place("", "shop.example", 80)))
        self.assertFalse(ownership.is_edge(Place("a", "shop.example", 443)))

    def test_cloud_endpoints(self) -> None:
        """Stored endpoints are found by their place; those of agents do not count."""
        cloud = Endpoint(id="1", account_id="a", proto="https", host="x.example", port=443, type="cloud")
        internal = Endpoint(
            id="2", account_id="a", proto="https", host="x.internal", port=443, type="cloud", binding="internal"
        )
        agent = Endpoint(id="3", account_id="a", proto="https", host="y.example", port=443)
        ownership = owned(cloud, internal, agent)
        self.assertEqual(ownership.cloud_endpoints(Place("", "x.example", 443)), [cloud])
        self.assertEqual(ownership.cloud_endpoints(Place("a", "x.internal", 443)), [internal])
        self.assertEqual(ownership.cloud_endpoints(Place("", "y.example", 443)), [])

    def test_namespaces(self) -> None:
        """What only the account reaches, or only its clusters, is in a space of its own."""
        for binding, namespace in (("public", ""), ("internal", "a"), ("kubernetes", "a kubernetes")):
            endpoint = Endpoint(id="1", account_id="a", proto="http", host="x.y", port=80, binding=binding)
            self.assertEqual(place_of(endpoint), Place(namespace, "x.y", 80))
