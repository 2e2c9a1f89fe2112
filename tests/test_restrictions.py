"""
Tests for `ngrok_twisted.restrictions`.
"""

from __future__ import annotations

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.records.base import Delete, Put, Snapshot
from ngrok_twisted.records.ip_policy import IPPolicy, IPPolicyRule
from ngrok_twisted.records.ip_restriction import IPRestriction
from ngrok_twisted.restrictions import Restrictions, gates

OFFICE = IPPolicy(
    id="ipp_office",
    account_id="ac_1",
    rules=(
        IPPolicyRule(id="ipr_1", cidr="192.0.2.0/24", action="allow"),
        IPPolicyRule(id="ipr_2", cidr="192.0.2.66/32", action="deny"),
    ),
)
ONE = IPRestriction(id="ipx_1", account_id="ac_1", type="endpoints", ip_policy_ids=("ipp_office",), enforced=True)


def snapshot(*records: IPPolicy | IPRestriction) -> Snapshot:
    """These records."""
    return Snapshot().with_changes([Put(record) for record in records])


class RestrictionsTests(SynchronousTestCase):
    """What the places that enforce restrictions ask."""

    def setUp(self) -> None:
        self.restrictions = Restrictions("endpoints")

    def turned_away(self, *hosts: str) -> list[bool]:
        """Whether each may not reach the account."""
        return [self.restrictions.turn_away("ac_1", host) for host in hosts]

    def test_none(self) -> None:
        """Without a restriction everybody passes, also before any records are known."""
        self.assertEqual(self.turned_away("192.0.2.1", ""), [False, False])
        self.restrictions.update(snapshot(OFFICE))
        self.assertEqual(self.turned_away("198.51.100.1"), [False])

    def test_enforced(self) -> None:
        """Whoever the policies do not admit is turned away from the account, and from no other."""
        self.restrictions.update(snapshot(OFFICE, ONE))
        self.assertEqual(
            self.turned_away("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.66", "198.51.100.1", "2001:db8::1", ""),
            [False, False, True, True, True, True],
        )
        self.assertFalse(self.restrictions.turn_away("ac_2", "198.51.100.1"))

    def test_type(self) -> None:
        """A restriction of another type does not count."""
        self.restrictions.update(
            snapshot(OFFICE, IPRestriction(id="ipx_2", account_id="ac_1", type="api", ip_policy_ids=(), enforced=True))
        )
        self.assertEqual(self.turned_away("198.51.100.1"), [False])

    def test_not_enforced(self) -> None:
        """A restriction that is not enforced lets everybody pass, and logs whom it would turn away."""
        self.restrictions.update(
            snapshot(
                OFFICE,
                IPRestriction(id="ipx_3", account_id="ac_1", type="endpoints", ip_policy_ids=("ipp_office",)),
            )
        )
        with capturedLogs() as events:
            self.assertEqual(self.turned_away("192.0.2.1", "198.51.100.1"), [False, False])
        self.assertEqual([(event["peer"], event["id"]) for event in events], [("198.51.100.1", "ipx_3")])

    def test_policy_is_gone(self) -> None:
        """A policy that is not there, or is another account's, says nothing."""
        stranger = IPPolicy(id="ipp_office", account_id="ac_2", rules=OFFICE.rules)
        for records in (snapshot(ONE), snapshot(ONE, stranger)):
            self.restrictions.update(records)
            self.assertEqual(self.turned_away("192.0.2.1"), [True])

    def test_two(self) -> None:
        """Where the configuration and the API have both made one, both count."""
        other = IPRestriction(
            id="ipx_4", account_id="ac_1", type="endpoints", ip_policy_ids=("ipp_none",), enforced=True
        )
        self.restrictions.update(snapshot(OFFICE, ONE, other))
        self.assertEqual(self.turned_away("192.0.2.1"), [True])
        self.assertEqual(len(gates(snapshot(OFFICE, ONE, other), "endpoints")["ac_1"]), 2)

    def test_update(self) -> None:
        """A change of a restriction or a policy counts at once; other changes cost nothing."""
        records = snapshot(OFFICE, ONE)
        self.assertTrue(self.restrictions.update(records))
        self.assertFalse(self.restrictions.update(Snapshot(7, dict(records.tables))))
        copies = {family: dict(table) for family, table in records.tables.items()}
        self.assertFalse(self.restrictions.update(Snapshot(8, copies)))
        opened = IPPolicy(id="ipp_office", account_id="ac_1", rules=(*OFFICE.rules, rule("198.51.100.0/24")))
        self.assertTrue(self.restrictions.update(records.with_changes([Put(opened)])))
        self.assertEqual(self.turned_away("198.51.100.1"), [False])
        self.assertTrue(self.restrictions.update(records.with_changes([Delete(IPRestriction, "ipx_1")])))
        self.assertEqual(self.turned_away("203.0.113.1"), [False])


def rule(cidr: str) -> IPPolicyRule:
    """One that allows."""
    return IPPolicyRule(id="ipr_3", cidr=cidr, action="allow")
